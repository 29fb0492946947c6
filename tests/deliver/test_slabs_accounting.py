"""Receive memory while objects travel: what a link still sends from is nobody else's, and all of it comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from gurney.deliver.transfer import Transfer
from gurney.net.slabs import SLAB
from tests.deliver.gate import Gate
from tests.deliver.running import Running
from tests.live.harness import objects, pdus
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.sender import Association, send
from tests.live.harness.wait import until

LARGE = 5 << 20  # more than socket buffers hold, less than they and the 4 MiB ahead of the member


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.close()


def message(a: Association, thing: objects.Thing, number: int = 1) -> bytes:
    """A whole C-STORE as bytes."""
    command = pdus.store_rq(thing.sop_class, thing.sop_instance, number)
    return b"".join(pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size))


def in_hand(route: Running) -> list[Transfer]:
    """The objects on their way."""
    return route.inside(lambda: list(route.process._dispatcher._of))


def stuck(route: Running) -> bool:
    """One of them has come whole and waits in our memory for its member."""
    return any(t.whole and t.link is not None and t.link.unsent > 0 for t in in_hand(route))


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda a: a.sock.sendall(pdus.abort()), id="abort"),
        pytest.param(lambda a: a.sock.sendall(b"GET / HTTP/1.0\r\n\r\n"), id="garbage"),
        pytest.param(lambda a: a.sock.close(), id="close"),
        pytest.param(lambda a: a.reset(), id="reset"),
        pytest.param(lambda a: a.sock.sendall(pdus.pdu(pdus.RQ, bytes(70))), id="second-request"),
    ],
)
def test_a_whole_object_keeps_its_bytes_when_its_sender_leaves(gate: Gate, leave: Callable[[Association], None]) -> None:
    """The sender is gone before the answer; its object goes on, and no other object's bytes get into it."""
    first = objects.study("leaves", 1, size=LARGE, fill=b"\xaa" * 4096)[0]
    other = objects.study("other", 1, size=LARGE, fill=b"\xbb" * 4096)[0]
    with Running([gate.port]) as route:
        a = Association(route.port, pdus.offers_for([first.pair]))
        a.sock.sendall(message(a, first))
        until(lambda: stuck(route), 5, "it has come whole and its end has not left")
        leave(a)
        until(lambda: all(t.abandoned for t in in_hand(route)), 5, "it is abandoned")
        assert stuck(route)
        b = Association(route.port, pdus.offers_for([other.pair]))
        b.sock.sendall(message(b, other))
        gate.open.set()
        assert pdus.number(b.answer(), 0x900) == 0
        b.release()
        a.sock.close()
        until(lambda: len(gate.data) == 2, 5, "both are with the member")
        route.healthy()
    assert sorted(gate.data) == sorted([(first.sop_instance, first.data), (other.sop_instance, other.data)])


def budget(route: Running, slabs: int) -> None:
    """From here on the process has memory for so many slabs."""
    route.inside(lambda: setattr(route.process._slabs, "_budget", slabs * SLAB))


def test_more_senders_than_memory_all_get_through() -> None:
    """More senders than slabs, each in the middle of an object larger than one: nobody waits for a slab of another for ever."""
    things = [objects.study(n, 1, size=3_000_000)[0] for n in range(6)]
    member = Member(Behaviour(keep=True))
    try:
        with Running([member.port]) as route:
            budget(route, 5)
            opened = [Association(route.port, pdus.offers_for([t.pair]), calling=f"S{n}") for n, t in enumerate(things)]
            parts = [message(a, t) for a, t in zip(opened, things, strict=True)]
            for a, part in zip(opened, parts, strict=True):
                a.sock.sendall(part[:600_000])
            until(lambda: route.status()["replay_bytes"] > 4 * SLAB, 5, "nearly all memory is leased")
            senders = [Thread(target=a.sock.sendall, args=(part[600_000:],)) for a, part in zip(opened, parts, strict=True)]
            for sender in senders:
                sender.start()
            assert [pdus.number(a.answer(), 0x900) for a in opened] == [0] * 6
            for a in opened:
                a.release()
            route.healthy()
    finally:
        member.close()
    assert member.data == {t.sop_instance: t.data for t in things}


