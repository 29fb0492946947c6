"""New revisions while objects are on their way: each ends by the revision it began with, or is placed again; none is left over."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deliver.gate import Gate
from tests.deliver.running import DOCUMENT, Running, document
from tests.deliver.script import Line, Script
from tests.live.harness import objects, pdus
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.sender import Association, send
from tests.live.harness.wait import until

SIZE = 300_000


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture
def member() -> Iterator[Member]:
    member = Member(Behaviour(keep=True))
    yield member
    member.close()


def parts(a: Association, thing: objects.Thing) -> bytes:
    """A whole C-STORE as bytes, the next message of `a`."""
    a.message += 1
    command = pdus.store_rq(thing.sop_class, thing.sop_instance, a.message)
    return b"".join(pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size))


def renamed(text: str, pool: str) -> str:
    """The document with its pool under another name."""
    return text.replace("      archive:\n", f"      {pool}:\n")


def test_the_pool_goes_while_a_head_is_being_read(member: Member) -> None:
    """Begun under a revision whose pool is gone when the head is read: the rules in force decide."""
    thing = objects.study("head", 1, size=SIZE)[0]
    with Running([member.port]) as route:
        a = Association(route.port, pdus.offers_for([thing.pair]))
        data = parts(a, thing)
        a.sock.sendall(data[:300])
        until(lambda: route.status()["replay_bytes"] > 0, 5, "it has begun")
        route.load(renamed(document(route.port, [member.port]), "other"))
        a.sock.sendall(data[300:])
        assert a.status() == 0
        a.release()
        route.healthy()
    assert member.data == {thing.sop_instance: thing.data}


def test_the_service_goes_while_a_head_is_being_read(member: Member) -> None:
    """Its service and its pool are gone: A700, which may be tried again, and the association ends between objects."""
    thing = objects.study("service", 1, size=SIZE)[0]
    with Running([member.port]) as route:
        a = Association(route.port, pdus.offers_for([thing.pair]))
        data = parts(a, thing)
        a.sock.sendall(data[:300])
        until(lambda: route.status()["replay_bytes"] > 0, 5, "it has begun")
        text = renamed(document(route.port + 1, [member.port]), "other").replace("      store:", "      second:")
        route.load(text)
        a.sock.sendall(data[300:])
        assert a.status() == 0xA700
        with pytest.raises((pdus.Broken, OSError)):
            a.answer()
        a.sock.close()
        route.healthy()


@pytest.mark.parametrize("change", ["removed", "moved", "disabled", "pool renamed", "cap lowered", "drained"])
def test_an_object_half_sent_ends_where_it_began(gate: Gate, member: Member, change: str) -> None:
    """The member it is being sent to is taken out of the document, moved, disabled: this object still ends there, the next does not."""
    first, second = objects.study("half", 1, size=SIZE)[0], objects.study("next", 1, size=SIZE)[0]
    with Running([gate.port, member.port]) as route:
        a = Association(route.port, pdus.offers_for([first.pair]))
        data = parts(a, first)
        a.sock.sendall(data[:200_000])
        assert gate.begun.wait(5)
        before = document(route.port, [gate.port, member.port])
        route.load(
            {
                "removed": document(route.port, [member.port]).replace("a: {", "b: {"),
                "moved": document(route.port, [member.port, member.port]),
                "disabled": before,
                "pool renamed": renamed(document(route.port, [member.port]), "other"),
                "cap lowered": document(route.port, [gate.port, member.port], member=", max_associations: 1"),
                "drained": before,
            }[change]
        )
        if change in ("disabled", "drained"):
            override(route, "a", {"disabled": "disable", "drained": "drain"}[change])
        a.sock.sendall(data[200_000:])
        gate.open.set()
        assert a.status() == 0
        a.sock.sendall(parts(a, second))
        assert a.status() == 0
        a.release()
        route.healthy()
    assert gate.data[0] == (first.sop_instance, first.data)
    if change == "cap lowered":
        assert gate.data[1:] == [(second.sop_instance, second.data)]
    else:
        assert member.data == {second.sop_instance: second.data}


def override(route: Running, member: str, word: str) -> None:
    """The route table with a member's override laid over, in force when this returns."""
    path = route.app / "route.json"
    table = json.loads(path.read_text())
    for one in table["pools"]["archive"]["members"]:
        one["override"] = word if one["name"] == member else None
    path.write_text(json.dumps(table))
    assert route.control.ask({"op": "load"})[0]["ok"]


@pytest.mark.parametrize("change", ["removed", "moved", "disabled", "pool renamed"])
def test_objects_that_wait_for_a_slot_are_placed_again(gate: Gate, member: Member, change: str) -> None:
    """One object holds the member's only slot, others wait: the member goes, and they are with the next at once."""
    held = objects.study("held", 1, size=20_000)[0]
    waiting = [objects.study(f"waits{n}", 1, size=20_000)[0] for n in range(3)]
    one = {"member": ", max_associations: 1"}
    with Running([gate.port, member.port], **one) as route:
        a = Association(route.port, pdus.offers_for([held.pair]))
        a.sock.sendall(parts(a, held))
        assert gate.begun.wait(5)
        others = [Association(route.port, pdus.offers_for([t.pair])) for t in waiting]
        for o, t in zip(others, waiting, strict=True):
            o.sock.sendall(parts(o, t))
        until(lambda: route.member("a")["queued"] == 3, 5, "they wait for a")
        if change == "disabled":
            override(route, "a", "disable")
        else:
            text = {
                "removed": document(route.port, [member.port], **one).replace("a: {", "b: {"),
                "moved": document(route.port, [member.port, member.port], **one),
                "pool renamed": renamed(document(route.port, [member.port], **one), "other"),
            }
            route.load(text[change])
        if change != "pool renamed":  # there they end by the pool they began with
            assert [o.status() for o in others] == [0, 0, 0]
        gate.open.set()
        assert a.status() == 0
        if change == "pool renamed":
            assert [o.status() for o in others] == [0, 0, 0]
        for each in (a, *others):
            each.release()
        route.healthy()
        assert route.inside(lambda: route.process._dispatcher._leaving) == [] or change != "disabled"
    if change != "pool renamed":
        assert set(member.data) == {t.sop_instance for t in waiting}


