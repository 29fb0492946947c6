"""What outlives a reload, a crash and a restart: tables, health, overrides, the sessions of old workers (http-15)."""

from __future__ import annotations

import collections
import os
import signal
import subprocess
import sys

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import count, say
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.client import Client, get
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.http.engine import Engine
from tests.live.harness.http.groups import Group
from tests.live.harness.http.shapes import shaped
from tests.live.harness.processes import environment
from tests.live.harness.wait import until

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: h.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def changed(i: int, port: int, members: dict[str, int], **keys: str) -> str:
    """The i-th document that needs a reload, of one pool with these keys."""
    return document(application("web", [service("site", port, limits=f"{{idle: {60 + i}s}}")], [pool("servers", members, **keys)]))


def word(g: Gurney, member: str, which: str = "operational") -> str:
    return str(g.status()["applications"]["web"]["pools"]["servers"]["members"][member][which])


@pytest.mark.timeout(300)
def test_http_15_tables_and_health_are_kept_over_reloads(room: Room) -> None:
    """Clients kept by source stay with their member over reloads; a member that is down is never tried again because of one."""
    sites = {n: room.website(n) for n in "abcd"}
    port = room.port()
    members = {n: s.port(n) for n, s in sites.items()}
    keys = {"persist": "source", "balance": "round-robin", "slow_start": "0s", "panic": "0%"}
    g = room.gurney(changed(0, port, members, **keys))
    engine = Engine(g.state)
    clients = [f"127.2.0.{i + 1}" for i in range(40)]
    homes = {c: get(port, source=c).member for c in clients}
    sites["d"].set("d", mode="status", only="/check", status=503)  # down by its check, and it would answer
    until(lambda: word(g, "d") == "down", 20, "d is down")
    homes |= {c: get(port, source=c).member for c, m in homes.items() if m == "d"}
    before = sites["d"].counts("d")["requests"]
    load = room.load(Group("g", port, connections=8, close=True, pause=0.005))
    load.runs(20)
    reloads, workers = count(3, 60, asked=10), {engine.workers()[0]}
    moved = 0
    for i in range(reloads):
        done = g.apply(changed(i + 1, port, members, **keys))
        assert done.returncode == 0, done.stdout + done.stderr
        workers.add(engine.workers()[0])
        moved += sum(get(port, source=c).member != m for c, m in homes.items())
        load.runs(20)
    tally = load.stop()["g"]
    to_the_down = sites["d"].counts("d")["requests"] - before
    figures = {"moved": moved, "to_a_member_down": to_the_down, "errors": tally.failed}
    say("http-15", reloads=len(workers) - 1, clients=len(clients), **figures)
    assert figures == {"moved": 0, "to_a_member_down": 0, "errors": 0}, tally
    assert len(workers) == reloads + 1 and word(g, "d") == "down"


@pytest.mark.timeout(300)
def test_http_15_overrides_survive(room: Room) -> None:
    """A drained member gets nothing after an apply, a reload, a crash of HAProxy, of everything, a restart; `--for` ends it."""
    site, spare = room.website("a", "b"), room.website("c", mode="hang")
    port = room.port()
    g = room.gurney(changed(0, port, site.ports()))
    engine = Engine(g.state)
    assert g.verb("drain", "web/servers/a", "--why", "kernel").returncode == 0
    got: dict[str, int] = {}

    def asked(when: str) -> None:
        assert word(g, "a", "override") == "drain", when
        before = site.counts("a")["requests"]
        members = collections.Counter(get(port).member for _ in range(20))
        assert members["b"] == 20, (when, members)
        got[when] = site.counts("a")["requests"] - before

    asked("drain")
    assert g.apply(changed(1, port, site.ports())).returncode == 0
    asked("reload")
    assert g.apply(changed(1, port, {**site.ports(), "c": spare.port()})).returncode == 0
    assert g.apply(changed(1, port, site.ports())).returncode == 0
    asked("member change")
    old = engine.pids()
    os.kill(engine.master_pid(), signal.SIGKILL)
    until(lambda: engine.pids() and not engine.pids() & old and answers(port), 20, "HAProxy is back")
    asked("crash of HAProxy")
    assert g.verb("down").returncode == 0
    g.control.stop(5)
    g.up(with_file=False)
    asked("restart")
    assert g.verb("drain", "web/servers/a", "--for", "1s").returncode == 0
    until(lambda: word(g, "a", "override") == "None", 20, "the override ends")
    until(lambda: get(port).member == "a", 20, "a serves again")
    say("http-15", events=len(got), to_drained=sum(got.values()), ended_by_itself=True, equal=engine.differences() == [])
    assert sum(got.values()) == 0 and engine.differences() == []


def answers(port: int) -> bool:
    try:
        return get(port).status == 200
    except OSError:
        return False


@pytest.mark.timeout(300)
def test_http_15_old_workers_are_counted_and_waited_for(room: Room) -> None:
    """Each reload leaves an old worker with a WebSocket; with four of them the next waits and says who holds them, until one ends."""
    site = room.website("a", "b")
    port = room.port()
    g = room.gurney(shaped(0, port, site.ports()))
    engine = Engine(g.state)
    held: list[Client] = []

    def hold() -> None:
        c = Client(port)
        c.send(UPGRADE)
        assert c.read().status == 101
        held.append(c)

    for i in range(4):
        hold()
        done = g.apply(shaped(i + 1, port, site.ports()))
        assert done.returncode == 0, done.stdout + done.stderr
    hold()
    olds = len(engine.workers()[1])
    g.file.write_text(shaped(9, port, site.ports()))
    argv = [sys.executable, "-m", "gurney", "apply", str(g.file), "--state", str(g.state)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()) as waiting:
        until(lambda: "ReloadWaits" in str(g.status()["conditions"]) or waiting.poll() is not None, 30, "the next reload waits", every=0.1)
        waits = waiting.poll() is None
        conditions = [c for c in g.status()["conditions"] if c["code"] in ("ReloadWaits", "OldProcesses")]
        held.pop(0).close()
        said = waiting.communicate(timeout=60)[0]
    alive = 0
    for c in held:
        c.send(b"still here")
        alive += c.sock.recv(100) == b"still here"
        c.close()
    until(lambda: not engine.workers()[1], 20, "the old workers end with their sessions")
    codes = ",".join(sorted({c["code"] for c in conditions}))
    say("http-15", old_workers=olds, waits=waits, exit=waiting.returncode, sessions_alive=alive, conditions=codes)
    assert (olds, waits, waiting.returncode, alive) == (4, True, 0, 4), said
    assert "127.0.0.1" in said + str(conditions) or "session" in said + str(conditions), said
