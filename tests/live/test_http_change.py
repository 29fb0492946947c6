"""Changes of what HAProxy carries, under load: reloads lose nothing, members change without a new process (reliability A1, A2; http-15)."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.conftest import Room
from tests.live.harness.account import tally
from tests.live.harness.counts import ASKED, CHAOS, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.http.engine import Engine
from tests.live.harness.http.groups import Group
from tests.live.harness.http.shapes import shaped, staffed, weighed
from tests.live.harness.load import Load as DicomLoad
from tests.live.harness.wait import Late, until


def applied(g: Gurney, text: str) -> str:
    """Applies, and what `apply` said."""
    done = g.apply(text)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def each_second(times: int) -> Iterator[int]:
    """0, 1, 2 …, a second apart (less at small counts) or as soon after as the one before has ended."""
    began, apart = time.monotonic(), 1.0 if ASKED else 0.3
    for i in range(times):
        until(lambda i=i: time.monotonic() - began >= i * apart, 60, "the next second")  # type: ignore[misc]
        yield i


@pytest.mark.timeout(7200 if CHAOS else 400)
def test_reliability_a1_reload_under_load_loses_no_connection(room: Room) -> None:
    """64 connections with `Connection: close` and 16 that are kept, at most one reload a second, each a real change of rules."""
    site = room.website("a", "b")
    port = room.port()
    g = room.gurney(shaped(0, port, site.ports()))
    engine = Engine(g.state)
    load = room.load(Group("close", port, connections=64, close=True), Group("kept", port, connections=16, pause=0.01))
    load.runs(200)
    master, worker = engine.master_pid(), engine.workers()[0]
    workers = {worker}
    reloads = count(4, 60, asked=30)
    for i in each_second(reloads):
        applied(g, shaped(i + 1, port, site.ports()))
        workers.add(engine.workers()[0])
        load.runs(20)
    tallies = load.stop()
    requests = sum(t.done for t in tallies.values())
    errors = {n: t.errors for n, t in tallies.items() if t.errors}
    same = engine.master_pid() == master
    say("reliability-a1", reloads=len(workers) - 1, requests=requests, errors=sum(t.failed for t in tallies.values()), same_master=same)
    assert (errors, same, len(workers)) == ({}, True, reloads + 1), tallies
    assert requests > 100 * reloads


@pytest.mark.timeout(3600 if CHAOS else 400)
def test_reliability_a2_reload_breaks_no_session(room: Room) -> None:
    """50 upgraded connections and 50 TCP sessions, busy all the time over changes of every kind: none breaks."""
    site, line = room.website("a", "b"), room.website("t", "u", kind="tcp")
    port, listen = room.port(), room.port()
    g = room.gurney(shaped(0, port, site.ports(), lines={listen: line.ports()}))
    engine = Engine(g.state)
    load = room.load(
        Group("upgraded", port, kind="upgrade", connections=50, pause=0.1),
        Group("lines", listen, kind="lines", connections=50, pause=0.1),
        Group("requests", port, connections=4, close=True, pause=0.01),
    )
    load.runs(200)
    first = {n: load.now[n].opened for n in ("upgraded", "lines")}
    changes = count(5, 100, asked=25)
    for i in each_second(changes):
        applied(g, shaped(i + 1, port, site.ports(), lines={listen: line.ports()}))
        load.runs(20, name="upgraded")
    _, old = engine.workers()
    tallies = load.stop()
    opened = {n: tallies[n].opened for n in first}
    broken = sum(tallies[n].failed for n in first)
    errors = {n: t.errors for n, t in tallies.items() if t.errors}
    messages = sum(tallies[n].done for n in first)
    say("reliability-a2", changes=changes, sessions=sum(first.values()), broken=broken, messages=messages, old_workers=len(old))
    assert (errors, opened, first) == ({}, first, {"upgraded": 50, "lines": 50})
    assert old, "the sessions stayed with the worker they began with"


class Roster:
    """A pool that is changed step by step: add, remove, weight, drain, enable; `members` is the document's."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports
        self.members: dict[str, int] = dict.fromkeys(("a", "b", "c"), 100)
        self.drained: set[str] = set()
        self.random = random.Random(15)

    def step(self, i: int) -> tuple[str, str]:
        """(kind, member): what is done next; document and drained members are already as they are to be."""
        kind = ("weight", "add", "drain", "weight", "enable", "remove")[i % 6]
        spare = sorted(self.ports.keys() - self.members.keys())
        if kind == "add":
            name = spare[0]
            self.members[name] = 100
        elif kind == "remove":
            name = sorted(self.members)[-1]
            del self.members[name]
            self.drained.discard(name)
        elif kind == "drain":
            name = "b"
            self.drained.add(name)
        elif kind == "enable":
            name = "b"
            self.drained.discard(name)
        else:
            name = self.random.choice(["a", "c"])
            self.members[name] = self.random.choice([w for w in (1, 7, 50, 100, 200, 256) if w != self.members[name]])
        return kind, name

    def document(self, port: int) -> str:
        return staffed(port, {n: weighed(self.ports[n], w) for n, w in self.members.items()})


