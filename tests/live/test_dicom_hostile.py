"""Every row of the malformed corpus from senders and from members, against a real Gurney (dicom.md §8, §12: 37; reliability.md H3)."""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import Room
from tests.live.harness import hostile, mutants, objects, pdus
from tests.live.harness.account import counted
from tests.live.harness.counts import count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.gurney import Gurney
from tests.live.harness.load import Load
from tests.live.harness.member import Member
from tests.live.harness.rogue import Heard, Plan, Rogue
from tests.live.harness.sender import Association, send
from tests.live.harness.wait import until
from tests.wire.malformed import accepting, commands, data_sets, upper_layer

PATIENT = "{kind: dicom-echo, interval: 10m, timeout: 2s, rise: 1, fall: 100}"  # what a member says in passing never takes it out
GROWTH = 50 << 20  # bytes
OTHERS = [f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("1", "1.1", "3.1", "4", "7", "20")]
SYNTAXES = [pdus.IMPLICIT_LE, pdus.EXPLICIT_LE, pdus.EXPLICIT_BE, pdus.DEFLATED]


@dataclass
class Stage:
    """A Gurney with an honest member alone behind `store`, and a rogue before an honest one behind `beside`; an honest load on `store`."""

    gurney: Gurney
    port: int
    beside: int
    honest: Member
    rogue: Rogue
    second: Member
    load: Load

    def __post_init__(self) -> None:
        self.pid = self.gurney.route_pid()
        self.echoes = self.unwell = 0

    def healthy(self, name: str) -> None:
        """A healthy C-ECHO within 2 s, on both services in turn."""
        self.echoes += 1
        if not hostile.served(self.port if self.echoes % 2 else self.beside):
            self.unwell += 1
            print(f"no C-ECHO after {name}")

    def forgiven(self, number: int) -> None:
        """Every few inputs the rogue serves an object: a hundred failures in a row would take it out, and nothing would reach it."""
        if number % 5 == 0:
            self.rogue.cut()
            assert send(self.beside, objects.study(f"37-forgiven-{number}", 1, transfer=pdus.IMPLICIT_LE)).acked

    def crashes(self) -> int:
        """Another route process than at the beginning, or defects met in it."""
        status = self.gurney.route("status")
        lines = (self.gurney.state / "apps" / "pacs" / "route.log").read_text().splitlines()
        broken = [line for line in lines if '.failed"' in line]
        for line in broken[:3]:
            print(line)
        return int(status["pid"] != self.pid) + len(broken)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """One for all tests of this file."""
    folder = Path(tempfile.mkdtemp(prefix="gl-", dir="/tmp"))  # unix socket paths are short
    room = Room(folder)
    try:
        made = staged(room)
        yield made
        made.load.stop()
    finally:
        room.close()
        shutil.rmtree(folder, ignore_errors=True)


def staged(room: Room) -> Stage:
    honest, second = room.member(transfers=SYNTAXES), room.member(transfers=SYNTAXES)
    rogue: Rogue = room.keep(Rogue())
    port, beside = room.port(), room.port()
    more = f"beside: {{protocol: dicom, listen: 127.0.0.1:{beside}, rules: [{{pool: mixed}}]}}"
    pools = {
        "archive": {"m": at(honest.port)},
        "mixed": {"rogue": f'{{address: "{at(rogue.port)}", max_associations: 1}}', "second": at(second.port)},
    }
    g = room.gurney(pacs(port, pools, rules=["{pool: archive}"], more=more, check=PATIENT, pool="balance: failover"))
    load = Load(port, 1, per_study=5, size=20_000)
    until(lambda: len(load.acked) > 5, 20, "load runs")
    return Stage(g, port, beside, honest, rogue, second, load)


def finish(stage: Stage, name: str, before: int, **figures: Any) -> None:
    """The line of counts, and what is always 0."""
    growth = hostile.rss(stage.pid) - before
    acked = len(stage.load.acked)
    until(lambda: len(stage.load.acked) > acked + 5 or stage.load.errors, 20, "the honest sender goes on")
    zeros = {"crashes": stage.crashes(), "others_errors": stage.load.errors, "unwell": stage.unwell}
    say("dicom-37", what=name, **figures, **zeros, healthy=stage.echoes - stage.unwell, rss_growth_mb=growth >> 20)
    assert zeros == {"crashes": 0, "others_errors": 0, "unwell": 0}, stage.load.broken[:3]
    assert growth < GROWTH
    stage.unwell = stage.echoes = 0


def rounds() -> range:
    return range(count(1, 20, 3))


