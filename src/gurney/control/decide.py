"""The one place for the pure half of a change: config → overrides → compile → plan. It touches nothing and can be thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gurney.balance import table
from gurney.compile import route
from gurney.config import reader
from gurney.config.document import Application, Document
from gurney.config.overrides import Override, lay
from gurney.control import node as nodes
from gurney.control.carry import UNKNOWN, EngineStep, Key
from gurney.errors import DocumentRefused, GurneyError
from gurney.plan import steps as plans

ROUTE = "route"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is wanted, and the way from what serves to it.

    `base` is the document as it stands, `document` the same with the overrides laid over it, `wanted` each engine's whole configuration.
    """

    base: Document
    document: Document
    node: str | None
    wanted: Mapping[Key, bytes]
    steps: tuple[EngineStep, ...]
    warnings: tuple[Mapping[str, Any], ...]

    def steps_as_json(self) -> list[dict[str, Any]]:
        """The steps in order: `text` for a person, `cuts` sessions."""
        return [{"engine": one.engine, **one.step.as_json()} for one in self.steps]


def read(text: str, file: str) -> tuple[Document, tuple[Mapping[str, Any], ...]]:
    """The document and its warnings. Raises `DocumentRefused` with every fault."""
    reading = reader.read(text, file)
    faults = [fault.as_json() for fault in reading.faults]
    if reading.document is None:
        count = len(reading.errors)
        raise DocumentRefused(f"{file} has {count} fault{'s' if count != 1 else ''}", faults=faults)
    return reading.document, tuple(faults)


def decide(
    text: str,
    file: str,
    overrides: Iterable[Override],
    serving: Mapping[Key, bytes],
    *,
    node: str | None = None,
    hostname: str = "",
    sessions: plans.Sessions | None = None,
) -> Decision:
    """From a document's text to a decision. Raises `DocumentRefused` with every fault, `InputRefused` for the node."""
    base, faults = read(text, file)
    chosen = nodes.choose(base, node, hostname)
    document = lay(base, overrides)
    wanted = {(name, ROUTE): route.compile(document, name).bytes for name in document.applications}
    return Decision(base, document, chosen, wanted, steps(serving, wanted, sessions), faults)


def steps(serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes], sessions: plans.Sessions | None = None) -> tuple[EngineStep, ...]:
    """The ordered steps from what serves to what is wanted; none where they are the same."""
    found = plans.plan(
        {application: _running(content) for (application, _), content in serving.items()},
        {application: _wanted(content) for (application, _), content in wanted.items()},
        sessions,
    )
    return tuple(EngineStep(ROUTE, step) for step in found.steps)


def _running(content: bytes) -> plans.Running:
    try:
        known = None if content == UNKNOWN else table.load(content)
    except GurneyError:  # written by another version: it is loaded again, whatever it is
        known = None
    if known is None:
        return plans.Running(None, None, ())
    return plans.Running(_application(known), table.generation(content), route.listeners(known))


def _wanted(content: bytes) -> plans.Wanted:
    known = table.load(content)
    return plans.Wanted(_application(known), table.generation(content), route.listeners(known))


def _application(known: table.Table) -> Application:
    return Application(known.application, f"applications.{known.application}", known.services, known.pools)
