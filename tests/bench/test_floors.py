"""The floors of the DICOM relay and the words on them; the picture that draws them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bench.dicom import floors
from bench.dicom.figures import Cell, Figure, Result
from bench.dicom.memory import Memory
from bench.dicom.modes import MODES
from bench.dicom.picture import picture

CELL = Cell(512 << 10, 4, 100)
SVG = "{http://www.w3.org/2000/svg}"


def result(cell: Cell = CELL, **rates: float) -> Result:
    """Three equal rounds."""
    names = {name.replace("_", "-"): rate for name, rate in rates.items()}
    return Result(cell, [{name: Figure(rate, rate, 0.5) for name, rate in names.items()} for _ in range(3)])


@pytest.mark.parametrize(
    ("ratio", "word"),
    [(0.89, "NOT met (at least 0.9)"), (0.9, "met (at least 0.9)"), (1.0, "met (at least 0.9), goal 1 too"), (None, "void")],
)
def test_words_on_a_floor(ratio: float | None, word: str) -> None:
    assert floors.Floor("gurney", "haproxy-tuned", 0.9, 1.0).word(ratio) == word


def test_what_has_no_floor_is_published() -> None:
    assert floors.Floor("gurney", "orthanc", None).word(3.0) == "published"
    assert floors.Floor("gurney", "haproxy-tuned", None, 0.9).word(0.8) == "published, goal 0.9 not met"


def test_the_floors_of_issue_5() -> None:
    asked = {
        (v.what, v.floor.least, v.floor.goal)
        for v in floors.verdicts([result(direct=99, haproxy=5, haproxy_tuned=9, gurney=9, pynetdicom=1)])
    }
    assert ("gurney ÷ haproxy-tuned", 0.9, 1.0) in asked
    assert ("gurney ÷ haproxy", 1.8, 2.0) in asked
    assert ("gurney ÷ pynetdicom", 10.0, None) in asked
    pair = floors.verdicts([result(Cell(512 << 10, 1, 9, sender="storescu"), direct=22, haproxy=22, gurney=439)])
    assert [(v.floor.least, v.word) for v in pair] == [(20.0, "NOT met (at least 20)"), (None, "published")]


def test_a_slow_generator_voids_its_cell() -> None:
    slow = result(direct=11.9, haproxy=5, haproxy_tuned=10, gurney=9)
    assert "only 1.19 times haproxy-tuned" in floors.weak(slow)
    assert {v.word for v in floors.verdicts([slow])} == {"void"}
    assert floors.weak(result(direct=12, haproxy=5, haproxy_tuned=10, gurney=9)) == ""
    assert floors.weak(result(Cell(8192, 4, 9), direct=10, haproxy_tuned=10, gurney=9)) == ""


def test_memory_and_heads() -> None:
    assert ["NOT met" in line for line in floors.memory_words(Memory(0, 32 * 1024, 2 * 1024 * 1024 + 1))] == [False, True]
    assert "10.0 %" in floors.head_words(10, 100) and "NOT" not in floors.head_words(10, 100)
    assert "NOT met" in floors.head_words(11, 100)


def test_the_picture_draws_every_ratio_with_its_floor() -> None:
    shown = floors.verdicts([result(direct=99, haproxy=5, haproxy_tuned=10, gurney=9, orthanc=0.1)])
    tree = ElementTree.fromstring(picture(shown, "a < b & c", "below"))
    texts = [t.text for t in tree.iter(f"{SVG}text")]
    assert "a < b & c" in texts and "below" in texts
    assert [t for t in texts if t in ("0.90", "1.80", "90.00")] == ["0.90", "1.80", "90.00"]
    assert len(list(tree.iter(f"{SVG}circle"))) == 9
    lines = [p for p in tree.iter(f"{SVG}path") if p.get("stroke-width") == "2"]
    assert len(lines) == 2 + 4  # the legend's two; floor and goal of both HAProxies


def test_the_gate_measures_every_floor_it_can() -> None:
    gate = {
        (p.cell.size, p.cell.associations, p.cell.maximum, p.cell.sender): p for p in MODES["dicom"].parts if "direct-tls" not in p.names
    }
    main = gate[512 << 10, 4, 16384, ""]
    assert main.rounds == 9 and {"direct", "haproxy", "haproxy-tuned", "gurney", "pynetdicom"} <= set(main.names)
    full = {(p.cell.size >> 10, p.cell.associations, p.cell.maximum >> 10) for p in MODES["dicom-full"].parts if not p.cell.sender}
    assert {(s, n, m) for s in (8, 512, 32768) for n in (1, 4, 16, 64) for m in (16, 128)} <= full