def test_dicom_37_malformed_from_senders(stage: Stage) -> None:
    """Each input has its exact answer, each is followed by a healthy C-ECHO; what is stored of them is what a member may store."""
    assert hostile.heard(stage.port, b"", opened=True, timeout=0.2) is None  # members have been asked what they take
    before = hostile.rss(stage.pid)
    wrong: list[str] = []
    inputs = 0

    def expect(name: str, got: object, wanted: object) -> None:
        nonlocal inputs
        inputs += 1
        if got != wanted:
            wrong.append(f"{name}: {got!r} instead of {wanted!r}")
        stage.healthy(name)

    for _ in rounds():
        for case in upper_layer.CASES:
            got = hostile.heard(stage.port, case.data, opened=case.when == "open")
            if case.answer is not None or case.when == "open":
                expect(case.name, got, case.answer or upper_layer.INVALID)
            else:  # lawful by its form: accepted, or refused by a rejection
                expect(case.name, got is not None and got[:1] in (b"\2", b"\3"), True)
        for command in commands.REQUESTS:
            expect(command.name, hostile.asked(stage.port, command.data, bytes(100) if command.data_set else None), "abort")
        for command in commands.ODD:
            expect(command.name, hostile.asked(stage.port, command.data, objects.study(command.name, 1)[0].data), 0)
        for command in commands.UNKNOWN:
            expect(command.name, hostile.asked(stage.port, command.data, bytes(100) if command.data_set else None), 0x0211)
    for line in wrong:
        print(line)
    finish(stage, "senders", before, inputs=inputs, deviations=len(wrong))
    assert wrong == []


def test_dicom_37_data_sets_that_lie_go_on_as_they_came(stage: Stage) -> None:
    """Bombs, sequences without end, lying lengths: stored byte for byte, unreadable where they are; memory stays."""
    made = [
        objects.made(objects.CT, f"2.25.{3700 + n}{i}", "", case.transfer, case.data)
        for n in rounds()
        for i, case in enumerate(data_sets.cases())
    ]
    before, unread = hostile.rss(stage.pid), stage.gurney.route("status")["services"]["store"]["unreadable"]
    acked: set[str] = set()
    for thing in made:
        acked |= send(stage.port, [thing], calling="HOSTILE", timeout=20).acked
        stage.healthy(thing.sop_instance)
    stored = stage.honest.stored()
    changed = sum(stored.get(t.sop_instance) != t.sha for t in made)
    unreadable = stage.gurney.route("status")["services"]["store"]["unreadable"] - unread
    finish(stage, "data-sets", before, inputs=len(made), acked=len(acked), changed=changed, unreadable=unreadable)
    expected = sum(not case.readable for case in data_sets.cases()) * len(rounds())
    assert (len(acked), changed, unreadable) == (len(made), 0, expected)


def answering(case: commands.Case, index: int) -> Callable[[Heard], bytes]:
    """The command set for the Message ID in hand, with a data set behind it where it announces one."""

    def say_it(heard: Heard) -> bytes:
        said = commands.answers(heard.number)[index]
        end = pdus.pdata(pdus.pdv(heard.context, 2, b"abcd")) if said.data_set else b""
        return pdus.pdata(pdus.pdv(heard.context, 3, said.data)) + end

    return say_it


ENDS = [
    ("a release", pdus.pdu(pdus.RELEASE_RQ, bytes(4)), False),
    ("an abort", pdus.abort(2, 0), False),
    ("a release and its end", pdus.pdu(pdus.RELEASE_RQ, bytes(4)), True),
    ("an abort and its end", pdus.abort(0, 0), True),
    ("its end", b"", True),
    ("half a PDU and its end", b"\4\0\0", True),
]


def following(moment: str, data: bytes) -> Callable[[Heard], bytes]:
    """The honest word of this moment, and `data` in the same write."""

    def say_it(heard: Heard) -> bytes:
        if moment == "accepting":
            return pdus.associate_ac(heard.rq.head, [(o.id, 0, o.transfers[0]) for o in heard.rq.offers]) + data
        return pdus.pdata(pdus.pdv(heard.context, 3, pdus.response(pdus.parse_command(heard.command), 0))) + data

    return say_it


def plans() -> list[tuple[str, Plan]]:
    """Every malformed thing at every moment it can come: at association time, behind the command set, as an answer, behind one."""
    out = [(f"accepting {c.name}", Plan("accepting", c.data)) for c in accepting.CASES]
    out += [(f"accepting, then gone {c.name}", Plan("accepting", c.data[:40], leave=True)) for c in accepting.CASES[::3]]
    opened = [c for c in upper_layer.CASES if c.when == "open"]
    for moment in ("command", "answer", "after"):
        out += [(f"{moment} {c.name}", Plan(moment, c.data)) for c in opened]
    out += [(f"answer and at once {c.name}", Plan("answer", following("answer", c.data), stores=True)) for c in opened[:: count(4, 1, 1)]]
    out += [(f"AC and at once {c.name}", Plan("accepting", following("accepting", c.data))) for c in opened[:: count(4, 1, 1)]]
    out += [(f"AC and at once {n}", Plan("accepting", following("accepting", data), leave)) for n, data, leave in ENDS]
    out += [(f"answer and at once {n}", Plan("answer", following("answer", data), leave, stores=True)) for n, data, leave in ENDS]
    out += [(f"answer {c.name}", Plan("answer", answering(c, i))) for i, c in enumerate(commands.answers(1))]
    return out


