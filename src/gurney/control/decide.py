"""The one place for the pure half of a change: config → overrides → compile → plan. It touches nothing and can be thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gurney.balance import table
from gurney.compile import route
from gurney.compile.target import Ground, Target
from gurney.config import reader
from gurney.config.document import Application, Document, Pool
from gurney.config.overrides import Override, lay
from gurney.config.proxied import ProxyPool
from gurney.control import node as nodes
from gurney.errors import DocumentRefused, GurneyError
from gurney.plan.order import plan
from gurney.plan.steps import Key, Process, Sessions, Step

UNKNOWN = b""  # content of an engine that runs while nobody can tell what it serves


@dataclass(frozen=True, slots=True)
class Decision:
    """What is wanted, and the way from what serves to it.

    `base` is the document as it stands, `document` the same with the overrides laid over it, `wanted` each engine's whole configuration,
    `processes` what that makes of each engine. `marks` maps document paths to (line, column) of `file`.
    """

    base: Document
    document: Document
    node: str | None
    wanted: Mapping[Key, bytes]
    processes: Mapping[Key, Process]
    steps: tuple[Step, ...]
    warnings: tuple[Mapping[str, Any], ...]
    file: str
    marks: Mapping[str, tuple[int, int]]

    def steps_as_json(self) -> list[dict[str, Any]]:
        """The steps in order: `text` for a person, `cuts` sessions."""
        return [step.as_json() for step in self.steps]

    def granted(self) -> list[dict[str, str]]:
        """Which limits each engine was granted, in words."""
        return [
            {"application": application, "engine": engine, "text": text}
            for (application, engine), process in self.processes.items()
            for text in process.granted
        ]

    def carrier(self, application: str, service: str) -> str | None:
        """The engine that carries this service; None when no engine does."""
        for (owner, engine), process in self.processes.items():
            if owner == application and process.application is not None and service in services_of(process.application):
                return engine
        return None


@dataclass(frozen=True, slots=True)
class _Reading:
    """A document without a fault, its warnings and its marks."""

    document: Document
    warnings: tuple[Mapping[str, Any], ...]
    marks: Mapping[str, tuple[int, int]]


class _Route:
    """The route process's compiler."""

    name = "route"

    def compile(self, document: Document, application: str, ground: Ground) -> bytes | None:
        """route.json."""
        found = document.applications[application]
        return route.compile(document, application).bytes if found.services else None

    def process(self, content: bytes) -> Process:
        """What a route process that serves `content` is."""
        known = table.load(content)
        application = Application(known.application, f"applications.{known.application}", known.services, known.pools)
        return Process(application, table.generation(content), route.listeners(known))


def targets() -> tuple[Target, ...]:
    """Every compiler."""
    return (_Route(),)


def services_of(application: Application) -> tuple[str, ...]:
    """The names of all its services, whoever carries them."""
    return (*application.services, *application.proxied)


def pools_of(application: Application) -> tuple[Pool | ProxyPool, ...]:
    """All its pools, whoever carries them."""
    return (*application.pools.values(), *application.proxied_pools.values())


def read(text: str, file: str) -> _Reading:
    """The document and its warnings. Raises `DocumentRefused` with every fault."""
    reading = reader.read(text, file)
    faults = [fault.as_json() for fault in reading.faults]
    if reading.document is None:
        count = len(reading.errors)
        raise DocumentRefused(f"{file} has {count} fault{'s' if count != 1 else ''}", faults=faults)
    return _Reading(reading.document, tuple(faults), reading.marks)


def decide(
    text: str,
    file: str,
    overrides: Iterable[Override],
    serving: Mapping[Key, bytes],
    *,
    node: str | None = None,
    hostname: str = "",
    sessions: Sessions | None = None,
    ground: Ground | None = None,
) -> Decision:
    """From a document's text to a decision. Raises `DocumentRefused` with every fault, `InputRefused` for the node."""
    reading = read(text, file)
    base = reading.document
    chosen = nodes.choose(base, node, hostname)
    document = lay(base, overrides)
    wanted: dict[Key, bytes] = {}
    for application in document.applications:
        for target in targets():
            content = target.compile(document, application, ground or Ground())
            if content is not None:
                wanted[application, target.name] = content
    found = {key: process_of(key, content) for key, content in wanted.items()}
    order = steps(serving, wanted, sessions)
    return Decision(base, document, chosen, wanted, found, order, reading.warnings, file, reading.marks)


def steps(serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes], sessions: Sessions | None = None) -> tuple[Step, ...]:
    """The ordered steps from what serves to what is wanted; none where they are the same."""
    goal = {key: process_of(key, content) for key, content in wanted.items()}
    there = {key: _running(key, content, goal.get(key)) for key, content in serving.items()}
    return plan(there, goal, sessions).steps


def process_of(key: Key, content: bytes) -> Process:
    """What a plan knows of an engine that serves `content`. Raises `InputRefused` when it was written by another version."""
    return next(target for target in targets() if target.name == key[1]).process(content)


def _running(key: Key, content: bytes, wanted: Process | None) -> Process:
    """An engine as it is; one that serves what nobody can tell, or what another version wrote, is loaded again, whatever it is."""
    try:
        if content != UNKNOWN:
            return process_of(key, content)
    except GurneyError:
        pass
    known = wanted or Process(None, None, (), program=key[1])
    return replace(known, application=None, generation=None, listeners=())
