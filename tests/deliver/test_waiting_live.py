"""Objects that wait for a member's slots: a slow sender holds nobody up and is not refused for being slow."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.deliver.gate import Gate
from tests.deliver.running import Running
from tests.live.harness import objects, pdus
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.sender import Association, send
from tests.live.harness.wait import until

SIZE = 300_000


@pytest.fixture
def member() -> Iterator[Member]:
    member = Member(Behaviour(keep=True))
    yield member
    member.close()


def begun(port: int, thing: objects.Thing, calling: str, count: int) -> tuple[Association, bytes]:
    """An association that has sent `count` bytes of a C-STORE, and what is left of it."""
    a = Association(port, pdus.offers_for([thing.pair]), calling=calling)
    a.message = 1
    command = pdus.store_rq(thing.sop_class, thing.sop_instance, 1)
    data = b"".join(pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size))
    a.sock.sendall(data[:count])
    return a, data[count:]


def test_a_slow_sender_holds_no_slot_that_another_could_use(member: Member) -> None:
    """One slot, a slow sender under one AE title in the middle of its object: a whole object of another AE title goes first."""
    slow, fast = objects.study("slow", 1, size=SIZE)[0], objects.study("fast", 1, size=SIZE)[0]
    with Running([member.port], member=", max_associations: 1") as route:
        a, rest = begun(route.port, slow, "SLOW", 100_000)
        until(lambda: route.member()["queued"] == 1, 5, "it is buffered first")
        out = send(route.port, [fast], calling="FAST", timeout=5)
        assert out.acked == {fast.sop_instance}, out
        a.sock.sendall(rest)
        assert a.status() == 0
        a.release()
        route.healthy()
        assert member.most <= 2  # it counts one out when its socket is closed, a moment after it has agreed to release
    assert set(member.data) == {slow.sop_instance, fast.sop_instance}


def test_a_slow_sender_is_not_refused_while_a_slot_is_free(member: Member) -> None:
    """Longer in coming than the patience for a slot, with the only slot free all the time: it is stored, not refused."""
    slow = objects.study("patient", 1, size=SIZE)[0]
    with Running([member.port], member=", max_associations: 1") as route:
        a, rest = begun(route.port, slow, "SLOW", 100_000)
        until(lambda: route.member()["queued"] == 1, 5, "it is buffered first")
        route.inside(lambda: [setattr(t, "queued_at", t.queued_at - 31) for t in route.process._dispatcher._of])
        until(lambda: route.member()["queued"] == 0, 5, "its patience is over")
        a.sock.sendall(rest)
        assert a.status() == 0
        a.release()
        route.healthy()


def test_no_slot_in_thirty_seconds_is_said() -> None:
    """The only slot is taken all the time: A700 and why, for whole objects and for those still coming."""
    held, whole, coming = (objects.study(n, 1, size=SIZE)[0] for n in "abc")
    gate = Gate()
    try:
        with Running([gate.port], member=", max_associations: 1") as route:
            a, _ = begun(route.port, held, "S", 10**9)
            assert gate.begun.wait(5)
            b, _ = begun(route.port, whole, "S", 10**9)
            c, rest = begun(route.port, coming, "S", 100_000)
            until(lambda: route.member()["queued"] == 2, 5, "they wait")
            route.inside(lambda: [setattr(t, "queued_at", t.queued_at - 31) for t in route.process._dispatcher._of])
            assert b.status() == 0xA700 and "slot" in b.last_comment
            c.sock.sendall(rest)
            assert c.status() == 0xA700 and "slot" in c.last_comment
            gate.open.set()
            assert a.status() == 0
            for each in (a, b, c):
                each.release()
            route.healthy()
    finally:
        gate.close()
    assert [uid for uid, _ in gate.data] == [held.sop_instance]


@pytest.mark.parametrize("cap", [1, 2, 8])
def test_many_senders_of_many_titles_share_a_members_slots(member: Member, cap: int) -> None:
    """Twelve AE titles, each with associations of its own towards the member: all stored, never more associations than the cap."""
    things = [objects.study(n, 5, size=20_000) for n in range(12)]
    with Running([member.port], member=f", max_associations: {cap}") as route:
        outs = [None] * len(things)

        def one(n: int) -> None:
            outs[n] = send(route.port, things[n], calling=f"AE{n}", timeout=20)  # type: ignore[call-overload]

        threads = [threading.Thread(target=one, args=(n,)) for n in range(len(things))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert [out is not None and len(out.acked) for out in outs] == [5] * 12, outs
        route.healthy()
        assert member.most <= cap + 1  # it counts one out when its socket is closed, a moment after it has agreed to release
    assert len(member.data) == 60


def test_what_is_asked_beside_the_first_check_is_asked(member: Member) -> None:
    """A sender's pairs while it is not yet known that the member serves two associations: the question comes after, it is not forgotten."""
    asked = threading.Event()
    with Running([member.port], check="dicom-echo") as route:

        def begin() -> None:
            live = route.process._dispatcher.pools["archive"].members["a"]
            live.checking.multi, live.checking.soon = False, True  # as in a process that has just begun
            live.tick(route.loop.time())
            assert live.checking.running
            live.ask("EARLY", ((objects.SOP_CLASS["CT"], pdus.EXPLICIT_LE),), asked.set)

        before = len(member.requests)
        route.inside(begin)
        assert asked.wait(20)
        assert len(member.requests) - before <= 6  # the check, the question, what proves that two are served: no turns without end
        assert send(route.port, objects.study("early", 2, size=1000)).errors == []
