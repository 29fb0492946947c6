"""What one sender or one member does is not felt by the others: fair shares, and a member that takes its time (§12: 9)."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

import pytest

from tests.live.conftest import Room
from tests.live.harness import bulk, pdus
from tests.live.harness.bulk import Large
from tests.live.harness.counts import ASKED, CHAOS, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.flow import Flow, Sink
from tests.live.harness.sender import Association
from tests.live.harness.wait import until

pytestmark = pytest.mark.alone  # shares of a machine that others use are not compared

MIB = 1 << 20
CALM = "{kind: dicom-echo, interval: 1s, timeout: 20s, rise: 1, fall: 3}"  # what is measured here keeps the machine busy


def rate(flow: Flow, which: list[int], size: int) -> float:
    """Bytes a second that these senders get through, over `size` bytes of theirs."""
    begun, before = time.monotonic(), flow.moved(which)
    until(lambda: flow.moved(which) >= before + size, 60, f"{size} bytes more", every=0.002)
    return (flow.moved(which) - before) / (time.monotonic() - begun)


@pytest.mark.timeout(600 if ASKED else 120)
@pytest.mark.parametrize("kind", ["huge", "small"])
def test_dicom_fairness_one_sender_at_full_speed(room: Room, kind: str) -> None:
    """Four senders at full speed, one of them with objects of another kind: the other three get a quarter each of all there is.

    `share` is that; `beside_own_kind` what they get beside the share of a moment before, when all four were of one kind: it also tells
    what the first one's objects cost, and what else the machine had to do.
    """
    sink = room.keep(Sink(room.folder, room.port()))
    port = room.port()
    room.gurney(pacs(port, {"archive": {"m": at(sink.port)}}, check=CALM))
    flow = room.keep(Flow(room.folder, port, 4))
    others, pairs, size = [1, 2, 3], count(1, 9, 9), count(96, 384, 384) * MIB
    shares, beside, fair = [], [], []
    for _ in range(pairs):
        flow.send(["equal"] * 4)
        rate(flow, others, size // 4)
        fair.append(rate(flow, others, size))
        flow.send([kind, "equal", "equal", "equal"])
        rate(flow, others, size // 4)
        all_of_them, theirs = flow.left([0, *others]), flow.left(others)
        beside.append(rate(flow, others, size) / fair[-1])
        shares.append((flow.left(others) - theirs) / 3 * 4 / (flow.left([0, *others]) - all_of_them))
    flow.send(["pause"] * 4)
    say(
        "dicom-fairness",
        kind=kind,
        pairs=pairs,
        share=f"{statistics.median(shares):.2f}",
        worst=f"{min(shares):.2f}",
        beside_own_kind=f"{statistics.median(beside):.2f}",
        fair_mb_s=round(statistics.median(fair) / 3e6),
    )
    if ASKED:
        assert statistics.median(shares) >= 0.8


def rss(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:", 1)[1].split()[0]) << 10


LATE = 90  # seconds until it answers, where there is time for them; elsewhere it answers when the rates have been taken


@pytest.mark.timeout(600 if ASKED else 120)
def test_dicom_09_a_member_that_answers_late(room: Room) -> None:
    """Objects lie with a member that does not answer, more than all replay memory: other studies go on, nobody is cut."""
    slow, fast = room.keep(bulk.Sink()), room.keep(Sink(room.folder, room.port()))
    port = room.port()
    pools = {"slow": {"m": at(slow.port)}, "archive": {"m": at(fast.port)}}
    g = room.gurney(pacs(port, pools, rules=["{match: {calling_ae: SLOW}, pool: slow}", "{pool: archive}"], check=CALM))
    flow = room.keep(Flow(room.folder, port, 3))
    others, size = [0, 1, 2], count(96, 512, 512) * MIB
    flow.send(["equal"] * 3)
    rate(flow, others, size)
    before, memory, pid = rate(flow, others, size), rss(g.route_pid()), g.route_pid()
    slow.answering.clear()
    late = [Large(f"2.25.9{i}", f"2.25.9{i}1", 63 * MIB) for i in range(count(5, 8, 8))]
    out: dict[str, bulk.Sent] = {}

    def send(one: Large) -> None:
        a = Association(port, pdus.offers_for([one.pair]), calling="SLOW", max_length=131072, timeout=300)
        out[one.sop_instance] = bulk.store(a, one)
        a.release()

    threads = [threading.Thread(target=send, args=(one,)) for one in late]
    begun = time.monotonic()
    for t in threads:
        t.start()
    until(lambda: len(slow.taken) == len(late), 60, "the slow member has all of them")
    beside = [rate(flow, others, size) for _ in range(count(1, 9, 9))]
    if CHAOS:
        until(lambda: time.monotonic() - begun > LATE, LATE + 10, "it answers late")
    growth = rss(pid) - memory
    assert out == {}
    slow.answering.set()
    for t in threads:
        t.join(60)
    share = statistics.median(beside) / ((before + rate(flow, others, size)) / 2)
    flow.send(["pause"] * 3)
    if ASKED:  # slabs that nobody needs go back after some seconds
        until(lambda: rss(pid) - memory < 100 * MIB, 60, "the memory goes back")
    after = rss(pid) - memory
    good = sum(sent.status == 0 and slow.taken[sop] == (sent.size, sent.sha) for sop, sent in out.items())
    memory_mb = {"rss_growth_mb": growth // MIB, "rss_after_mb": after // MIB}
    say("dicom-09", late=len(late), answered=good, cut_by_us=slow.lost, others_share=f"{share:.2f}", **memory_mb)
    assert (good, slow.lost, g.route_pid()) == (len(late), 0, pid)
    assert growth < 300 * MIB
    if ASKED:
        assert share >= 0.9