@pytest.mark.timeout(3600 if CHAOS else 300)
def test_http_15_member_changes_need_no_process(room: Room) -> None:
    """Members added, removed, weighted, drained, enabled under load: no new HAProxy process, no error, the file equals the process."""
    site = room.website("a", "b", "c", "d", "e")
    port = room.port()
    roster = Roster(site.ports())
    g = room.gurney(roster.document(port))
    engine = Engine(g.state)
    assert engine.differences() == []
    load = room.load(Group("close", port, connections=16, close=True, pause=0.005), Group("kept", port, connections=16, pause=0.005))
    load.runs(100)
    pids = engine.pids()
    unequal: list[str] = []
    reloads: list[str] = []
    said = ""
    processes: set[int] = set()
    changes = count(12, 300, asked=100)
    to_drained = 0
    for i in range(changes):
        kind, name = roster.step(i)
        if kind in ("drain", "enable"):
            done = g.verb(kind, f"web/servers/{name}")
            assert done.returncode == 0, done.stdout + done.stderr
        else:
            said = applied(g, roster.document(port))
        if engine.pids() != pids:
            reloads.append(f"{i} {kind} {name}: {said}")
        if kind == "drain":
            before = site.counts(name)["requests"]
            load.runs(100)
            to_drained += site.counts(name)["requests"] - before
        processes |= engine.pids() - pids
        unequal += [f"after {i} {kind} {name}: {d}" for d in settled(engine, kind == "remove")]
        load.runs(5)
    tallies = load.stop()
    errors = sum(t.failed for t in tallies.values())
    members = g.status()["applications"]["web"]["pools"]["servers"]["members"]
    figures = {"new_processes": len(processes), "errors": errors, "file_unequal": len(unequal), "to_drained": to_drained}
    say("http-15", member_changes=changes, requests=sum(t.done for t in tallies.values()), **figures)
    assert figures == {"new_processes": 0, "errors": 0, "file_unequal": 0, "to_drained": 0}, (reloads[:2], unequal[:3], tallies)
    assert set(members) == set(roster.members)


def settled(engine: Engine, removed: bool) -> list[str]:
    """What differs between file and process. A removed server is in maintenance until its last connection is gone, then it is deleted."""
    if removed:
        try:
            until(lambda: not engine.differences(), 20, "the removed server is deleted", every=0.2)
        except Late:
            pass
    return engine.differences()


def both(i: int, ports: dict[str, int], web: dict[str, int], archives: dict[str, int]) -> str:
    """The i-th document of an application of each kind, the two by turns changed in what they serve, by whom and how."""
    kind = i % 5
    members: dict[str, Any] = {n: web[n] for n in ("a", "b")}
    rules = ["{pool: servers}"]
    services = []
    if kind == 0:
        members["a"] = weighed(web["a"], 20 + i)
    if kind == 1:
        rules.insert(0, f"{{name: n{i}, match: {{path: /x{i}/*, method: [PUT, POST]}}, pool: servers}}")
    if kind == 2:
        members["c"] = web["c"]
    if kind == 3:
        services.append(service("spare", ports["spare"], rules=["{pool: servers}"]))
    limit = f"{{idle: {50 + i}s}}" if kind == 4 else "{idle: 60s}"
    services.insert(0, service("site", ports["web"], rules=rules, limits=limit))
    head = document(application("web", services, [pool("servers", members)]))
    limits = f"limits: {{associations: {200 + i}}}" if i % 2 else ""
    dicom = pacs(ports["dicom"], {"archive": {n: at(p) for n, p in archives.items()}}, service=limits)
    return head + dicom.split("applications:\n", 1)[1]


@pytest.mark.timeout(3600 if CHAOS else 400)
def test_http_15_applies_under_http_and_dicom_load(room: Room) -> None:
    """25 applies with real changes to both applications under both loads: no request fails, no association breaks."""
    site = room.website("a", "b", "c")
    archives = {n: room.archive(n) for n in ("x", "y")}
    ports = {"web": room.port(), "dicom": room.port(), "spare": room.port()}
    found = {n: a.port for n, a in archives.items()}
    g = room.gurney(both(0, ports, site.ports(), found))
    load = room.load(
        Group("close", ports["web"], connections=24, close=True, pause=0.01), Group("kept", ports["web"], connections=24, pause=0.01)
    )
    dicom = DicomLoad(ports["dicom"], 3, per_study=10)
    load.runs(100)
    until(lambda: len(dicom.acked) > 10, 20, "both loads run")
    applies, failed = count(5, 75, asked=25), []
    for i in range(1, applies + 1):
        done = g.apply(both(i, ports, site.ports(), found))
        failed += [] if done.returncode == 0 else [done.stdout + done.stderr]
        load.runs(10)
    tallies = load.stop()
    dicom.stop()
    counts = tally(dicom.things, dicom.acked, list(archives.values()))
    figures = {
        "applies_failed": len(failed),
        "requests_failed": sum(t.failed for t in tallies.values()),
        "associations_broken": len(dicom.broken) + len(dicom.refused_connections),
        "objects_lost": counts["lost"],
    }
    requests = sum(t.done for t in tallies.values())
    say("http-15", applies=applies, requests=requests, objects=counts["acked"], **figures)
    assert not failed, failed[0]
    assert set(figures.values()) == {0}, (tallies, dicom.broken[:3])
    assert requests > 100 and counts["acked"] > 10 and (ASKED or applies >= 5)
