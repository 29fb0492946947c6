"""The one place for waiting on conditions, and for what it means that one did not come true."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

from gurney.errors import GurneyError


class DemoFailed(GurneyError):
    """A process of the demo did not start, or ended when it should not have."""

    code = "GRN-E020"
    title = "the demo failed"


def until(condition: Callable[[], bool], within: float, what: str) -> None:
    """Waits for `condition`, looking every 50 ms; raises DemoFailed after `within` seconds."""
    end = time.monotonic() + within
    pause = threading.Event()
    while not condition():
        if time.monotonic() > end:
            raise DemoFailed(f"{what}: not within {within:g} s")
        pause.wait(0.05)


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
