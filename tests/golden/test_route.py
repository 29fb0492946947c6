"""Documents and the exact route tables they compile to. GOLDEN=write writes them anew, to be read before they are committed."""

from __future__ import annotations

import os

import pytest

from gurney.balance import table
from gurney.compile import route
from tests.golden.pairs import ROUTE, document, materials


@pytest.mark.parametrize("name", sorted(path.stem for path in ROUTE.glob("*.yaml")))
def test_a_document_compiles_to_its_golden_table(name: str) -> None:
    found = document(name)
    made = route.compile(found, "pacs", materials(found))
    golden = ROUTE / f"{name}.json"
    if os.environ.get("GOLDEN") == "write":
        golden.write_bytes(made.bytes)
    assert made.bytes == golden.read_bytes()
    assert made.generation == table.generation(made.bytes)
    assert table.dump(table.load(made.bytes)) == made.bytes
