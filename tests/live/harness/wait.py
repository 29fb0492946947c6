"""The one place for waiting: on a condition, with a bound, and for free ports."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Late(AssertionError):
    """A condition did not come true within its bound."""


def until(condition: Callable[[], T], seconds: float, what: str, every: float = 0.02) -> T:
    """The first true value of `condition()`; raises `Late` after `seconds`."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Late(f"not within {seconds} s: {what}")
        pause.wait(every)


def listening(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Free TCP ports below the range that outgoing connections take theirs from (so none is lost between here and the bind)."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        low = int(f.read().split()[0])
    held: list[socket.socket] = []
    try:
        import random

        candidates = random.Random().sample(range(max(low - 12000, 10240), low - 1), 4000)
        for port in candidates:
            s = socket.socket()
            try:
                s.bind(("0.0.0.0", port))
            except OSError:
                s.close()
                continue
            held.append(s)
            if len(held) == count:
                return [h.getsockname()[1] for h in held]
    finally:
        for h in held:
            h.close()
    raise RuntimeError("no free ports")
