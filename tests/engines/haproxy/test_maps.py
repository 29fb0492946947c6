"""Entries of map files and lists as HAProxy takes them, and as it tells them."""

from __future__ import annotations

import pytest

from gurney.engines.haproxy import maps
from gurney.engines.haproxy.maps import ACL, MAP
from gurney.errors import EngineRefused


def test_entries() -> None:
    text = "# ours\n\n  a.example\t  be_1 \nb c  d\n#x y\n"
    assert maps.entries(text, MAP) == ("a.example be_1", "b c  d")
    assert maps.entries(" 10.0.0.0/8\nx  y \n#z\n", ACL) == ("10.0.0.0/8", "x  y")
    assert maps.entries("", MAP) == ()


def test_a_dump_holds_the_entries_of_its_file() -> None:
    assert maps.dumped("0x6a631c0 k1 v1\n0x7fcd8403d3f0 k9 v9 with space\n\n") == ("k1 v1", "k9 v9 with space")
    assert maps.dumped("\n") == ()


def test_what_can_be_said_at_run_time() -> None:
    assert maps.changeable("".join(f"/p{n} v{n}\n" for n in range(5000)), MAP)
    assert not maps.changeable(f"{'k' * 16_000} v\n", MAP)
    assert maps.changeable("a b;c\n", ACL) and not maps.changeable("é\n", ACL)


def test_an_entry_too_long_is_refused() -> None:
    with pytest.raises(EngineRefused):
        list(maps._parts(["k" * 16_000]))