def test_dicom_37_malformed_from_members(stage: Stage) -> None:
    """Whatever a member says in place of its part, the object is stored on the other one (or there, where it was honest), each time."""
    warm = objects.study("37-warm", 1, transfer=pdus.IMPLICIT_LE)
    assert send(stage.beside, warm, calling="SENDER").acked
    before = hostile.rss(stage.pid)
    lost: list[str] = []
    unmet: list[str] = []
    inputs = duplicates = 0
    # What an AC of no use teaches about a pair keeps that pair's objects away from then on: each has a pair of its own, and comes last.
    useless = [(f"accepting {c.name}", Plan("accepting", c.data), cls) for c, cls in zip(accepting.USELESS, OTHERS, strict=True)]
    for n in rounds():
        for name, plan, cls in [*((name, plan, objects.CT) for name, plan in plans()), *(useless if n == 0 else [])]:
            stage.rogue.cut()
            stage.rogue.plan, met = plan, stage.rogue.met
            things = objects.study(f"37-{n}-{name}", 3, transfer=pdus.IMPLICIT_LE, size=4000, sop_class=cls)
            out = send(stage.beside, things, associations=2, calling="SENDER", timeout=20)  # one waits for the slot of the other
            inputs += 1
            there, second = stage.rogue.stored(), stage.second.stored()
            for t in things:
                if out.statuses.get(t.sop_instance) != 0 or t.sha not in (there.get(t.sop_instance), second.get(t.sop_instance)):
                    lost.append(f"{name}: {out.statuses.get(t.sop_instance)} {out.comments.get(t.sop_instance)} {out.errors}")
                duplicates += t.sop_instance in there and t.sop_instance in second
            if stage.rogue.met == met:
                unmet.append(name)
            stage.rogue.plan = None
            stage.healthy(name)
            stage.forgiven(inputs)
    for line in lost[:20]:
        print(line)
    named = counted(stage.gurney.counters(), "possible_duplicates_total")
    finish(stage, "members", before, inputs=inputs, lost=len(lost), unmet=len(unmet), on_both=duplicates, named=named)
    assert (lost, unmet) == ([], [])
    assert duplicates <= named


def test_dicom_37_a_member_that_ends_what_it_has_accepted_is_not_dialled_without_end(stage: Stage) -> None:
    """An object on its way waits for a member whose every association ends at once: a few attempts, not as many as the network takes."""
    thing = objects.study("37-storm", 1, transfer=pdus.IMPLICIT_LE, size=60_000)[0]
    assert send(stage.beside, objects.study("37-calm", 1, transfer=pdus.IMPLICIT_LE)).acked
    stage.rogue.cut()
    stage.rogue.plan, met = Plan("accepting", following("accepting", b""), leave=True), stage.rogue.met
    a = Association(stage.beside, pdus.offers_for([thing.pair]), pdu_size=16_384)
    whole = b"".join(pdus.message_pdus(1, pdus.store_rq(thing.sop_class, thing.sop_instance, 1), thing.data, a.pdu_size))
    a.message = 1
    a.sock.sendall(whole[:40_000])
    until(lambda: stage.rogue.met > met, 10, "it is dialled")
    echoes = sum(hostile.served(stage.port) for _ in range(200))
    dials = stage.rogue.met - met
    a.sock.sendall(whole[40_000:])
    status = a.status()
    a.release()
    stage.rogue.plan = None
    say("dicom-37", what="dialled", echoes=echoes, dials=dials, status=f"{status:04x}")
    assert (echoes, status) == (200, 0)
    assert dials < 20


def test_dicom_37_mutated_captures(stage: Stage) -> None:
    """What requestors said, with faults in it, on associations of their own, eight at a time; what acceptors said, from the rogue."""
    before, fds = hostile.rss(stage.pid), hostile.descriptors(stage.pid)
    total = count(400, 40_000, 4000)
    seed = "37"
    shares = [[*mutants.mutants(f"{seed}-{i}", "dialled", total // 8)] for i in range(8)]

    def work(index: int) -> None:
        """What stays half said is left to the deadlines: the connection is closed, one way or the other."""
        for n, data in enumerate(shares[index]):
            hostile.spoken(stage.port, data, patience=0.05, reset=n % 2 == 0)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    lost = 0
    answers = [*mutants.mutants(f"{seed}-m", "accepted", total // 8)]
    for n, data in enumerate(answers):
        stage.rogue.cut()
        first = struct.unpack_from(">I", data, 2)[0] + 6
        moment, said = (("accepting", data), ("answer", data[min(first, len(data) // 2) :]))[n % 2]
        stage.rogue.plan = Plan(moment, said, leave=True)
        things = objects.study(f"37-mutant-{n}", 1, transfer=pdus.IMPLICIT_LE, size=4000)
        out = send(stage.beside, things, timeout=20)
        there, second = stage.rogue.stored(), stage.second.stored()
        lost += sum(t.sop_instance in out.acked and t.sha not in (there.get(t.sop_instance), second.get(t.sop_instance)) for t in things)
        lost += len(out.errors) + len(out.rejects)
        stage.rogue.plan = None
        stage.healthy(f"mutant {n}")
        stage.forgiven(n)
    until(lambda: hostile.descriptors(stage.pid) < fds + 20, 20, "no connection is left")
    finish(stage, "mutants", before, seed=seed, inputs=total + len(answers), lost=lost)
    assert lost == 0
