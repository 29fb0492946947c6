"""All memory held by objects that hardly come: who is between messages is served, and who crawls makes room (reliability.md H2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gurney.intake.dicom.session import Session
from tests.deliver.running import Running
from tests.deliver.test_slabs_accounting import budget
from tests.live.harness import objects, pdus
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.sender import Association, echo
from tests.live.harness.wait import until

MIB = 1 << 20


@pytest.fixture
def member() -> Iterator[Member]:
    member = Member(Behaviour(keep=True))
    yield member
    member.close()


def begun(route: Running, thing: objects.Thing, said: int) -> tuple[Association, bytes]:
    """An association that has said so much of an object, and the rest of it."""
    a = Association(route.port, pdus.offers_for([thing.pair]), calling="SLOW")
    a.message = 1
    request = pdus.store_rq(thing.sop_class, thing.sop_instance, 1)
    data = b"".join(pdus.message_pdus(a.accepted[thing.pair], request, thing.data, a.pdu_size))
    a.sock.sendall(data[:said])
    return a, data[said:]


def look(route: Running) -> None:
    """The look that comes every 5 s, now."""

    def now() -> None:
        for session in list(route.process._services["store"].sessions):
            assert isinstance(session, Session)
            session._watched()

    route.inside(now)


def somebody_waits(route: Running) -> None:
    """Another connection found no memory."""
    route.inside(lambda: route.process._slabs.when_free(lambda: None))


def test_who_crawls_makes_room_for_others_and_hears_so(member: Member) -> None:
    """A C-ECHO is answered all the same; A700 for the one who holds the memory and sends nothing, and the next time it is stored."""
    slow = objects.study("slow", 1, size=3 * MIB)[0]
    with Running([member.port]) as route:
        a, rest = begun(route, slow, 2 * MIB + 500_000)
        until(lambda: route.member()["in_flight_bytes"] >= 2 * MIB, 5, "it came")
        look(route)
        budget(route, route.status()["replay_bytes"] // MIB)
        assert echo(route.port) == 0
        somebody_waits(route)
        look(route)
        a.sock.sendall(rest)
        assert a.status() == 0xA700
        assert "memory is short" in a.last_comment
        assert member.data == {}
        budget(route, 64)
        assert a.store(slow) == 0
        a.release()
        route.healthy()
    assert member.data == {slow.sop_instance: slow.data}


def test_who_goes_on_or_is_alone_is_left_alone(member: Member) -> None:
    """Nobody waits for memory, or enough has come since the last look: no object is refused."""
    slow = objects.study("alone", 1, size=3 * MIB)[0]
    with Running([member.port]) as route:
        a, rest = begun(route, slow, MIB)
        for _ in range(3):
            look(route)
        somebody_waits(route)
        a.sock.sendall(rest[:MIB])
        until(lambda: route.member()["in_flight_bytes"] >= 2 * MIB - 100_000, 5, "more has come")
        look(route)
        a.sock.sendall(rest[MIB:])
        assert a.status() == 0
        a.release()
        route.healthy()
