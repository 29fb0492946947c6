"""Entries of map files and lists as HAProxy takes them, and as it tells them."""

from __future__ import annotations

import pytest

from gurney.engines.haproxy import maps
from gurney.engines.haproxy.maps import ACL, MAP
from gurney.errors import InputRefused


def test_entries() -> None:
    text = "# ours\n\n  a.example\t  be_1 \nb c  d\n#x y\n"
    assert maps.entries(text, MAP) == ("a.example be_1", "b c  d")
    assert maps.entries(" 10.0.0.0/8\nx  y \n#z\n", ACL) == ("10.0.0.0/8", "x  y")
    assert maps.entries("", MAP) == ()


def test_a_dump_holds_the_entries_of_its_file() -> None:
    assert maps.dumped("0x6a631c0 k1 v1\n0x7fcd8403d3f0 k9 v9 with space\n\n") == ("k1 v1", "k9 v9 with space")
    assert maps.dumped("\n") == ()


class Unheard:
    """A runtime nobody may speak to."""

    def ask(self, command: object) -> str:
        raise AssertionError("something was said")


@pytest.mark.parametrize("kind, entry", [(MAP, "k" * 16_000 + " v"), (ACL, "é"), (ACL, "x" * 2001)])
def test_what_cannot_be_said_is_refused_before_anything_is(kind: str, entry: str) -> None:
    with pytest.raises(InputRefused):
        maps.replace(Unheard(), "maps/x.map", ("fine v", entry), kind)  # type: ignore[arg-type]


def moved(*differ: tuple[str, str]) -> list[tuple[str, str]]:
    """`("ab", "b")`: a list holds a and b and is to hold b; what each is told, in order."""
    made = {f"maps/{at}.list": (tuple(held), tuple(wanted)) for at, (held, wanted) in enumerate(differ)}
    return [(name[5], "".join(one)) for name, one in maps.order(made, {maps.place(name): ACL for name in made})]


def test_a_value_that_moves_between_lists_is_in_one_of_them_all_the_time() -> None:
    assert moved(("ab", "b"), ("c", "ca")) == [("1", "ca"), ("0", "b")]
    assert moved(("c", "ca"), ("ab", "b")) == [("0", "ca"), ("1", "b")]
    assert moved(("a", "b"), ("b", "a")) == [("0", "ba"), ("1", "ab"), ("0", "b"), ("1", "a")]
    assert moved(("a", "b")) == [("0", "b")], "alone it is one step"


def test_a_map_is_one_step() -> None:
    differ = {"maps/x.map": (("a 1",), ("b 2",)), "maps/y.map": (("b 2",), ("a 1",))}
    known = {maps.place(name): MAP for name in differ}
    assert maps.order(differ, known) == [("maps/x.map", ("b 2",)), ("maps/y.map", ("a 1",))]
