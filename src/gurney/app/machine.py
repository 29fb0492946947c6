"""The one place for the facts of this machine a compiler is told: descriptors, which HAProxy there is, whom a process runs as."""

from __future__ import annotations

import functools
import resource
from collections.abc import Callable

from gurney.compile.target import Machine
from gurney.engines.haproxy import binary
from gurney.errors import EngineRefused


def machines(uid: Callable[[str], int | None] = lambda application: None) -> Callable[[str], Machine]:
    """The facts by application. `uid` gives the one an application's workers drop to where the guard is root."""

    @functools.cache
    def version() -> tuple[int, int]:
        try:
            return binary.find().version
        except EngineRefused:  # said by the engine when it is to run; a document that needs none is none of its business
            return Machine().haproxy

    return lambda application: Machine(_descriptors(), version(), uid(application))


def _descriptors() -> int:
    """The hard limit of open files: what HAProxy raises its own to (http.md §3)."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return Machine().nofile if hard == resource.RLIM_INFINITY else hard
