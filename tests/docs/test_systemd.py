"""The units in packaging/ are what systemd takes, within the exposure that is allowed, and what the guide says of them is so."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.docs.pages import TOP, pages
from tools.reference import units

GUIDE = "docs/guides/systemd.md"


@pytest.fixture
def program() -> Path:
    found = units.analyze()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("not proven: systemd-analyze is not installed")
        pytest.skip("not proven: C4, the units (systemd-analyze is not installed)")
    return found


def settings(unit: str) -> dict[str, list[str]]:
    """Name -> its values, of all sections together."""
    found: dict[str, list[str]] = {}
    for line in (TOP / units.FOLDER / unit).read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", units.UNITS)
def test_reliability_c4_systemd_takes_the_unit_and_finds_it_shut(unit: str, program: Path) -> None:
    assert units.complaints(program, unit) == ""
    figure = units.exposure(units.security(program, unit))
    print(f"reliability-c4 {unit} exposure={figure}")
    assert figure <= units.MOST


def test_a_unit_that_gains_privileges_or_is_no_unit_is_found(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken control of C4: what the test above measures moves with the unit."""
    for unit in units.UNITS:
        text = (TOP / units.FOLDER / unit).read_text(encoding="utf-8")
        kept = [
            line for line in text.splitlines() if not re.match("NoNewPrivileges|Restrict|SystemCall|User|Group|Protect|Private|Cap", line)
        ]
        (tmp_path / unit).write_text("\n".join([*kept, "ProtectEverything=yes"]) + "\n")
    monkeypatch.setattr(units, "FOLDER", tmp_path)
    for unit in units.UNITS:
        assert units.exposure(units.security(program, unit)) > units.MOST
        assert "ProtectEverything" in units.complaints(program, unit)


def test_the_guide_shows_what_systemd_says(program: Path) -> None:
    shown = units.part(pages()[GUIDE])
    recorded = re.search(r"^systemd (\d+)\b", shown, re.MULTILINE)
    assert recorded is not None, "run `make docs` where systemd-analyze is installed"
    if recorded[1] != units.version(program).split(".")[0]:
        pytest.skip(f"not proven: the guide's tables (of systemd {recorded[1]}, here is {units.version(program)})")
    assert shown == units.shown(program), "run `make docs`"


def test_what_the_guide_leans_on_stands_in_the_units() -> None:
    guard, control = (settings(unit) for unit in units.UNITS)
    assert guard["KillMode"] == ["process"] and guard["Restart"] == ["always"] and int(guard["FileDescriptorStoreMax"][0]) > 0
    assert guard["AmbientCapabilities"] == guard["CapabilityBoundingSet"] == ["CAP_NET_BIND_SERVICE"]
    assert control["AmbientCapabilities"] == control["CapabilityBoundingSet"] == [""] and "Requires" not in control
    assert control["Wants"] == control["After"] == ["gurney-guard.service"] and " up --first --guard wait " in control["ExecStart"][0]
    assert control["Restart"] == ["on-failure"], "after `gurney down` nothing starts again by itself"
    for one in (guard, control):
        assert one["NoNewPrivileges"] == ["yes"] and one["User"] == one["Group"] == ["gurney"]
        assert one["LimitNOFILE"] == ["65536"] and "--state /var/lib/gurney" in one["ExecStart"][0]


def test_what_the_units_type_is_what_gurney_takes() -> None:
    """Their ExecStart lines, without the program, through Gurney's own reader of command lines."""
    from typer.main import get_command

    from gurney.cli.main import command

    for unit in units.UNITS:
        words = settings(unit)["ExecStart"][0].split()
        assert words[0] == "/opt/gurney/.venv/bin/gurney"
        verbs = getattr(get_command(command(words[1:])), "commands", {})
        known = {spelling for item in verbs[words[1]].params for spelling in item.opts}
        assert {word for word in words if word.startswith("--")} <= known
