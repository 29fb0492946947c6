"""Objects leave as they came, and none that was answered is on no member (reliability.md D8, D9), each with its broken control."""

from __future__ import annotations

import random
import signal
import threading
from typing import Any

import pytest

from gurney.deliver.link import Link
from gurney.net.outbox import Outbox
from tests.deliver.running import Running
from tests.live.conftest import Room
from tests.live.harness import encodings, objects
from tests.live.harness.account import tally
from tests.live.harness.counts import ASKED, CHAOS, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.objects import Thing
from tests.live.harness.proxy import Proxy
from tests.live.harness.sender import send


def objects_of_every_kind(number: int) -> list[Thing]:
    rng = random.Random(8)
    out = []
    for i in range(number):
        size = 5_000_000 if i % 200 == 7 else rng.choice([600, 3_000, 9_000, 40_000])
        out.append(encodings.varied(encodings.KINDS[i % len(encodings.KINDS)], rng, objects.uid(rng), size))
    return out


@pytest.mark.timeout(900 if CHAOS else 180)
def test_reliability_d8_content_leaves_as_it_came(room: Room) -> None:
    """Every encoding, in PDUs of several sizes, to members that take 4 KiB and 128 KiB: in and out by SHA-256."""
    members = [room.member(max_length=maximum) for maximum in (4096, 131072)]
    port = room.port()
    room.gurney(pacs(port, {"archive": {f"m{i}": at(m.port) for i, m in enumerate(members)}}))
    things = objects_of_every_kind(count(1_000, 10_000, 10_000))
    acked: set[str] = set()
    errors: list[str] = []
    sizes: tuple[int | None, ...] = (None, 777, 4096, 16384)
    for i, pdu_size in enumerate(sizes):
        out = send(port, things[i :: len(sizes)], associations=4, pdu_size=pdu_size, timeout=120)
        acked |= out.acked
        errors += out.errors
    counts = tally(things, acked, members)
    say(
        "reliability-d8",
        objects=len(things),
        kinds=len(encodings.KINDS),
        acked=counts["acked"],
        stored=counts["stored"],
        differences=counts["changed"],
    )
    assert (counts["acked"], counts["stored"], counts["changed"], errors) == (len(things), len(things), 0, [])


@pytest.mark.chaos
def test_reliability_d8_control_bytes_swapped_at_a_border(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken control: where the kernel took a buffer in part, the next two bytes change places."""
    whole = Outbox._drop

    def swapped(outbox: Outbox, sent: int) -> None:
        whole(outbox, sent)
        rest = outbox._buffers[0] if outbox._buffers else b""
        if len(rest) > 2:
            outbox._buffers[0] = bytes([rest[1], rest[0]]) + bytes(rest[2:])

    monkeypatch.setattr(Outbox, "_drop", swapped)
    member = room.member(max_length=131072)
    things = objects.study("d8-control", 20, size=8_000_000)
    with Running([member.port]) as route:
        send(route.port, things, associations=2)
    counts = tally(things, [t.sop_instance for t in things], [member])
    say("reliability-d8-control", objects=len(things), differences=counts["changed"] + counts["lost"])
    assert counts["changed"] + counts["lost"] > 0


@pytest.mark.timeout(900 if CHAOS else 120)
def test_reliability_d9_member_stopped_or_reset_at_any_byte(room: Room) -> None:
    """SIGSTOP and RST while an object is under way, at offsets over all of it and behind it: as when it is killed. All side by side."""
    size, large = 300_000, 24_000_000  # more than all socket buffers on the way: a member that stops has not all of it
    ways = [("reset", offset) for offset in (1, 1000, size // 2, size - 2000)]
    ways += [("stop", offset) for offset in (1, 1_000_000, *((large // 2, large - 2000) if ASKED else ()))]  # unknown there: 10 s
    firsts: list[Any] = [room.member() if how == "reset" else room.archive(f"a{i}") for i, (how, _) in enumerate(ways)]
    proxies, others = [room.proxy(m.port) for m in firsts], [room.member() for _ in ways]
    ports = [room.port() for _ in ways]
    pools = {f"p{i}": {"a": at(proxies[i].port), "b": at(others[i].port)} for i in range(len(ways))}
    more = "".join(f"s{i}: {{protocol: dicom, listen: 127.0.0.1:{ports[i]}, rules: [{{pool: p{i}}}]}}\n" for i in range(1, len(ways)))
    g = room.gurney(pacs(ports[0], pools, rules=["{pool: p0}"], pool="balance: failover", more=more))
    total = dict.fromkeys(("met", "acked", "lost", "sender_errors"), 0)
    lock, rounds = threading.Lock(), count(1, 15)

    def leg(index: int) -> None:
        (how, offset), first, proxy = ways[index], firsts[index], proxies[index]
        met = threading.Event()

        def hurt(p: Proxy) -> None:
            met.set()
            if how == "reset":
                p.cut()
            else:
                first.child.signal(signal.SIGSTOP)

        for number in range(rounds):
            g.until_members(f"p{index}", lambda ms: ms["a"]["operational"] == "up", 60)
            met.clear()
            proxy.at(offset, hurt)
            things = objects.study(f"d9s-{index}-{number}", 3, size=size)
            if how == "stop":
                things[0] = objects.thing(things[0].study, things[0].sop_instance, size=large)
            out = send(ports[index], things, timeout=120)
            if how == "stop":
                first.child.signal(signal.SIGCONT)
            counts = tally(things, out.acked, [first, others[index]])
            with lock:
                total["met"] += met.is_set()
                total["acked"] += counts["acked"]
                total["lost"] += counts["lost"]
                total["sender_errors"] += len(out.errors) + len(out.rejects) + len(out.refused)

    threads = [threading.Thread(target=leg, args=(i,)) for i in range(len(ways))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    hurts = len(ways) * rounds
    say("reliability-d9", reset=4 * rounds, stopped=hurts - 4 * rounds, **total)
    assert total == {"met": hurts, "acked": 3 * hurts, "lost": 0, "sender_errors": 0}


def _killed_behind_the_last_byte(room: Room, **words: Any) -> dict[str, int]:
    """Objects to a member that dies behind the last fragment and stores nothing, another one standing by."""
    a, b = room.archive("a", die_after_object=2, die_stored=False), room.archive("b")
    things = objects.study("d9-control", 6, size=200_000)
    with Running([a.port, b.port], **words) as route:
        out = send(route.port, things)
    return {**tally(things, out.acked, [a, b]), "refused": len(out.refused)}


@pytest.mark.chaos
def test_reliability_d9_control_answer_at_the_last_byte_sent(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken control: 0000 goes out as soon as everything has been written to the member."""
    flush = Link._flush

    def eager(link: Link) -> None:
        flush(link)
        transfer = link.transfer
        if transfer is not None and link.sent_all and not transfer.answered:
            transfer.owner.answer(transfer, 0x0000, "", None)

    monkeypatch.setattr(Link, "_flush", eager)
    counts = _killed_behind_the_last_byte(room)
    say("reliability-d9-control", guard="answer", acked=counts["acked"], lost=counts["lost"])
    assert counts["lost"] > 0


@pytest.mark.chaos
def test_reliability_d9_control_no_replay(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken control: nothing is kept of what has been sent. The object whose member died cannot be had again."""
    flush = Link._flush

    def forgetful(link: Link) -> None:
        flush(link)
        link.trim(force=True)

    monkeypatch.setattr(Link, "_flush", forgetful)
    counts = _killed_behind_the_last_byte(room)
    say("reliability-d9-control", guard="replay", acked=counts["acked"], refused=counts["refused"])
    assert counts["refused"] > 0
