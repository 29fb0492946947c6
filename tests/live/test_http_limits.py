"""Connection limits obey the descriptors that there are; the limit printed is the limit reached (http-12)."""

from __future__ import annotations

import re
import resource
import shutil
import socket

import pytest

from tests.live.conftest import Room, needs, unproven
from tests.live.harness.counts import ASKED, say
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.http.engine import Engine
from tests.live.harness.http.groups import Group
from tests.live.harness.http.shapes import staffed
from tests.live.harness.wait import until


def served(sockets: list[socket.socket]) -> int:
    """How many of these connections were answered."""
    done = 0
    for s in sockets:
        s.setblocking(False)
        try:
            done += s.recv(64).startswith(b"HTTP/1.1 200")
        except BlockingIOError:
            pass
    return done


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "nofile", [1024, pytest.param(20_000, marks=pytest.mark.skipif(not ASKED, reason="10,000 connections: make live"))]
)
def test_http_12_descriptors(room: Room, nofile: int) -> None:
    """It starts; as many connections as granted are served at once, the next one waits and is served when one goes."""
    needs("prlimit")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < nofile:
        unproven(f"this machine allows fewer than {nofile} descriptors")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    site = room.website("a", "b")
    port = room.port()
    text = staffed(port, site.ports()).replace("protocol: http", "protocol: http\n        limits: {connections: 50000}")
    g = room.gurney(text, before=[str(shutil.which("prlimit", path="/usr/bin:/bin")), f"--nofile={nofile}:{nofile}"])
    engine = Engine(g.state)
    plan = g.verb("plan", str(g.file))
    granted = int(engine.info()["Maxconn"])
    printed = {int(x.replace(",", "")) for x in re.findall(r"\b\d[\d,]*\b", plan.stdout + plan.stderr)}
    held: list[socket.socket] = []
    try:
        for _ in range(granted):
            s = socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(f"127.0.3.{1 + len(held) % 200}", 0))
            s.sendall(b"GET /x HTTP/1.1\r\nHost: h.test\r\n\r\n")
            held.append(s)
        got = [0]

        def all_served() -> bool:
            got[0] += served(held) if got[0] < granted else 0
            return got[0] >= granted

        until(all_served, 30, f"{granted} connections are served at once")
        more = socket.create_connection(("127.0.0.1", port), timeout=5)
        more.sendall(b"GET /x HTTP/1.1\r\nHost: h.test\r\n\r\n")
        current = int(engine.info()["CurrConns"])
        held[0].close()
        more.settimeout(20)
        waited = more.recv(64)[:12]
        more.close()
    finally:
        for s in held:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    said = granted in printed
    say("http-12", nofile=nofile, granted=granted, served_at_once=got[0], current=current, next_one=waited.decode(), printed=said)
    assert 0.4 * nofile < granted < nofile / 2
    assert (got[0] >= granted, current <= granted + 1, waited, said) == (True, True, b"HTTP/1.1 200", True), plan.stdout + plan.stderr


@pytest.mark.timeout(300)
def test_http_12_more_members_than_descriptors(room: Room) -> None:
    """A document whose members alone need more descriptors than there are is refused; what runs goes on."""
    needs("prlimit")
    site = room.website("a")
    port = room.port()
    g = room.gurney(staffed(port, site.ports()), before=[str(shutil.which("prlimit", path="/usr/bin:/bin")), "--nofile=1024:1024"])
    engine = Engine(g.state)
    pids = engine.pids()
    load = room.load(Group("g", port, connections=4, close=True, pause=0.01))
    load.runs(20)
    many = [pool(f"p{n}", {f"m{i}": f"127.{3 + n}.0.{1 + i}:80" for i in range(200)}) for n in range(3)]
    rules = [f"{{match: {{path: /{n}/*}}, pool: p{n}}}" for n in range(3)] + ["{pool: servers}"]
    done = g.apply(document(application("web", [service("site", port, rules=rules)], [pool("servers", site.ports()), *many])))
    load.runs(20)
    tally = load.stop()["g"]
    same = (engine.pids() == pids, engine.differences() == [])
    said = done.stderr + done.stdout
    say("http-12", nofile=1024, members=601, exit=done.returncode, errors=tally.failed, same=same == (True, True))
    assert done.returncode in (1, 2) and ("descriptors" in said or "open files" in said), said
    assert (tally.errors, same) == ({}, (True, True))
