"""The one place for a running process that the guard keeps: started by us or adopted from a guard before us."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from gurney.errors import GuardRefused
from gurney.guard import privileges, proc
from gurney.guard.intents import Intent

OUTPUT = "output.log"
OUTPUT_SIZE = 1024 * 1024
"""Bytes of a child's output file beyond which it is put aside before the next start."""
WORDS_LINES, WORDS_BYTES = 8, 2000
"""How much of what a process said last stands in the guard's report."""


class Child:
    """A process by its pidfd, which names this process and no later one of the same pid."""

    def __init__(self, pid: int, pidfd: int, start: int, popen: subprocess.Popen[bytes] | None, said: int = 0) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.start = start
        self.said = said
        """Where its own words begin in the output file; 0 where that is not known."""
        self._popen = popen

    @property
    def adopted(self) -> bool:
        """Not our child by birth: its exit status will be unknown."""
        return self._popen is None

    def signal(self, number: int) -> None:
        """Send a signal; one that is gone already is no error."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def gone(self) -> bool:
        """Whether it has exited; a pidfd knows at once, whoever reaps it and when."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def end(self) -> str:
        """After it has exited: how, in words; closes the pidfd."""
        os.close(self.pidfd)
        if self._popen is None:
            return "unknown (adopted)"
        status = self._popen.wait()
        if status >= 0:
            return f"exit {status}"
        return f"signal {-status} ({signal.Signals(-status).name})" if -status in set(signal.Signals) else f"signal {-status}"

    def leave(self) -> None:
        """The guard ends and the process lives on: let go of it."""
        os.close(self.pidfd)
        if self._popen is not None:
            self._popen.returncode = 0  # nothing of subprocess may wait for it or warn of it


def start(intent: Intent) -> Child:
    """Start the process an intent describes: a session of its own, its terms, output to a file of its folder. Raises GuardRefused."""
    terms = intent.terms
    try:
        with open_output(intent.folder) as output, open_input(terms.stdin) as given, privileges.without_ports(terms.binds):
            said = os.fstat(output.fileno()).st_size
            popen = subprocess.Popen(
                list(intent.argv), stdin=given, stdout=output, stderr=output, cwd=intent.folder,
                env=privileges.environment() if terms.environment is None else dict(terms.environment),
                user=terms.user, group=terms.user, extra_groups=None if terms.user is None else [],
                start_new_session=True, close_fds=True,
            )  # fmt: skip
    except OSError as problem:
        raise GuardRefused(f"cannot start {intent.name}: {problem.strerror}: {problem.filename}") from problem
    # it cannot be reaped before we wait for it, so the pid is still its own
    return Child(popen.pid, os.pidfd_open(popen.pid), proc.start_time(popen.pid) or 0, popen, said)


def open_input(path: Path | None) -> BinaryIO:
    """What a child reads as stdin: a file, opened anew for every start, or nothing. Raises OSError."""
    return os.fdopen(os.open(os.devnull if path is None else path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb", buffering=0)


def open_output(folder: Path, name: str = OUTPUT) -> BinaryIO:
    """The output file of a folder, appended to; one that has grown is put aside first. Raises OSError."""
    path = folder / name
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > OUTPUT_SIZE:
            path.replace(path.with_name(name + ".1"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe in its place holds nobody up
    return os.fdopen(os.open(path, flags, 0o600), "ab", buffering=0)


def last_words(folder: Path, said: int = 0) -> str | None:
    """The last lines of a folder's output file from byte `said` on; None when there are none."""
    try:
        with os.fdopen(os.open(folder / OUTPUT, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as output:
            size = os.fstat(output.fileno()).st_size
            output.seek(max(said if said <= size else 0, size - WORDS_BYTES))
            lines = output.read(WORDS_BYTES).decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return None
    return "\n".join(lines[-WORDS_LINES:]) or None


def end_left_over(argv: Sequence[str]) -> list[int]:
    """SIGKILL what a dead process with these arguments left behind; gives who of them still lives. It is gone when this gives none."""
    found = proc.left_over(argv)
    for pid in found:
        if (child := _open(pid)) is not None:
            if proc.is_left_over(pid, argv):
                child.signal(signal.SIGKILL)
            child.leave()
    return found


def adopt(intent: Intent) -> Child | None:
    """The living process of an intent that an earlier guard started, or None.

    First the recorded pid, whose start time has to be the recorded one; else, since a guard may die between starting a process and
    writing its pid down, whichever process leads a session and has this argv, in which the folder's unique path stands.
    """
    if intent.pid is not None and intent.start is not None and (child := _open(intent.pid)) is not None:
        if child.start == intent.start:
            return child
        child.leave()
    for pid in proc.started_by(intent.argv, intent.terms.user):
        if (child := _open(pid)) is not None:
            if proc.is_started_by(pid, intent.argv, intent.terms.user):
                return child
            child.leave()
    return None


def _open(pid: int) -> Child | None:
    """The living process of a pid. The pidfd comes first: what is read of /proc afterwards is of this process, if it is not gone."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    child = Child(pid, pidfd, proc.start_time(pid) or 0, None)
    if child.gone():
        child.leave()
        return None
    return child
