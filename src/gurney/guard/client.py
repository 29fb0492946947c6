"""The one place for asking the guard, and for starting one where none lives."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gurney.disk import locks
from gurney.errors import GuardRefused, NotRunning
from gurney.guard import child, privileges
from gurney.guard.intents import Intent, Intents, Terms, terms_as_json
from gurney.net import messages
from gurney.net.messages import Connection

SOCKET = "guard.sock"
INTENTS = "guard.json"
START_SECONDS = 15.0
LIST_SECONDS = 5.0
RUN_SECONDS = 30.0
"""A restart may take 10 s to end what it has in hand, and the next process a while to take its listeners."""
END_SECONDS = 15.0
"""For an answer to stop and shutdown beyond their own time."""
OUTPUT_SHOWN = 2000


class Guard:
    """The guard of a state folder, one connection a question. Raises NotRunning when none answers, GuardRefused with what it said."""

    def __init__(self, state: Path) -> None:
        self._path = state / SOCKET

    def run(
        self,
        name: str,
        argv: Sequence[str],
        folder: Path,
        listeners: Sequence[Mapping[str, Any]] = (),
        *,
        restart: bool = False,
        environment: Mapping[str, str] | None = None,
        stop_signal: str = "SIGTERM",
        user: int | None = None,
        stdin: Path | None = None,
        binds: bool = False,
    ) -> dict[str, Any]:
        """Keep a process with these listeners ({name, host, port}); `restart` ends and starts it again on the same ones.

        The other terms are those of `intents.Terms`. Gives {pid, started, handed}: handed is false when the process has not confirmed its
        listeners yet.
        """
        terms = Terms(environment, stop_signal, user, stdin, binds)
        message = {"op": "run", "name": name, "argv": list(argv), "folder": str(folder), "listeners": [dict(one) for one in listeners]}
        return self._ask({**message, **terms_as_json(terms), "restart": restart}, RUN_SECONDS)

    def stop(self, name: str, within: float = 10.0) -> dict[str, Any]:
        """End a process: its stop signal, `within` seconds, SIGKILL. Gives {stopped, exit}; stopped is false if there was none."""
        return self._ask({"op": "stop", "name": name, "within": within}, within + END_SECONDS)

    def list(self) -> list[dict[str, Any]]:
        """What the guard keeps: {name, pid, since, restarts, adopted, state, last_exit, last_words, listeners, waiting, problem, argv,
        folder}, and what of its terms is not the default."""
        processes: list[dict[str, Any]] = self._ask({"op": "list"}, LIST_SECONDS)["processes"]
        return processes

    def pid(self) -> int:
        """The guard's own pid."""
        return int(self._ask({"op": "list"}, LIST_SECONDS)["pid"])

    def shutdown(self, within: float = 10.0) -> None:
        """End everything and the guard too."""
        self._ask({"op": "shutdown", "within": within}, within + END_SECONDS)

    def watch(self) -> socket.socket:
        """A connection that becomes readable (end or reset) when the guard is gone; for `add_reader`. The caller's to close."""
        sock = messages.connect(self._path)
        if sock is None:
            raise NotRunning(f"nobody answers on {self._path}")
        return sock

    def _ask(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        with Connection(self._path, seconds) as connection:
            answer, _ = connection.ask(message)
        if answer.get("ok") is not True:
            raise GuardRefused(str(answer.get("message", "the guard refused")), hint=answer.get("hint"))
        return answer


def command(state: Path) -> list[str]:
    """The argv of a guard."""
    return [sys.executable, "-m", "gurney", "guard", "--state", str(state)]


def start(state: Path, *, argv: Sequence[str] | None = None, seconds: float = START_SECONDS) -> bool:
    """See to it that a guard lives: False if one did. Raises GuardRefused with its last words when it cannot start.

    It gets a session of its own, so that nothing done to its parent's terminal or group reaches it.
    """
    if alive(state):
        return False
    deadline = time.monotonic() + seconds
    process: subprocess.Popen[bytes] | None = None
    while not alive(state):
        if process is None and not locks.held(state / "lock", locks.GUARD):
            process = _launch(state, command(state) if argv is None else argv)
        if process is not None and process.poll() is not None and not locks.held(state / "lock", locks.GUARD):
            raise GuardRefused(f"the guard ended with {process.returncode}", hint=_last_words(state))
        if time.monotonic() >= deadline:
            raise GuardRefused(f"the guard did not answer within {seconds:g} s", hint=_last_words(state))
        time.sleep(0.02)
    if process is not None:
        # it outlives us, or we it: then somebody has to take its exit status, or it stays a zombie
        threading.Thread(target=process.wait, name="guard-exit", daemon=True).start()
    return process is not None


def attend(state: Path, *, seconds: float = START_SECONDS) -> bool:
    """Wait for a guard that somebody else starts, a service manager. False, since none was started. Raises GuardRefused after `seconds`."""
    deadline = time.monotonic() + seconds
    while not alive(state):
        if time.monotonic() >= deadline:
            raise GuardRefused(
                f"no guard answered within {seconds:g} s", hint="the guard is a service of its own: systemctl status gurney-guard"
            )
        time.sleep(0.02)
    return False


def alive(state: Path) -> bool:
    """Whether a guard answers here."""
    try:
        Guard(state).list()
    except NotRunning:
        return False
    return True


def shutdown(state: Path, within: float = 10.0, *, argv: Sequence[str] | None = None) -> bool:
    """End everything the guard keeps, and the guard. Where no guard lives but one left processes, a new one adopts them to end them.

    False if nothing ran. Raises GuardRefused.
    """
    if not alive(state):
        if not (state / INTENTS).exists() and not locks.held(state / "lock", locks.GUARD):
            return False
        start(state, argv=argv)
    guard = Guard(state)
    try:
        pidfd = os.pidfd_open(guard.pid())
    except ProcessLookupError:
        return True
    with os.fdopen(pidfd, "rb") as process:
        guard.shutdown(within)
        poll = select.poll()
        poll.register(process, select.POLLIN)
        if not poll.poll(START_SECONDS * 1000):  # the answer comes just before its end; a service manager may start the next one at once
            raise GuardRefused("the guard said that it ended, and has not")
    return True


def left(state: Path) -> tuple[Intent, ...]:
    """What a guard that is gone was to keep. Raises StateUnusable."""
    return Intents(state / INTENTS).all()


def _launch(state: Path, argv: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        with child.open_output(state, "guard.out") as output:
            return subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=state, env=privileges.environment(),
                start_new_session=True, close_fds=True,
            )  # fmt: skip
    except OSError as problem:
        raise GuardRefused(f"cannot start the guard: {problem.strerror}: {problem.filename}") from problem


def _last_words(state: Path) -> str | None:
    try:
        with open(state / "guard.out", "rb") as output:
            output.seek(max(0, os.fstat(output.fileno()).st_size - OUTPUT_SHOWN))
            lines = output.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return None
    return lines[-1] if lines else None
