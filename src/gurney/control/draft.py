"""The one place for a document that was read: its text, what it says, and what the files it names hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gurney.config import reader
from gurney.config.document import Document
from gurney.config.faults import Fault, Reading
from gurney.config.materials import with_troubles
from gurney.config.proxied import Material
from gurney.control.certificates import gather
from gurney.errors import DocumentRefused


@dataclass(frozen=True, slots=True)
class Draft:
    """A document without a fault that refuses it: what was written, and what was read.

    `files` are what the files it names hold, by name as written. `faults` are the warnings about the document and about those.
    """

    text: str
    file: str
    reading: Reading
    document: Document
    faults: tuple[Fault, ...]
    files: Mapping[str, Material] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[Mapping[str, Any], ...]:
        """The faults, JSON-ready."""
        return tuple(fault.as_json() for fault in self.faults)

    def place(self, path: str) -> str | None:
        """`FILE:LINE:COLUMN` of the nearest node at or above a document path; None where the document has none."""
        at = path
        while at:
            if at in self.reading.marks:
                line, column = self.reading.marks[at]
                return f"{self.file}:{line}:{column}"
            at = at[: max(at.rfind("."), at.rfind("["), 0)]
        return None


def read(text: str, file: str) -> Draft:
    """A document's text. Raises `DocumentRefused` with every fault."""
    reading = reader.read(text, file)
    return Draft(text, file, reading, _sound(reading, file), reading.faults)


def with_files(draft: Draft, folder: Path | None, now: float) -> Draft:
    """The same with what the files it names hold, read from `folder`. Raises `DocumentRefused` with everything that is wrong with them."""
    gathered = gather(draft.document, folder, now)
    reading = with_troubles(draft.reading, gathered.troubles, draft.file)
    _sound(reading, draft.file)
    return replace(draft, faults=reading.faults, files=gathered.materials)


def _sound(reading: Reading, file: str) -> Document:
    if reading.document is None:
        count = len(reading.errors)
        faults = [fault.as_json() for fault in reading.faults]
        raise DocumentRefused(f"{file} has {count} fault{'s' if count != 1 else ''}", faults=faults)
    return reading.document
