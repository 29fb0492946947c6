"""What dies and comes back while HTTP is served: control process, guard, database, HAProxy itself (reliability A5)."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import ASKED, CHAOS, count, say
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.client import get
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.http.engine import Engine
from tests.live.harness.http.groups import Group
from tests.live.harness.http.shapes import staffed
from tests.live.harness.processes import running
from tests.live.harness.wait import listening, until


def guards(g: Gurney) -> list[int]:
    return [pid for pid, argv in running(str(g.state)) if "-m gurney guard " in argv]


@pytest.mark.timeout(600 if ASKED else 300)
def test_reliability_a5_http_control_and_guard_killed(room: Room) -> None:
    """SIGKILL of the control process, of the guard, of both; `gurney up` again: no client sees an error, the same HAProxy processes."""
    site = room.website("a", "b")
    port = room.port()
    g = room.gurney(staffed(port, site.ports()))
    engine = Engine(g.state)
    load = room.load(Group("close", port, connections=24, close=True, pause=0.01), Group("kept", port, connections=24, pause=0.01))
    load.runs(100)
    pids = engine.pids()
    rounds = count(1, 5, asked=2)
    for _ in range(rounds):
        g.control.kill()
        load.runs(100)
        g.up(with_file=False)
        guard = g.guard_pid()
        os.kill(guard, signal.SIGKILL)
        until(lambda guard=guard: guards(g) not in ([], [guard]), 20, "control starts the next guard")  # type: ignore[misc]
        load.runs(100)
        second = g.guard_pid()
        g.control.kill()
        os.kill(second, signal.SIGKILL)
        load.runs(100)
        g.up(with_file=False)
        load.runs(100)
    until(lambda: len(guards(g)) == 1, 10, "one guard")
    tallies = load.stop()
    errors, same = sum(t.failed for t in tallies.values()), engine.pids() == pids
    say("reliability-a5-http", kills=4 * rounds, requests=sum(t.done for t in tallies.values()), errors=errors, same_haproxy=same)
    assert (errors, same, engine.differences()) == (0, True, []), tallies
    a_killed_member_leaves(g, engine, site.ports(), port)


def a_killed_member_leaves(g: Gurney, engine: Engine, ports: dict[str, int], port: int) -> None:
    """What was adopted is still changed: a further apply reaches the same process."""
    pids = engine.pids()
    done = g.apply(staffed(port, {"a": ports["a"]}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (engine.pids(), engine.differences()) == (pids, [])
    assert {get(port).member for _ in range(10)} == {"a"}


@pytest.mark.timeout(400 if ASKED else 300)
def test_reliability_a5_http_control_stopped_and_its_database_gone(room: Room) -> None:
    """SIGSTOP of the control process, 30 s as asked: traffic, checks and ejection go on. Then state.db is deleted: traffic goes on."""
    a, b = room.website("a"), room.website("b")
    port = room.port()
    g = room.gurney(staffed(port, {"a": a.port(), "b": b.port()}))
    engine = Engine(g.state)
    load = room.load(Group("close", port, connections=16, close=True, pause=0.01), Group("kept", port, connections=16, pause=0.01))
    load.runs(100)
    pids = engine.pids()
    g.control.signal(signal.SIGSTOP)
    began = time.monotonic()
    load.runs(200)
    before = load.failed()
    b.set("b", mode="status", only="/check", status=503)
    server = next(k for k, s in engine.runs().items() if s.port == b.port())
    row = lambda: next(s for s in engine.stat() if (s["pxname"], s["svname"]) == server)  # noqa: E731
    until(lambda: row()["status"].startswith("DOWN"), 20, "HAProxy itself takes the member out")
    load.runs(100)
    seen = b.counts("b")["requests"]
    load.runs(100)
    to_the_hurt = b.counts("b")["requests"] - seen
    b.set("b", mode="normal")
    until(lambda: row()["status"].startswith("UP"), 20, "and back")
    if ASKED:
        until(lambda: time.monotonic() - began > 30, 60, "30 s without control")
    load.runs(50)
    g.control.kill()
    for file in g.state.glob("state.db*"):
        file.unlink()
    load.runs(100)
    g.up()  # with the file: nothing is remembered
    load.runs(100)
    tallies = load.stop()
    errors, same = sum(t.failed for t in tallies.values()), engine.pids() == pids
    say(
        "reliability-a5-http",
        stopped_s=f"{time.monotonic() - began:.0f}",
        requests=sum(t.done for t in tallies.values()),
        errors=errors,
        to_the_hurt=to_the_hurt,
        same_haproxy=same,
    )
    assert (before, errors, to_the_hurt, same) == (0, 0, 0, True), tallies


@pytest.mark.timeout(300)
def test_reliability_a5_http_master_killed(room: Room) -> None:
    """SIGKILL of one application's HAProxy master: served again by itself; the other application sees nothing, its processes stay."""
    site = room.website("a", "b")
    ports = {"web": room.port(), "portal": room.port()}
    pools = [pool("servers", site.ports())]
    text = document(*(application(n, [service("site", p)], pools) for n, p in ports.items()))
    g = room.gurney(text)
    web, portal = Engine(g.state, "web"), Engine(g.state, "portal")
    load = room.load(*(Group(n, p, connections=12, close=True, pause=0.01) for n, p in ports.items()))
    load.runs(100)
    others = portal.pids()
    times, kills = [], count(2, 20, asked=4)
    for _ in range(kills):
        dead = web.pids()
        os.kill(web.master_pid(), signal.SIGKILL)
        began = time.monotonic()
        until(lambda dead=dead: listening(ports["web"]) and not web.pids() & dead and web.pids(), 20, "served again")  # type: ignore[misc]
        times.append(time.monotonic() - began)
        load.runs(50, name="web")
        load.runs(50, name="portal")
        codes = {c["code"] for c in g.status()["conditions"]}
    tallies = load.stop()
    same = portal.pids() == others
    say(
        "reliability-a5-http",
        master_kills=kills,
        served_again_s=f"{max(times):.2f}",
        own_errors=tallies["web"].failed,
        other_application_errors=tallies["portal"].failed,
        other_processes_same=same,
        conditions=",".join(sorted(codes)) or "-",
    )
    assert (tallies["portal"].failed, same) == (0, True), tallies["portal"]
    assert tallies["web"].failed > 0, "a killed master that nobody noticed was not the one that served"
    assert codes, "a crash is a condition"
    if CHAOS:
        assert max(times) <= 2 + 10  # the guard's backoff is at most 10 s
