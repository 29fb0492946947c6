"""Members that do what they should not: no positive answer without a whole object and the member's own word for it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deliver.gate import Gate
from tests.deliver.running import Running
from tests.deliver.script import Line, Script
from tests.live.harness import objects, pdus
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.sender import Association, Refused, send
from tests.live.harness.wait import until

SIZE = 300_000


@pytest.fixture
def spare() -> Iterator[Member]:
    """Member b, well behaved."""
    member = Member(Behaviour(keep=True))
    yield member
    member.close()


def half(a: Association, thing: objects.Thing) -> bytes:
    """Sends a C-STORE but for its last bytes, which are returned."""
    a.message = 1
    command = pdus.store_rq(thing.sop_class, thing.sop_instance, 1)
    data = b"".join(pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size))
    a.sock.sendall(data[:-1000])
    return data[-1000:]


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xB006, 0xB007, 0xB123, 0xBFFF])
def test_a_positive_status_before_the_last_fragment_counts_for_nothing(spare: Member, status: int) -> None:
    """Success or any warning while the object is still coming is a breach: never passed on, the object is sent again."""

    def early(line: Line) -> None:
        line.take_command()
        line.take(50_000)
        line.say(status)
        line.rest()

    member = Script(early, _closes)  # from the second time on it takes the whole and says nothing
    thing = objects.study("early", 1, size=SIZE)[0]
    try:
        with Running([member.port, spare.port]) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            rest = half(a, thing)
            until(lambda: route.count("gurney_dicom_ambiguous_total") >= 1, 5, "the breach is seen")
            a.sock.sendall(rest)
            assert a.status() == 0
            a.release()
            route.healthy()
    finally:
        member.close()
    assert spare.data == {thing.sop_instance: thing.data}


def test_an_early_refusal_ends_inside_no_pdu(spare: Member) -> None:
    """A700 before the last fragment: the next member gets the object; what the first still reads is no A-ABORT inside a data set."""
    seen: list[bytes] = []

    def early(line: Line) -> None:
        line.take_command()
        line.take(50_000)
        line.say(0xA700)
        seen.append(line.rest())

    member = Script(early)
    thing = objects.study("early-refusal", 1, size=SIZE)[0]
    try:
        with Running([member.port, spare.port]) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            rest = half(a, thing)
            until(lambda: seen, 5, "the first association has ended")
            a.sock.sendall(rest)
            assert a.status() == 0
            a.release()
            route.healthy()
            assert route.count("gurney_dicom_possible_duplicates_total") == 0
    finally:
        member.close()
    assert not seen[0].endswith(pdus.abort()) and not seen[0].endswith(pdus.abort(2, 0))
    assert spare.data == {thing.sop_instance: thing.data}


def _announces_data(line: Line) -> None:
    line.take_command()
    line.take_data()
    line.say(0, x800=0x0001)
    line.rest()


def _wrong_id(line: Line) -> None:
    line.take_command()
    line.take_data()
    line.say(0, x120=4711)
    line.rest()


def _no_status(line: Line) -> None:
    line.take_command()
    line.take_data()
    line.conn.sendall(pdus.pdata(pdus.pdv(line.context, 3, pdus.command({2: objects.CT, 0x100: 0x8001, 0x120: 1, 0x800: 0x0101}))))
    line.rest()


def _echo_answer(line: Line) -> None:
    line.take_command()
    line.take_data()
    line.say(0, x100=0x8030)
    line.rest()


def _a_request(line: Line) -> None:
    line.take_command()
    line.take_data()
    line.say(0, x100=0x0001, x110=1)
    line.rest()


def _releases(line: Line) -> None:
    line.take_command()
    line.take_data()
    line.conn.sendall(pdus.pdu(pdus.RELEASE_RQ, bytes(4)))
    line.rest()


def _aborts(line: Line) -> None:
    line.take_command()
    line.take_data()
    line.conn.sendall(pdus.abort(2, 0))


def _closes(line: Line) -> None:
    line.take_command()
    line.take_data()


def _resets(line: Line) -> None:
    line.take_command()
    line.take_data()
    line.reset()


def _garbage(line: Line) -> None:
    line.take_command()
    line.take_data()
    line.conn.sendall(b"\x04\x00\xff\xff\xff\xff\x00\x00")
    line.rest()


def _half_an_answer(line: Line) -> None:
    line.take_command()
    line.take_data()
    whole = pdus.pdata(pdus.pdv(line.context, 3, pdus.response(line.command, 0)))
    line.conn.sendall(whole[: len(whole) - 1])


@pytest.mark.parametrize(
    "act",
    [_announces_data, _wrong_id, _no_status, _echo_answer, _a_request, _releases, _aborts, _closes, _resets, _garbage, _half_an_answer],
    ids=lambda act: act.__name__.strip("_"),
)
def test_what_is_no_answer_leads_to_no_positive_one(spare: Member, act: Callable[[Line], None]) -> None:
    """After the last fragment everything but a readable answer to this message is an unknown outcome: same member, then another, named."""
    member = Script(act)
    thing = objects.study("no-answer", 1, size=20_000)[0]
    try:
        with Running([member.port, spare.port]) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            assert a.store(thing) == 0
            a.release()
            route.healthy()
            assert route.count("gurney_dicom_ambiguous_total") >= 1
            assert route.count("gurney_dicom_possible_duplicates_total") == 1
    finally:
        member.close()
    assert spare.data == {thing.sop_instance: thing.data}


def test_a_second_answer_is_nobodys(spare: Member) -> None:
    """Answered twice: the second answer ends the association and is no answer to the next object."""

    def twice(line: Line) -> None:
        line.take_command()
        line.take_data()
        line.say(0)
        line.say(0)
        line.rest()

    member = Script(twice)
    things = objects.study("twice", 6, size=20_000)
    try:
        with Running([member.port, spare.port], fall=100) as route:
            a = Association(route.port, pdus.offers_for([things[0].pair]))
            assert [a.store(t) for t in things] == [0] * len(things)
            a.release()
            route.healthy()
    finally:
        member.close()


def test_already_there_proves_nothing_after_half_an_object(spare: Member) -> None:
    """Success before the last fragment, then 0111 for the whole: what it has is half an object, so that is no success."""

    def early(line: Line) -> None:
        line.take_command()
        line.take(50_000)
        line.say(0)
        line.rest()

    def already(line: Line) -> None:
        line.take_command()
        line.take_data()
        line.say(0x0111)
        line.rest()

    member = Script(early, already)
    thing = objects.study("already", 1, size=SIZE)[0]
    try:
        with Running([member.port]) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            rest = half(a, thing)
            until(lambda: route.count("gurney_dicom_ambiguous_total") >= 1, 5, "the breach is seen")
            a.sock.sendall(rest)
            assert a.status() == 0x0111
            a.release()
            route.healthy()
    finally:
        member.close()


def test_already_there_after_a_whole_object_is_a_success(spare: Member) -> None:
    """Sent whole and not answered, then 0111 from the same member: it was stored then."""

    def already(line: Line) -> None:
        line.take_command()
        line.take_data()
        line.say(0x0111)
        line.rest()

    member = Script(_closes, already)
    thing = objects.study("already-whole", 1, size=SIZE)[0]
    try:
        with Running([member.port, spare.port]) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            assert a.store(thing) == 0
            a.release()
            route.healthy()
            assert route.count("gurney_dicom_possible_duplicates_total") == 0
    finally:
        member.close()
    assert spare.data == {}


@pytest.mark.parametrize("second", ["breaks off", "is full", "refuses"])
def test_whoever_gets_it_after_an_unknown_outcome_is_named_a_possible_duplicate(spare: Member, second: str) -> None:
    """Unknown at a, and a's next try comes to nothing in some other way: b's copy is a possible second one, and counted."""

    def again(line: Line) -> None:
        if second == "breaks off":
            line.take_command()
            line.reset()
            return
        line.take_command()
        line.take_data()
        line.say(0xA700 if second == "is full" else 0x0122)
        line.rest()

    member = Script(_closes, again)
    thing = objects.study("named", 1, size=SIZE)[0]
    try:
        with Running([member.port, spare.port]) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            assert a.store(thing) == 0
            a.release()
            route.healthy()
            assert route.count("gurney_dicom_possible_duplicates_total") == 1
    finally:
        member.close()
    assert spare.data == {thing.sop_instance: thing.data}


def test_no_duplicate_is_counted_where_nobody_else_got_it() -> None:
    """Unknown at the only member, for good: A700, and no possible duplicate, for nothing was sent to a second member."""
    member = Script(_closes)
    thing = objects.study("alone", 1, size=20_000)[0]
    try:
        with Running([member.port], fall=100) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            assert a.store(thing) == 0xA700
            a.release()
            route.healthy()
            assert route.count("gurney_dicom_possible_duplicates_total") == 0
    finally:
        member.close()


@pytest.mark.parametrize("status", [0x0110, 0x0122, 0xA700])
def test_what_cannot_be_sent_again_whole_is_not_sent_again(spare: Member, status: int) -> None:
    """Larger than `replay_limit` and refused at the end: the member's status is passed on, and nobody is sent the end of an object."""

    def refuses(line: Line) -> None:
        line.take_command()
        line.take_data()
        line.say(status)
        member.good(line)

    member = Script(refuses)
    thing = objects.study("large", 1, size=3_000_000)[0]
    try:
        with Running([member.port, spare.port], service=", replay_limit: 1MiB") as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            assert a.store(thing) == status and a.last_comment
            a.release()
            route.healthy()
    finally:
        member.close()
    assert member.stored == [] and spare.data == {}


