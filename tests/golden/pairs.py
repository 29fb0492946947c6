"""The one place for reading golden documents: NAME.yaml under a folder, with the overrides that belong to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from gurney.config.document import Document
from gurney.config.materials import wanted
from gurney.config.overrides import Override, lay
from gurney.config.proxied import Material
from gurney.config.reader import read

ROUTE = Path(__file__).parent / "route"
OVERRIDES: Mapping[str, Mapping[str, str]] = {
    "overridden": {"pacs/archive/drained": "drain", "pacs/archive/disabled": "disable", "pacs/archive/lighter": "weight=7"}
}


def document(name: str) -> Document:
    """tests/golden/route/NAME.yaml as the compiler gets it."""
    reading = read((ROUTE / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml")
    assert reading.document is not None, reading.faults
    return lay(reading.document, [Override(at, word, None, None, "test", 0.0) for at, word in OVERRIDES.get(name, {}).items()])


def materials(made: Document) -> Mapping[str, Material]:
    """The files a document names, as they would have been read; a digest is made from the name, so that the golden stays the same."""
    return {one.name: Material(one.kind, hashlib.sha256(one.name.encode()).hexdigest()) for one in wanted(made)}
