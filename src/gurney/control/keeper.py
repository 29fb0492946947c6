"""The one place where control and the engines meet the guard: its answers as values, its states waited for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gurney.engines.engine import Process
from gurney.errors import GuardRefused
from gurney.guard.client import Guard

SETTLE_SECONDS = 15.0
_PAUSE = 0.05
_PASSING = ("adopting", "stopping", "restarting")


class GuardKeeper:
    """The guard of one state folder as the engines' `Keeper`."""

    def __init__(self, state: Path) -> None:
        self._guard = Guard(state)

    def run(
        self,
        name: str,
        argv: Sequence[str],
        folder: Path,
        listeners: Sequence[Mapping[str, Any]],
        *,
        environment: Mapping[str, str] | None = None,
        stop_signal: str = "SIGTERM",
        user: int | None = None,
        stdin: Path | None = None,
        binds: bool = False,
    ) -> Mapping[str, Any]:
        """Keep this process alive with these listeners; one that is being adopted or stopped is waited for first."""
        self._settled(name)
        return self._guard.run(
            name, argv, folder, listeners, environment=environment, stop_signal=stop_signal, user=user, stdin=stdin, binds=binds
        )

    def stop(self, name: str, within: float) -> None:
        """End it."""
        self._guard.stop(name, within)

    def watch(self) -> socket.socket:
        """A connection that becomes readable when the guard is gone. Raises `NotRunning`."""
        return self._guard.watch()

    def processes(self) -> tuple[Process, ...]:
        """Every process the guard keeps."""
        return tuple(
            Process(
                name=str(one["name"]),
                pid=one.get("pid"),
                since=one.get("since"),
                restarts=int(one.get("restarts") or 0),
                adopted=bool(one.get("adopted")),
                state=str(one.get("state")),
                last_exit=str(one["last_exit"]) if one.get("last_exit") is not None else None,
                listeners=tuple(str(listener) for listener in one.get("listeners") or ()),
                last_words=one.get("last_words"),
                problem=one.get("problem"),
            )
            for one in self._guard.list()
        )

    def _settled(self, name: str) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        pause = threading.Event()
        while any(process.name == name and process.state in _PASSING for process in self.processes()):
            if time.monotonic() >= deadline:
                raise GuardRefused(f"the guard does not get done with '{name}' within {SETTLE_SECONDS:g} s")
            pause.wait(_PAUSE)
