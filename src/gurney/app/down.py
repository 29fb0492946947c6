"""The one place for `gurney down` where no control process answers: the guard is asked, a hung control process is ended first."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
from pathlib import Path

from gurney.errors import NotRunning, StateUnusable
from gurney.guard import client as guard

STOP_SECONDS = 10.0
END_MILLISECONDS = 5000


def down_without_control(state: Path, owner: int | None) -> tuple[str, ...]:
    """Stop what the guard keeps, and the guard. `owner` is the pid of a control process that does not answer.

    Gives what ran, in words. Raises `NotRunning` when there is nothing to stop, `StateUnusable` when the state is another user's.
    """
    if not state.is_dir():
        raise NotRunning(f"nothing runs in {state}")
    if not guard.alive(state) and state.stat().st_uid != os.geteuid():  # a guard of ours would leave files there that its own cannot write
        raise StateUnusable(f"{state} belongs to {_name(state.stat().st_uid)} and no guard answers", hint="gurney down as that user")
    if owner is not None:
        _end(owner)
    ran = (*(("the control process, which did not answer",) if owner is not None else ()), *_kept(state))
    if not guard.shutdown(state, STOP_SECONDS) and owner is None:
        raise NotRunning(f"nothing runs in {state}")
    return ran


def _kept(state: Path) -> tuple[str, ...]:
    """What the guard keeps; where none answers, what guard.json says it kept."""
    try:
        return tuple(f"{_words(one['name'])} (pid {one['pid']})" for one in guard.Guard(state).list() if one["pid"] is not None)
    except NotRunning:
        return tuple(f"{_words(intent.name)}, left by a guard that is gone" for intent in guard.left(state))


def _words(process: str) -> str:
    """`pacs` is the route process of pacs, `pacs.haproxy` its HAProxy (engines: `process`)."""
    application, _, engine = process.partition(".")
    return f"{application}: {engine or 'route process'}"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


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
