"""YAML text into nodes: every scalar as text with its place, everything else refused, characters checked as they are stored."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.config.faults import Faults
from gurney.config.tree import Entries, Items, Node, Scalar, grow
from tests.config.documents import legal


def grown(text: str) -> tuple[Node | None, list[str]]:
    """The root and the codes of what was wrong."""
    faults = Faults("gurney.yaml")
    root = grow(text, faults)
    return root, [fault.code for fault in faults.listed()]


def test_every_scalar_is_text_with_its_place() -> None:
    root, codes = grown("a: NO\nb: [22:30, '1', \"x\\u0041\"]\n")
    assert codes == []
    assert root == Entries(
        (
            (Scalar("a", (1, 1)), Scalar("NO", (1, 4))),
            (Scalar("b", (2, 1)), Items((Scalar("22:30", (2, 5)), Scalar("1", (2, 12)), Scalar("xA", (2, 17))), (2, 4))),
        ),
        (1, 1),
    )


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_an_editor_counts_them(break_: str) -> None:
    text = break_.join(["\ufeffa: 1", "# \u202e", "b: \x85", "c: ~"])
    faults = Faults("gurney.yaml")
    grow(text, faults)
    assert [(fault.line, fault.column, fault.code) for fault in faults.listed()] == [
        (2, 3, "GRN-S002"),
        (3, 4, "GRN-S002"),
        (4, 4, "GRN-S007"),
    ]


@pytest.mark.parametrize(
    "letter", [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0x2066, 0xFEFF, 0xD800)]
)
def test_a_forbidden_character_is_refused_raw_and_escaped(letter: str) -> None:
    if letter not in "\t\n\r":
        assert "GRN-S002" in grown(f"a: 'x{letter}y'\n")[1]
    if letter != "\ud800":
        assert grown(f"a: {json.dumps('x' + letter + 'y')}\n")[1] == ["GRN-S002"]


def test_a_scalar_over_several_lines_is_one_line_or_refused() -> None:
    assert grown("a: 'x\n  y'\n")[0] == Entries(((Scalar("a", (1, 1)), Scalar("x y", (1, 4))),), (1, 1))
    assert grown("a: |\n  x\n  y\n")[1] == ["GRN-S002"]
    assert grown("a: |-\n  x\n")[1] == []


def test_the_composed_form_is_asked_for_and_never_made() -> None:
    assert grown("a: caf\u00e9\n")[1] == []
    assert grown("a: cafe\u0301\n")[1] == ["GRN-S003"]


@pytest.mark.parametrize("null", ["", "~", "null", "Null", "NULL"])
def test_there_is_no_null(null: str) -> None:
    assert grown(f"a: {null}\n")[1] == ["GRN-S007"]
    assert grown(f"a: [{null or '~'}]\n")[1] == ["GRN-S007"]
    assert grown(f"a: '{null}'\n")[1] == []


@pytest.mark.parametrize("name", sorted(legal()))
def test_every_place_of_a_scalar_is_where_it_stands(name: str) -> None:
    text = legal()[name]
    lines = text.splitlines()

    def look(node: Node) -> None:
        if isinstance(node, Scalar):
            line, column = node.at
            written = lines[line - 1][column - 1 :]
            if written.startswith('"') and "\\" in written:
                written = written.replace('\\"', '"').replace("\\\\", "\\")
            assert written.lstrip("\"'").startswith(node.text.lstrip("\"'"))
        elif isinstance(node, Items):
            for item in node.items:
                look(item)
        else:
            for key, value in node.pairs:
                look(key)
                look(value)

    root, codes = grown(text)
    assert root is not None and codes == []
    look(root)


@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    root, codes = grown(text)
    assert root is not None or codes


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_quoted_text_comes_out_as_it_is_or_not_at_all(text: str) -> None:
    root, codes = grown(f"a: {json.dumps(text, ensure_ascii=False)}\n")
    assert isinstance(root, Entries)
    value = root.pairs[0][1]
    assert isinstance(value, Scalar)
    assert value.sound == (codes == [])
    assert value.text == (text if value.sound else "")