def test_objects_that_are_buffered_first_do_not_wait_for_each_others_memory() -> None:
    """All memory holds objects that would be buffered to their end, and every slot is idle: slots are taken, all get through."""
    things = [objects.study(f"buffered{n}", 1, size=3_000_000)[0] for n in range(4)]
    member = Member(Behaviour(keep=True))
    try:
        with Running([member.port], member=", max_associations: 1") as route:
            budget(route, 4)
            opened = [Association(route.port, pdus.offers_for([t.pair]), calling=f"S{n}") for n, t in enumerate(things)]
            senders = [Thread(target=a.sock.sendall, args=(message(a, t),)) for a, t in zip(opened, things, strict=True)]
            for sender in senders:
                sender.start()
            assert [pdus.number(a.answer(), 0x900) for a in opened] == [0] * 4
            for a in opened:
                a.release()
            route.healthy()
    finally:
        member.close()
    assert member.data == {t.sop_instance: t.data for t in things}


def test_who_waits_for_memory_is_served_when_another_that_waited_is_gone() -> None:
    """Two wait for a slab, the first of them leaves: the slab that comes back wakes the second."""
    first = objects.study("holds", 1, size=LARGE)[0]
    small = objects.study("waits", 1, size=10_000)[0]
    gate = Gate()
    try:
        with Running([gate.port]) as route:
            a = Association(route.port, pdus.offers_for([first.pair]))
            waiting = [Association(route.port, pdus.offers_for([small.pair]), calling=f"W{n}") for n in range(3)]
            a.sock.sendall(message(a, first))
            until(lambda: stuck(route), 5, "an object fills the memory")
            budget(route, route.status()["replay_bytes"] // SLAB)
            route.inside(lambda: setattr(route.process._slabs, "_spare", 0))  # else small objects would not have to wait
            for n, w in enumerate(waiting):
                w.sock.sendall(message(w, small))
                until(lambda n=n: len(route.process._slabs._waiting) == n + 1, 5, "it waits for memory")
            waiting[0].reset()
            waiting[1].reset()
            gate.open.set()
            assert pdus.number(a.answer(), 0x900) == 0
            assert pdus.number(waiting[2].answer(), 0x900) == 0
            for left in (a, waiting[2]):
                left.release()
            route.healthy()
    finally:
        gate.close()


def test_past_the_replay_limit_memory_stays_bounded_and_a_loss_is_said() -> None:
    """What is sent beyond `replay_limit` is not kept; lost then, the sender hears A700 and why, the member keeps nothing."""
    thing = objects.study("beyond", 1, size=12 << 20)[0]
    gate, other = Gate(), Member(Behaviour(keep=True))
    gate.open.set()
    try:
        with Running([gate.port, other.port], service=", replay_limit: 2MiB") as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            data = message(a, thing)
            most = 0
            for at in range(0, 11 << 20, 1 << 20):
                a.sock.sendall(data[at : at + (1 << 20)])
                until(lambda: not in_hand(route) or all(t.link is not None and t.link.unsent == 0 for t in in_hand(route)), 5, "sent")
                most = max(most, route.status()["replay_bytes"])
            assert most <= 5 * SLAB
            gate.cut()
            until(lambda: not in_hand(route), 5, "given up")
            a.sock.sendall(data[11 << 20 :])
            a.message = 1
            assert a.status() == 0xA700 and a.last_comment
            a.release()
            route.healthy()
            assert other.data == {} and gate.data == []
            assert send(route.port, [thing]).acked == {thing.sop_instance}
    finally:
        gate.close()
        other.close()


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_a_sender_that_leaves_while_it_is_not_read_leaves_nothing(gate: Gate, leave: str) -> None:
    """Its member is slower than it, so it is not read; then it is gone, its object half here: the member keeps nothing of it."""
    thing = objects.study("paused", 1, size=30 << 20)[0]
    with Running([gate.port]) as route:
        a = Association(route.port, pdus.offers_for([thing.pair]))
        data = memoryview(message(a, thing))
        a.sock.setblocking(False)
        sent = 0

        def full() -> bool:
            nonlocal sent
            with contextlib.suppress(BlockingIOError):
                while True:
                    sent += a.sock.send(data[sent : sent + 65_536])
            return route.inside(lambda: any(s.paused for s in route.process._services["store"].sessions))

        until(full, 10, "it is not read any more")
        assert route.status()["replay_bytes"] <= 16 * SLAB
        if leave == "reset":
            a.reset()
        else:
            a.sock.close()
        gate.open.set()
        route.healthy()
    assert gate.data == []
