"""The one place for what `control` knows of any engine: its interface, and the ground it stands on."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from gurney.disk.faults import Faults

Listener = tuple[str, str, int]  # name, host ("" for every address), port


@dataclass(frozen=True, slots=True)
class Process:
    """One process as the guard sees it. `since` is seconds since the epoch; `last_exit` says in words how the one before it ended."""

    name: str
    pid: int | None
    since: float | None
    restarts: int
    adopted: bool
    state: str
    last_exit: str | None
    listeners: tuple[str, ...]
    last_words: str | None = None  # its last lines of output before that, for people
    problem: str | None = None  # why the guard does not get on with it


class Keeper(Protocol):
    """What an engine asks of the guard. Every method raises `GuardRefused`, or `NotRunning` when no guard answers."""

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
        """Keep this process alive with these listeners; idempotent.

        `environment`: exactly these variables; None is the guard's choice for our own programs. `stop_signal`: its name; what is not
        SIGTERM is a soft stop that SIGTERM hurries near the end. `user`: the uid and gid it runs under. `stdin`: the file it reads there.
        `binds`: it opens its listening sockets itself. Another argv, folder, environment, user or stdin starts a running process anew.
        """

    def stop(self, name: str, within: float) -> None:
        """End it; what it has in hand gets up to `within` seconds."""

    def watch(self) -> socket.socket:
        """A connection that becomes readable when the guard is gone; the caller's to close. Raises `NotRunning`."""

    def processes(self) -> tuple[Process, ...]:
        """Every process the guard keeps."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What every engine stands on: each application's folder and uid, the guard, crash points, who hears of long work."""

    folder: Callable[[str], Path]  # application -> its folder, made when missing
    keeper: Keeper
    faults: Faults = field(default_factory=Faults)
    progress: Callable[[str], None] = field(default=lambda text: None)
    user: Callable[[str], int | None] = field(default=lambda application: None)  # the uid its processes run under; None: our own


@dataclass(frozen=True, slots=True)
class Observed:
    """What an engine says of itself: `generation` is what it serves now, None when it does not answer."""

    running: bool
    generation: str | None
    status: Mapping[str, Any] | None
    why: str = ""


class Engine(Protocol):
    """A running program of one application.

    `content` is the engine's whole wanted configuration as bytes; its SHA-256 is the generation.
    """

    name: str

    def process(self, application: str) -> str:
        """The name under which the guard keeps this engine of `application`."""

    def application(self, process: str) -> str | None:
        """The application whose process has this name; None when it is no process of this engine."""

    def generation(self, content: bytes) -> str:
        """The generation of `content`."""

    def check(self, application: str, content: bytes) -> None:
        """Validate `content` whole, without touching anything. Raises `EngineRefused`."""

    def start(self, application: str, content: bytes, listeners: Sequence[Listener]) -> None:
        """Publish `content`, run the program on these listeners, and have it name the generation it serves. Raises `EngineRefused`."""

    def listen(self, application: str, listeners: Sequence[Listener]) -> None:
        """It is to have exactly these listeners, whatever it serves. Raises `EngineRefused`."""

    def load(self, application: str, content: bytes) -> None:
        """Publish `content`, have it loaded and confirmed, restarting nothing. Raises `EngineRefused`."""

    def back(self, application: str, good: bytes | None) -> None:
        """Serve `good` on its own listeners again (None: stop); everything that may be half done is undone. Raises `EngineRefused`."""

    def keep(self, application: str, content: bytes) -> None:
        """Tell the guard that it is to run, without loading anything; idempotent. Raises `EngineRefused`."""

    def stop(self, application: str, within: float) -> None:
        """End it; what it has in hand gets up to `within` seconds. Raises `EngineRefused`."""

    def published(self, application: str) -> bytes | None:
        """The configuration that stands in the application's folder."""

    def observe(self, application: str) -> Observed:
        """Ask it what it serves and how it is; never raises."""

    def explain(self, application: str, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """Which rule, pool and member would take this. Raises `NotRunning`, `NotFound`, `InputRefused`."""
