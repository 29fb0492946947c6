"""The one place for the pure half of a change: config → overrides → compile → plan. It touches nothing and can be thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gurney.compile import route
from gurney.config import reader
from gurney.config.document import Document
from gurney.config.overrides import Override, lay
from gurney.control import node as nodes
from gurney.control.carry import Key
from gurney.errors import DocumentRefused


@dataclass(frozen=True, slots=True)
class Decision:
    """What is wanted, and the way from what serves to it.

    `base` is the document as it stands, `document` the same with the overrides laid over it. `wanted` is each engine's whole
    configuration, `order` the keys that differ in the order in which they are to be carried out. `steps` are JSON-ready.
    """

    base: Document
    document: Document
    node: str | None
    wanted: Mapping[Key, bytes]
    order: tuple[Key, ...]
    steps: tuple[Mapping[str, Any], ...]
    warnings: tuple[Mapping[str, Any], ...]

    @property
    def differs(self) -> bool:
        """Whether any engine has anything to do."""
        return bool(self.order)


def decide(
    text: str, file: str, overrides: Iterable[Override], serving: Mapping[Key, bytes], *, node: str | None = None, hostname: str = ""
) -> Decision:
    """From a document's text to a decision. Raises `DocumentRefused` with every fault, `InputRefused` for the node."""
    reading = reader.read(text, file)
    faults = [fault.as_json() for fault in reading.faults]
    if reading.document is None:
        raise DocumentRefused(f"{file} has {len(reading.errors)} fault{'s' if len(reading.errors) != 1 else ''}", faults=faults)
    chosen = nodes.choose(reading.document, node, hostname)
    document = lay(reading.document, overrides)
    wanted = {(name, "route"): route.compile(document, name).bytes for name in document.applications}
    order = tuple(key for key in {**wanted, **serving} if wanted.get(key) != serving.get(key))
    steps = tuple(
        {"text": f"{key[0]}: {'stop' if key not in wanted else 'load' if key in serving else 'start'}", "cuts": 0} for key in order
    )
    return Decision(reading.document, document, chosen, wanted, order, steps, tuple(faults))
