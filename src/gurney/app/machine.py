"""The one place for the facts of this machine a compiler is told: descriptors, CPUs, which HAProxy there is, whom a process runs as."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

from gurney.compile.target import Machine
from gurney.engines.haproxy import binary
from gurney.errors import EngineRefused, GurneyError
from gurney.guard.client import Guard

FRESH_SECONDS = 1.0
_LIMIT = "Max open files"


def machines(state: Path, uid: Callable[[str], int | None] = lambda application: None) -> Callable[[str], Machine]:
    """The facts by application. `uid` gives the one an application's workers drop to where the guard is root.

    What an engine may open is what its parent may: the guard of `state` where one runs, else the one we would start.
    """

    @functools.cache
    def version() -> tuple[int, int]:
        try:
            return binary.find().version
        except EngineRefused:  # said by the engine when it is to run; a document that needs none is none of its business
            return Machine().haproxy

    asked: list[tuple[float, int]] = []  # when, and what the answer was: a document of many applications asks for each of them

    def nofile() -> int:
        now = time.monotonic()
        if not asked or now - asked[0][0] > FRESH_SECONDS:
            asked[:] = [(now, descriptors(guard_of(state)))]
        return asked[0][1]

    def machine(application: str) -> Machine:
        threads = len(os.sched_getaffinity(0))
        return Machine(nofile(), version(), uid(application), threads, Path("/proc/net/if_inet6").exists())

    return machine


def guard_of(state: Path) -> int | None:
    """The pid of the guard that lives there."""
    with contextlib.suppress(GurneyError):
        return Guard(state).pid()
    return None


def descriptors(pid: int | None) -> int:
    """The hard limit of open files of a process, ours where it is None: what HAProxy raises its own to (http.md §3)."""
    with contextlib.suppress(OSError, ValueError, StopIteration, IndexError):
        lines = Path(f"/proc/{pid or 'self'}/limits").read_text("ascii").splitlines()
        found = next(line for line in lines if line.startswith(_LIMIT)).removeprefix(_LIMIT).split()
        return Machine().nofile if found[1] == "unlimited" else int(found[1])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return Machine().nofile if hard == resource.RLIM_INFINITY else hard
