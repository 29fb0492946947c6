"""The one place for `gurney down` where no control process answers: the guard is asked, a hung control process is ended first."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path

from gurney.errors import NotRunning
from gurney.guard import client as guard

STOP_SECONDS = 10.0
END_MILLISECONDS = 5000


def down_without_control(state: Path, owner: int | None) -> None:
    """Stop what the guard keeps, and the guard. `owner` is the pid of a control process that does not answer.

    Raises `NotRunning` when there is nothing to stop.
    """
    if owner is not None:
        _end(owner)
    if not state.is_dir() or (not guard.shutdown(state, STOP_SECONDS) and owner is None):
        raise NotRunning(f"nothing runs in {state}")


def _end(pid: int) -> None:
    """SIGKILL by pidfd: it would start the next guard if it came back to life."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(END_MILLISECONDS)
    finally:
        os.close(descriptor)
