"""Seeded mutators over the captures: each parser, the whole core in both roles; what was found stays found; a planted fault is found."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from gurney.wire.dicom import command, head, items, negotiate, pdv
from tests.wire.fuzz import campaign
from tests.wire.fuzz.campaign import Found
from tests.wire.fuzz.targets import TARGETS

COUNTS = os.environ.get("GURNEY_COUNTS", "")
INPUTS = {"quick": 1_500, "chaos": 1_000_000}.get(COUNTS, 50_000)  # a parser; the core's are shared out among its two roles
FOUND = sorted((Path(__file__).parent / "fuzz" / "found").glob("*.bin"))


def inputs(target: str) -> int:
    """How many inputs a target is given."""
    return INPUTS // 2 if target in ("accepting", "dialling") else INPUTS


@pytest.mark.timeout(3600 if COUNTS == "chaos" else 300)
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_damaged_captures(target: str) -> None:
    run = campaign.run(target, inputs(target))
    print(run.line())
    assert run.inputs == inputs(target) and run.slow == 0 and run.grown < campaign.GROWTH
    assert target != "head" or run.words["compared"] > inputs(target) // 40
    assert COUNTS == "quick" or set(run.words) >= TARGETS[target].seen, TARGETS[target].seen - set(run.words)


def test_what_was_found_stays_found() -> None:
    for path in FOUND:
        campaign.one(path.stem.partition("-")[0], path.read_bytes())
    print(f"fuzz-found kept={len(FOUND)} crashes=0 undeclared=0")


def last_of_uid(raw: bytes, *_: object) -> object:
    """A UID taken to have a last byte."""
    return raw[-1]


def header_byte(_: object, buf: Sequence[int], pos: int, *__: object) -> object:
    """A PDV header taken to be there."""
    return buf[pos + 11]


def group_end(data: bytes, start: int) -> object:
    """A group length taken to be right."""
    return data[start + 3 + int.from_bytes(data[start : start + 4], "little")]


def first_of_value(_: object, tag: int, value: bytes) -> object:
    """A wanted value taken not to be empty."""
    return value[0]


def first_transfer(transfers: Iterable[str], _: object) -> object:
    """A context taken to have a transfer syntax."""
    return list(transfers)[0]  # noqa: RUF015


PLANTED: dict[str, tuple[object, str, Callable[..., object]]] = {
    "pdu": (items, "uid", last_of_uid),
    "pdv": (pdv.Inbound, "_open", header_byte),
    "command": (command, "_check_group_length", group_end),
    "head": (head.Head, "_keep", first_of_value),
    "negotiate": (negotiate, "_ordered", first_transfer),
    "accepting": (items, "uid", last_of_uid),
    "dialling": (pdv.Inbound, "_open", header_byte),
}
"""The controls of reliability.md H4: where a bare index stands in each parser."""


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_an_index_error_planted_in_a_parser_is_found(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, bare = PLANTED[target]
    whole = getattr(owner, name)

    def planted(*given: object) -> object:
        bare(*given)
        return whole(*given)

    monkeypatch.setattr(owner, name, planted)
    with pytest.raises(Found, match="undeclared exception IndexError") as found:
        campaign.run(target, 20_000)
    print(f"fuzz-control-{target} found=1 at_input={str(found.value).split(' keep')[0].split()[-1]}")
