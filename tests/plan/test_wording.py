"""What a step of an engine that reloads says: what it changes, why it reloads, whose sessions stay."""

from __future__ import annotations

from dataclasses import replace

from gurney.config.served import Listen
from gurney.plan.order import plan
from gurney.plan.steps import Process, Sessions
from tests.sim.drawn import Drawn, One, processes

KEY = ("web", "haproxy")
SESSIONS: Sessions = {KEY: {"site": 7, "pool/m1": 4, "pool/m2": 3}}


def web(members: dict[str, int] | None = None, *, ports: tuple[int, ...] = (80,), rules: int = 0) -> Process:
    services = {"site": One(tuple(Listen("", port) for port in ports), rules)}
    return processes({"web": Drawn(services, members or {"m1": 100, "m2": 100})})[KEY]


def step(before: Process | None, after: Process | None) -> tuple[str, int]:
    [one] = plan({KEY: before} if before else {}, {KEY: after} if after else {}, SESSIONS).steps
    return one.detail, one.cuts


def test_members_change_while_it_runs() -> None:
    assert step(web(), web({"m1": 1, "m2": 100})) == ("change 1 member of pool while HAProxy runs", 0)
    assert step(web(), web({"m1": 1, "m2": 1, "m3": 100})) == ("change 3 members of pool while HAProxy runs", 0)


def test_a_member_that_goes_keeps_its_sessions() -> None:
    said = "change 1 member of pool while HAProxy runs; 3 sessions of pool/m2 stay until they end"
    assert step(web(), web({"m1": 100})) == (said, 0)


def test_a_reload_says_why_and_who_stays() -> None:
    stay = "; 7 sessions stay with the process of before until they end"
    assert step(web(), web(ports=(80, 81))) == (f"reload HAProxy without a pause: services.site.listen{stay}", 0)
    assert step(web(), web(rules=1))[0].startswith("reload HAProxy without a pause: services.site.rules[0]")
    assert step(web(), web({"m1": 5}, ports=(81,)))[0].startswith("reload HAProxy without a pause: services.site.listen;")
    unknown = replace(web(), application=None, generation=None, listeners=())
    assert step(unknown, web())[0] == f"reload HAProxy without a pause: nobody can tell what it serves{stay}"


def test_equal_shapes_with_other_listeners_are_a_reload() -> None:
    """A listener that was let go is only bound again by a reload."""
    held = replace(web(ports=(80, 81)), listeners=web(ports=(80,)).listeners)
    assert "reload HAProxy" in step(held, web(ports=(80, 81)))[0]


def test_what_the_files_hold_changes_while_it_runs() -> None:
    assert step(web(), replace(web(), generation="other")) == ("take up anew what the files it names hold while HAProxy runs", 0)


def test_starting_and_stopping() -> None:
    assert step(None, web()) == ("start HAProxy listening on *:80", 0)
    assert step(web(), None) == ("stop HAProxy; 7 sessions end within 10 s", 7)