class OneAtATime(Script):
    """A receiver of one association: what comes beside it is turned away, in one way or another, without an AC."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.slot = threading.Semaphore(1)
        self.turned_away = 0
        super().__init__(self.good)

    def _play(self, conn: socket.socket) -> None:
        if self.slot.acquire(blocking=False):
            try:
                super()._play(conn)
            finally:
                self.slot.release()
            return
        self.turned_away += 1
        with contextlib.suppress(OSError, pdus.Broken):
            if self.how != "close at once":
                pdus.read_pdu(conn)
            if self.how in ("abort", "reject"):
                conn.sendall(pdus.abort(2, 0) if self.how == "abort" else pdus.reject(2, 3, 2))
        conn.close()


@pytest.mark.parametrize("how", ["reject", "abort", "close", "close at once"])
def test_a_receiver_of_one_association_is_full_never_down(how: str) -> None:
    """Checks, questions and objects of five senders towards it: all stored, it is never called down, and it is not dialled without end."""
    member = OneAtATime(how)
    things = [objects.study(n, 6, size=30_000) for n in range(5)]
    try:
        with Running([member.port], check="dicom-echo", interval="200ms") as route:
            with ThreadPoolExecutor(5) as threads:
                outs = list(threads.map(lambda share: send(route.port, share, timeout=20), things))
            assert [len(out.acked) for out in outs] == [6] * 5, outs
            assert route.events("member.down") == []
            assert member.turned_away < 20
            route.healthy()
    finally:
        member.close()
    assert len(member.stored) == 30


@pytest.mark.parametrize("how", ["release", "abort", "close", "reset", "half-close", "garbage"])
def test_a_member_may_end_an_idle_association_as_it_likes(how: str) -> None:
    """It ends the association after every answer: the next object goes over a new one, nothing is ambiguous, nobody is blamed."""

    def act(line: Line) -> None:
        line.take_command()
        member.stored.append((pdus.text(line.command, 0x1000), line.take_data()))
        line.say(0)
        if how == "half-close":
            line.conn.shutdown(socket.SHUT_WR)
        elif how == "reset":
            line.reset()
        elif how != "close":
            line.conn.sendall({"release": pdus.pdu(pdus.RELEASE_RQ, bytes(4)), "abort": pdus.abort(2, 0), "garbage": b"HTTP/1.1 400"}[how])
            line.rest()

    member = Script(act)
    things = objects.study(how, 6, size=20_000)
    try:
        with Running([member.port]) as route:
            a = Association(route.port, pdus.offers_for([things[0].pair]))
            for thing in things:
                assert a.store(thing) == 0
                # Before its end has come the next object may already be on its way, and then is rightly ambiguous.
                until(lambda: route.member()["associations"] == 0, 5, "the member's end has come")
            a.release()
            assert route.count("gurney_dicom_ambiguous_total") == route.count("gurney_dicom_replays_total") == 0
            assert route.member()["operational"] == "up"
            route.healthy()
    finally:
        member.close()
    assert member.stored == [(t.sop_instance, t.data) for t in things]


def test_titles_without_end_do_not_starve_objects() -> None:
    """A receiver of one association, and eight peers that ask for associations under ever new AE titles: objects still get their turn."""
    member = OneAtATime("reject")
    things = objects.study("turns", 4, size=20_000)
    over = threading.Event()

    def flood(port: int, name: str) -> None:
        count = 0
        while not over.is_set():
            count += 1
            with contextlib.suppress(OSError, pdus.Broken, Refused):
                Association(port, pdus.offers_for([(objects.MR, pdus.EXPLICIT_LE)]), calling=f"{name}{count}", timeout=5).abort()

    try:
        with Running([member.port]) as route, ThreadPoolExecutor(8) as threads:
            assert len(send(route.port, things[:1]).acked) == 1
            try:
                for name in "ABCDEFGH":
                    threads.submit(flood, route.port, name)
                out = send(route.port, things[1:], timeout=20)
            finally:
                over.set()
            assert len(out.acked) == 3, out
            threads.shutdown()
            route.healthy()
    finally:
        member.close()


@pytest.mark.parametrize("check", ["tcp", "dicom-echo"])
def test_a_member_called_down_gives_up_what_it_holds(spare: Member, check: str) -> None:
    """Nobody listens there any more while it holds an object without answering: once its checks say so the object goes to the next."""
    gate = Gate()
    thing = objects.study("called-down", 1)[0]
    try:
        with Running([gate.port, spare.port], check=check, interval="200ms", fall=2) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]), timeout=20)
            a.message = 1
            command = pdus.store_rq(thing.sop_class, thing.sop_instance, 1)
            a.sock.sendall(b"".join(pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size)))
            assert gate.begun.wait(5)
            gate.sock.shutdown(socket.SHUT_RDWR)
            gate.sock.close()
            assert a.status() == 0
            assert route.member()["operational"] == "down"
            a.release()
            route.healthy()
    finally:
        gate.close()
    assert spare.data == {thing.sop_instance: thing.data}


def test_no_answer_in_time_is_an_unknown_outcome(spare: Member) -> None:
    """Its time to answer passes, twice: then the next member, named a possible duplicate."""

    def never(line: Line) -> None:
        line.take_command()
        line.take_data()
        line.rest()

    def pass_by() -> None:
        for transfer in route.process._dispatcher._of:
            if transfer.link is not None and transfer.link.sent_all and transfer.attempts[-1].member == "a":
                transfer.link._answer_due = 0.0

    member = Script(never)
    thing = objects.study("never", 1)[0]
    try:
        with Running([member.port, spare.port]) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            a.message = 1
            command = pdus.store_rq(thing.sop_class, thing.sop_instance, 1)
            a.sock.sendall(b"".join(pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size)))
            until(lambda: route.inside(pass_by) or spare.data, 10, "the next member has it")
            assert a.status() == 0
            a.release()
            route.healthy()
            assert route.count("gurney_dicom_ambiguous_total") >= 2
            assert route.count("gurney_dicom_possible_duplicates_total") == 1
    finally:
        member.close()
