"""The demo's screen stays within 80 columns and 24 lines, whatever is wrong, and shows what matters."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from gurney.demo.hospital import Hospital
from gurney.demo.screen import KEYS, LINES, Screen


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    """A hospital in which nothing runs yet."""
    one = Hospital()
    yield one
    one.close()


def member(word: str) -> dict[str, Any]:
    return {"operational": word, "override": "drain", "associations": 8, "why": "connection refused (dicom-echo 1000 ms)" * 2}


def status(conditions: int) -> dict[str, Any]:
    """A status with all members the demo can have and many conditions."""
    pacs = {"archive": {"archive-1": member("up"), "archive-2": member("down")}, "breast": {"breast-1": member("full")}}
    portal = {"portal": {f"portal-{n}": member("up") for n in (1, 2, 3)}, "downloads": {f"127.0.0.1:2110{n}": member("up") for n in (6, 7)}}
    pools = {
        name: {"pools": {pool: {"members": members} for pool, members in app.items()}} for name, app in (("pacs", pacs), ("portal", portal))
    }
    found = [{"code": "MemberDown", "object": "pacs/archive/archive-2", "reason": "connection refused " * 5} for _ in range(conditions)]
    return {"applications": pools, "conditions": found}


def shown(screen: Screen, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(screen.picture(height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("conditions", [0, 1, 9])
def test_the_screen_fits_80_by_24(hospital: Hospital, conditions: int) -> None:
    screen = Screen(hospital)
    screen.status = status(conditions)
    screen.news = ["12:00:00 " + "news " * 40] * 3
    lines = shown(screen, 80, LINES)
    text = "\n".join(lines)
    assert len(lines) <= LINES - 1 and max(map(len, lines)) <= 80
    assert all(f"portal-{n}" in text for n in (1, 2, 3)) and "archive-2" in text and "breast-1" in text
    assert all(any(f"{key} {what[:12]}" in " ".join(line.split()) for line in lines) for key, what in KEYS)
    assert ("MemberDown" in text or "conditions" in text) == (conditions > 0)
    assert str(hospital.gurney.state) in text


def test_a_higher_terminal_shows_every_condition(hospital: Hospital) -> None:
    screen = Screen(hospital)
    screen.status = status(9)
    assert "\n".join(shown(screen, 140, 60)).count("MemberDown") == 9


def test_without_a_control_process_it_says_so(hospital: Hospital) -> None:
    assert "no control process answers" in "\n".join(shown(Screen(hospital), 80, LINES))
