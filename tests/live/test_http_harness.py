"""The harness of HTTP counts what goes wrong: a load that sees no error where there is one would prove nothing."""

from __future__ import annotations

from tests.live.conftest import Room
from tests.live.harness.http.groups import Group
from tests.ports import free_ports

ERRORS = {
    "normal": {},
    "status": {"status-500"},
    "rst": {"reset"},
    "drop": {"closed"},
    "cut": {"closed"},
    "hang": {"timeout"},
    "deaf": {"timeout"},
    "refuse": {"reset"},
}


def test_harness_every_kind_of_error_is_counted(room: Room) -> None:
    site = room.website(*ERRORS)
    for mode in ERRORS:
        site.set(mode, mode=mode, after=30)
    nobody = Group("nobody", free_ports(1)[0], connections=1, timeout=0.5, most=3)
    groups = [Group(m, site.port(m), connections=1, timeout=0.5, most=3, prefix="/") for m in ERRORS]
    groups += [Group("lost", site.port("normal"), kind="upgrade", connections=2, pause=0.05)]
    load = room.load(*groups, nobody)
    load.runs(5, name="lost")
    site.say(op="cut", name="normal")
    load.runs(5, name="lost")
    tallies = load.stop()
    seen = {m: set(tallies[m].errors) for m in ERRORS}
    assert {m: seen[m] == set(kinds) if kinds else not seen[m] for m, kinds in ERRORS.items()} == dict.fromkeys(ERRORS, True), seen
    assert set(tallies["nobody"].errors) == {"refused"}
    assert tallies["lost"].errors == {"broken": 2}
