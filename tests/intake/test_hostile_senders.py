"""Senders that do what they should not: nobody else notices, nothing is left of them, no answer is given that no member gave."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from tests.deliver.gate import Gate
from tests.deliver.running import Running, document
from tests.live.harness import objects, pdus
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.sender import Association, echo, send
from tests.live.harness.wait import until

ECHO = (pdus.VERIFICATION, pdus.IMPLICIT_LE)


@pytest.fixture
def member() -> Iterator[Member]:
    member = Member(Behaviour(keep=True))
    yield member
    member.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.close()


def message(a: Association, thing: objects.Thing, number: int = 1) -> bytes:
    """A whole C-STORE as bytes."""
    command = pdus.store_rq(thing.sop_class, thing.sop_instance, number)
    return b"".join(pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size))


def statuses(a: Association, count: int) -> list[int]:
    """The next `count` statuses."""
    return [pdus.number(a.answer(), 0x900) for _ in range(count)]


def test_objects_sent_without_waiting_for_answers_are_stored_in_order(member: Member) -> None:
    """Against PS3.7 §9.1 (no asynchronous window), more than a slab ahead: held back, none lost, each answered."""
    things = objects.study("ahead", 24, size=200_000)
    with Running([member.port]) as route:
        a = Association(route.port, pdus.offers_for([things[0].pair]))
        pending = b"".join(message(a, thing, n + 1) for n, thing in enumerate(things))
        a.sock.sendall(pending)
        assert statuses(a, len(things)) == [0] * len(things)
        a.release()
        route.healthy()
    assert member.data == {thing.sop_instance: thing.data for thing in things}


def test_thousands_of_refusals_in_one_read_need_no_depth(member: Member) -> None:
    """Every object is refused while it is being read: the walk goes on with the next one, it does not go down with it."""
    things = objects.study("refused", 1, size=400)
    with Running([member.port], service=", limits: {max_object: 100B}") as route:
        a = Association(route.port, pdus.offers_for([*(t.pair for t in things), ECHO]))
        count = 2000
        a.sock.sendall(b"".join(message(a, things[0], n + 1) for n in range(count)))
        assert statuses(a, count) == [0xA700] * count
        a.message = count
        assert a.echo() == 0
        a.release()
        route.healthy()


def test_answers_nobody_reads_are_not_piled_up(member: Member) -> None:
    """C-ECHO after C-ECHO and no answer taken: the sender is not read until it takes them."""
    with Running([member.port]) as route:
        a = Association(route.port, pdus.offers_for([ECHO]))
        echoes = b"".join(pdus.message_pdus(1, pdus.echo_rq(n % 60_000 + 1), None, 16384)[0] for n in range(20_000))
        a.sock.setblocking(False)
        sent = 0

        def stuck() -> bool:
            nonlocal sent
            before = sent
            try:
                for _ in range(8):
                    sent += a.sock.send(echoes[sent % len(echoes) :])
            except BlockingIOError:
                return sent == before and any(s.paused for s in sessions(route))
            return False

        def sessions(route: Running) -> list:  # type: ignore[type-arg]
            return route.inside(lambda: list(route.process._services["store"].sessions))

        until(stuck, 10, "the sender is not read any more")
        assert all(s._outbox.pending < 3 << 20 for s in sessions(route))
        a.sock.settimeout(10)
        a.reset()
        route.healthy()


def test_echoes_taken_late_are_all_answered(member: Member) -> None:
    """The same sender takes its answers in the end: all of them, in order."""
    with Running([member.port]) as route:
        a = Association(route.port, pdus.offers_for([ECHO]))
        count = 3000
        for first in range(0, count, 500):
            a.sock.sendall(b"".join(pdus.message_pdus(1, pdus.echo_rq(n + 1), None, 16384)[0] for n in range(first, first + 500)))
        assert [pdus.number(a.answer(), 0x120) for _ in range(count)] == list(range(1, count + 1))
        a.release()
        route.healthy()


@pytest.mark.parametrize("size", [300, 40_000, 150_000, 1_300_000])
def test_max_object_refuses_whatever_comes_in_one_read_or_in_many(member: Member, size: int) -> None:
    """Over the limit: A700, the rest read and dropped, the association goes on; what is under it is stored."""
    large, small = objects.study("large", 2, size=size)
    with Running([member.port], service=f", limits: {{max_object: {size - 100}B}}") as route:
        small = objects.thing(small.study, small.sop_instance, size=size // 2) if size > 300 else None
        a = Association(route.port, pdus.offers_for([large.pair]), pdu_size=1024)
        assert a.store(large) == 0xA700
        assert small is None or a.store(small) == 0
        assert a.store(large) == 0xA700
        a.release()
        route.healthy()
    assert set(member.data) <= ({small.sop_instance} if small is not None else set())


def test_a_sender_may_leave_at_every_moment(member: Member) -> None:
    """RST, FIN or A-ABORT before the head, in it, behind it, at the last byte, behind it: only what came whole may stay."""
    thing = objects.study("leaves", 1, size=60_000)[0]
    with Running([member.port]) as route:
        a = Association(route.port, pdus.offers_for([thing.pair]))
        command = pdus.store_rq(thing.sop_class, thing.sop_instance, 1)
        parts = pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size)
        whole = b"".join(parts)
        borders = [len(b"".join(parts[:n])) for n in range(len(parts))]
        a.release()
        for cut in (*borders, 3, 6, 20, 100, 250, 700, 16_000, 16_500, 33_000, len(whole) - 1):
            for leave in ("reset", "close", *(["abort"] if cut in borders else [])):  # inside a PDU an A-ABORT is no A-ABORT
                a = Association(route.port, pdus.offers_for([thing.pair]))
                a.sock.sendall(whole[:cut])
                {"reset": a.reset, "close": a.sock.close, "abort": a.abort}[leave]()
        route.healthy()
        assert member.data == {}
        assert send(route.port, [thing]).acked == {thing.sop_instance}
        route.healthy()
    assert member.data == {thing.sop_instance: thing.data}


def test_commands_that_are_no_store_are_answered_honestly(member: Member) -> None:
    """Other operations hear 0211, their data sets are read and dropped; what is no request ends the association."""
    thing = objects.study("other", 1)[0]
    with Running([member.port]) as route:
        a = Association(route.port, pdus.offers_for([thing.pair, ECHO]))
        context = a.accepted[thing.pair]
        for field in (0x0020, 0x0021, 0x0010, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150, 0x7777):
            for data in (None, thing.data):
                a.message += 1
                values: dict[int, int | str] = {2: thing.sop_class, 0x100: field, 0x110: a.message, 0x800: 0x0101 if data is None else 0}
                assert a.ask(context, pdus.command(values), data) == 0x0211
        a.sock.sendall(
            b"".join(pdus.message_pdus(context, pdus.command({2: thing.sop_class, 0x100: 0x0FFF, 0x120: 1, 0x800: 0x0101}), None, 0))
        )
        assert a.echo() == 0
        assert a.store(thing) == 0
        a.release()
        for wrong in (
            pdus.command({2: thing.sop_class, 0x100: 0x8001, 0x120: 1, 0x800: 0x0101, 0x900: 0}),
            pdus.command({2: thing.sop_class, 0x100: 0x0001, 0x110: 1, 0x800: 0x0101, 0x1000: thing.sop_instance}),
            b"\0\0",
            struct.pack("<HHI", 0, 0x100, 0xFFFFFFFF),
        ):
            a = Association(route.port, pdus.offers_for([thing.pair]))
            a.sock.sendall(b"".join(pdus.message_pdus(1, wrong, None, 0)))
            with pytest.raises(pdus.Broken):
                a.answer()
            a.sock.close()
        route.healthy()
    assert list(member.data) == [thing.sop_instance]


def test_associations_are_counted_out_as_they_were_counted_in(member: Member) -> None:
    """A revision names another title while an association stands: no number of associations is left, or below nothing."""
    thing = objects.study("label", 1)[0]
    with Running([member.port]) as route:
        a = Association(route.port, pdus.offers_for([thing.pair]), calling="CT1")
        text = document(route.port, [member.port])
        route.load(text.replace("127.0.0.0/8", "CT1@127.0.0.0/8"))
        a.release()
        route.healthy()
        assert {cell["value"] for cell in route.status()["counters"]["gurney_dicom_associations"]} == {0}


def test_unproven_connections_make_room_for_each_other(member: Member) -> None:
    """Connections that say nothing: 32 an address, the oldest goes once it is over 1 s old, and who speaks is served."""
    with Running([member.port], service=", limits: {unassociated_per_address: 8}") as route:
        silent = [socket.create_connection(("127.0.0.1", route.port)) for _ in range(30)]
        until(lambda: route.store()["unassociated"] == 8, 5, "the limit holds")
        until(lambda: _echoes(route.port), 5, "the oldest makes room")
        for sock in silent:
            sock.close()
        route.healthy()


def _echoes(port: int) -> bool:
    try:
        return echo(port) == 0
    except (OSError, pdus.Broken):
        return False


def test_associations_stop_at_their_limit_however_many_ask_at_once(member: Member) -> None:
    """More requests than the limit, all on their way before one is answered."""
    thing = objects.study("limit", 1)[0]
    with Running([member.port], service=", limits: {associations_per_ae: 4}") as route:
        socks = [socket.create_connection(("127.0.0.1", route.port)) for _ in range(24)]
        for sock in socks:
            sock.settimeout(10)
            sock.sendall(pdus.associate_rq("PACS", "SENDER", pdus.offers_for([thing.pair])))
        kinds = [pdus.read_pdu(sock) for sock in socks]
        assert [kind for kind, _ in kinds].count(pdus.AC) == 4
        assert {body[1:] for kind, body in kinds if kind == pdus.RJ} == {bytes([2, 3, 2])}
        for sock in socks:
            sock.close()
        route.healthy()