def test_an_unchanged_and_a_broken_revision_change_nothing(member: Member) -> None:
    """`load` of the same bytes is answered at once; a route.json that cannot be read is refused and the last one serves."""
    thing = objects.study("same", 1)[0]
    with Running([member.port]) as route:
        generation = route.status()["generation"]
        assert route.control.ask({"op": "load"})[0] == {"ok": True, "generation": generation}
        good = (route.app / "route.json").read_bytes()
        for bad in (b"", b"{}", good[:-20], good.replace(b'"archive"', b'"archivf"', 1), b"\xff" * 100):
            (route.app / "route.json").write_bytes(bad)
            assert not route.control.ask({"op": "load"})[0]["ok"]
        for message in ({"op": "nothing"}, {"op": "listeners", "names": 5}, {"op": "close", "names": None}, {"op": "explain"}, {"no": 1}):
            assert not route.control.ask(message)[0]["ok"]
        assert send(route.port, [thing]).acked == {thing.sop_instance}
        assert route.status()["generation"] == generation
        route.healthy()


def test_stop_under_load_answers_what_is_in_hand(gate: Gate) -> None:
    """Stop while an object is with its member and another is half here: both get their answers, idle associations end, then the process."""
    first, second = objects.study("stop", 2, size=SIZE)
    gate.open.set()
    with Running([gate.port]) as route:
        idle = Association(route.port, pdus.offers_for([first.pair]))
        a, b = (Association(route.port, pdus.offers_for([first.pair])) for _ in range(2))
        data, other = parts(a, first), parts(b, second)
        a.sock.sendall(data[:1000])
        b.sock.sendall(other[:200_000])
        until(lambda: route.status()["replay_bytes"] >= 2 << 20, 5, "both have begun")
        assert route.control.ask({"op": "stop", "within": 5})[0]["ok"]
        with pytest.raises((pdus.Broken, OSError)):
            idle.answer()
        a.sock.sendall(data[1000:])
        assert a.status() == 0
        b.sock.sendall(other[200_000:])
        assert b.status() == 0
        assert route.ended.wait(5)
        assert route.inside is not None and route.broken == []
        assert route.events("session.failed") == []
        assert route.process._slabs.leased == 0
        for each in (idle, a, b):
            each.sock.close()
    assert sorted(gate.data) == sorted([(first.sop_instance, first.data), (second.sop_instance, second.data)])


def test_stop_waits_for_objects_of_a_removed_service(gate: Gate) -> None:
    """Its service is gone from the document, its object is not: stop waits for it as for any other."""
    thing = objects.study("removed-service", 1, size=SIZE)[0]
    with Running([gate.port]) as route:
        a = Association(route.port, pdus.offers_for([thing.pair]))
        a.sock.sendall(parts(a, thing))
        assert gate.begun.wait(5)
        route.load(document(route.port + 1, [gate.port]).replace("      store:", "      second:"))
        assert route.control.ask({"op": "stop", "within": 5})[0]["ok"]
        gate.open.set()
        assert a.status() == 0
        assert route.ended.wait(5)
        a.sock.close()


def test_a_member_removed_between_two_tries_gets_no_third(member: Member) -> None:
    """Unknown outcome at a, a is gone, then removed before its next try: b gets the object, whatever listens where a was."""

    def takes_and_goes(line: Line) -> None:
        line.take_command()
        line.take_data()
        script.sock.shutdown(socket.SHUT_RDWR)
        script.sock.close()

    script = Script(takes_and_goes)
    thing = objects.study("third", 1, size=20_000)[0]
    with Running([script.port, member.port]) as route:
        a = Association(route.port, pdus.offers_for([thing.pair]))
        a.sock.sendall(parts(a, thing))
        until(lambda: route.inside(lambda: any(t.ambiguous_refusals for t in route.process._dispatcher._of)), 5, "the next try was refused")
        silent = socket.create_server(("127.0.0.1", script.port))
        route.load(document(route.port, [member.port]).replace("a: {", "b: {"))
        assert a.status() == 0
        a.release()
        silent.close()
        route.healthy()
        assert route.count("gurney_dicom_possible_duplicates_total") == 1
    assert member.data == {thing.sop_instance: thing.data}


def test_revisions_without_end_under_load_cost_nothing() -> None:
    """Members come, go and change places while four senders send: every object is stored, no retired member keeps an association."""
    members = [Member(Behaviour(keep=True)) for _ in range(2)]
    a, b = (m.port for m in members)
    things = [objects.study(f"flap{n}", 20, size=50_000) for n in range(4)]
    try:
        with Running([a, b], balance="study") as route, ThreadPoolExecutor(4) as threads:
            sending = [threads.submit(send, route.port, share, timeout=20) for share in things]
            for ports in itertools.cycle([[a], [b, a], [a, b]]):
                route.load(document(route.port, ports, balance="study"))
                if all(one.done() for one in sending):
                    break
            assert [len(one.result().acked) for one in sending] == [20] * 4
            until(lambda: not route.inside(lambda: list(route.process._dispatcher._leaving)), 5, "no member is left that is in no revision")
            route.healthy()
    finally:
        for member in members:
            member.close()


def test_a_document_is_a_document() -> None:
    """The template of these tests names the pool where they rename it."""
    assert "      archive:\n" in DOCUMENT
