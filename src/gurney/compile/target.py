"""The one place for what `control` knows of any compiler: one engine's whole configuration of one application, as bytes.

A compiler is added with one folder beside `route/` and one line in `targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gurney.config.document import Document
from gurney.config.proxied import Material
from gurney.plan.steps import Process


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts of the machine a compiler needs.

    `nofile` is the hard RLIMIT_NOFILE; `uid` of the application where the guard is root; `threads` HAProxy will have, one a CPU it may use;
    `ipv6`: whether the kernel has it, so that "every address" is both families.
    """

    nofile: int = 20_000
    haproxy: tuple[int, int] = (2, 8)
    uid: int | None = None
    threads: int = 2
    ipv6: bool = True


@dataclass(frozen=True, slots=True)
class Ground:
    """What is compiled against: the machine, and what the files the document names hold, by their names as written."""

    machine: Machine = Machine()
    materials: Mapping[str, Material] = field(default_factory=dict)


class Target(Protocol):
    """One engine's compiler."""

    name: str

    def compile(self, document: Document, application: str, ground: Ground) -> bytes | None:
        """The engine's whole configuration of this application; None when the application needs no such engine."""

    def process(self, content: bytes) -> Process:
        """What a plan needs to know of an engine that serves `content`. Raises `InputRefused` when it is of another version."""

    def explain(self, content: bytes, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """Which rule, pool and member would take this, by `content` alone: every member up. Raises `NotFound`, `InputRefused`."""
