"""Bad documents and their exact diagnostics, NAME.yaml and NAME.txt. GOLDEN=write writes them anew, to be read before a commit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gurney.config.codes import CODES, FILES
from gurney.config.reader import read

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ELSEWHERE = {"GRN-S031", *FILES}  # more faults than are listed, files that are not read here: tests/config makes those


def diagnostics(name: str) -> str:
    """What `gurney check NAME.yaml` would print, newline after each fault."""
    reading = read((FOLDER / f"{name}.yaml").read_bytes().decode("utf-8"), f"{name}.yaml")
    assert reading.document is None
    return "".join(f"{fault}\n" for fault in reading.faults)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_document_gets_exactly_these_diagnostics(name: str) -> None:
    said, golden = diagnostics(name), FOLDER / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(said, "utf-8")
    assert said == golden.read_text("utf-8")


def test_every_code_has_a_document_that_shows_it() -> None:
    said = "".join((FOLDER / f"{name}.txt").read_text("utf-8") for name in NAMES)
    assert {code for code in CODES if code not in said} == ELSEWHERE


def test_there_are_enough_of_them_and_none_is_left_over() -> None:
    assert len(NAMES) >= 100
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == NAMES
