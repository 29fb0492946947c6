"""The one place for waiting: on a condition, with a bound."""

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
