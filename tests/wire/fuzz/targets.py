"""The one place for what is asked of each parser about any input: one function a target, shared by the seeded mutators and by atheris.

A target takes the bytes, a label that says what they stand for, and a source of chance for splits; it returns a word for the outcome.
A declared error is an outcome. An AssertionError is a broken promise; whatever else comes out is what nobody declared.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from gurney.wire.dicom import command as commands
from gurney.wire.dicom import events, negotiate, pdu, states
from gurney.wire.dicom.command import CommandFault
from gurney.wire.dicom.head import REASONS, Head
from gurney.wire.dicom.pdu import AssociateAC, AssociateRQ, ContextAC, ContextRQ, PduFault
from gurney.wire.dicom.pdv import SMALLEST_MAXIMUM
from gurney.wire.dicom.upper import Upper
from tests.wire import reference
from tests.wire.bounds import bounded
from tests.wire.fuzz import oracle, seeds
from tests.wire.fuzz.grammar import Seed
from tests.wire.tape import VERIFICATION, Caller, ac_of_first
from tests.wire.walk import Walk

Target = Callable[[bytes, str, random.Random], str]

PDU_FAULTS = {"unknown-pdu", "wrong-length", "item-past-its-end", "too-many-items", "even-context-id", "repeated-context-id"}
PDU_FAULTS |= {"role-past-its-end", "wrong-item-length"}
IDS = frozenset(range(1, 256, 2))


def read_pdu(data: bytes, label: str, chance: random.Random) -> str:
    """`pdu.decode`: what was read can be written, and is read the same again."""
    try:
        message = pdu.decode(data)
    except PduFault as fault:
        assert fault.reason in (1, 2, 6) and fault.why in PDU_FAULTS, fault.why
        return fault.why
    if isinstance(message, AssociateRQ | AssociateAC):
        ids = [context.id for context in message.contexts]
        assert len(set(ids)) == len(ids) and IDS.issuperset(ids)
        told = [(role.sop_class, role.scu, role.scp) for role in message.roles]
        told += [(item.sop_class, item.information, None) for item in message.extended]
        told += [(common.sop_class, common.service_class, None) for common in message.common_extended]
        assert all(sop_class.encode("latin-1") in data[74:] for sop_class, _, _ in told)
        _inside(message)
    if isinstance(message, AssociateRQ):
        assert pdu.fault(message) in (None, (1, 2, 2), (1, 1, 2))
    again = pdu.decode(message.encode())
    assert _comparable(again) == _comparable(message)
    return type(message).__name__


def _inside(message: AssociateRQ | AssociateAC) -> None:
    """The counted fields of user items end inside their item (PS3.7 §D.3.3.4 to §D.3.3.7), by a count of our own."""
    counted = [(role.data, 0, 1, 2) for role in message.roles] + [(item.data, 0, 1, 0) for item in message.extended]
    counted += [(common.data, 0, 2, 0) for common in message.common_extended]
    if message.user_identity is not None:
        counted.append((message.user_identity, *((2, 2, 0) if isinstance(message, AssociateRQ) else (0, 1, 0))))
    for data, at, fields, behind in counted:
        for _ in range(fields):
            assert at + 2 <= len(data)
            at += 2 + int.from_bytes(data[at : at + 2], "big")
        assert at + behind <= len(data)


def _comparable(message: object) -> object:
    """A message without what writing it does not keep: notes, and unknown items inside and beside the user information mixed."""
    if not isinstance(message, AssociateRQ | AssociateAC):
        return message
    unknown = tuple(sorted(message.unknown, key=lambda item: not item.in_user_information))
    if isinstance(message, AssociateRQ):
        return replace(message, notes=(), unknown=unknown)
    return replace(message, notes=(), unknown=unknown, contexts=tuple(_answer(context) for context in message.contexts))


def _answer(context: ContextAC) -> ContextAC:
    """The transfer syntax counts when the context was accepted (PS3.8 Table 9-18)."""
    return context if context.result == 0 else ContextAC(context.id, context.result)


def read_pdvs(data: bytes, label: str, chance: random.Random) -> str:
    """`Inbound.walk` at a random split tells what the reference walker tells."""
    maximum = chance.choice((64, 4096, 16384, 131072))
    told = reference.tell(data, IDS, maximum)
    Walk(data, maximum, told, IDS).run(split(chance, len(data)), chance)
    return min(told.faults) if told.faults else "taken"


def split(chance: random.Random, size: int) -> list[int]:
    """Where bytes are cut: not at all, once, a few times, or every so many."""
    match chance.randrange(6):
        case 0:
            return []
        case 1 | 2:
            return [chance.randint(0, size)]
        case 3 | 4:
            return sorted(chance.randint(0, size) for _ in range(chance.randint(2, 5)))
        case _:
            step = max(chance.choice((1, 7, 13, 100)), size // 100)
            return list(range(step, size, step))


def read_command(data: bytes, label: str, chance: random.Random) -> str:
    """`command.read`: the quick way says what the long way says; a patched copy differs in two bytes; a request can be answered."""
    long = _slowly(data)
    try:
        read = commands.read(data)
    except CommandFault as fault:
        assert fault.reason in commands.FAULTS and str(long) == str(fault)
        return fault.reason
    assert read == long
    told = oracle.command_values(data) if chance.random() < oracle.SHARE else None
    if told is not None:
        sop_class, instance = (told.get(at) or told.get(at + 1) or b"" for at in (0x0002, 0x1000))
        numbers = [int.from_bytes(told[at], "little") if at in told else None for at in (0x0100, 0x0110, 0x0120, 0x0900)]
        assert numbers == [read.field, read.message_id, read.responded_id, read.status]
        assert [sop_class.rstrip(b"\0 "), instance.rstrip(b"\0 ")] == [
            read.sop_class.encode("latin-1"),
            read.sop_instance.encode("latin-1"),
        ]
        assert read.data_set == (told[0x0800] != b"\x01\x01")
    number = read.message_id if read.id_at and not read.is_response and read.field != commands.C_CANCEL_RQ else read.responded_id
    assert number is not None and read.data[read.id_at : read.id_at + 2] == number.to_bytes(2, "little")
    other = read.renumbered(number ^ 0xA5A5)
    assert other[: read.id_at] == data[: read.id_at] and other[read.id_at + 2 :] == data[read.id_at + 2 :]
    assert commands.with_message_id(other, number) == data
    if not read.is_response and read.field != commands.C_CANCEL_RQ and len(data) < 4_000:
        answer = commands.read(commands.response(read, 0x0122, "no member takes it"))
        assert (answer.responded_id, answer.status, answer.sop_class) == (number, 0x0122, read.sop_class)
    return "read"


def _slowly(data: bytes) -> object:
    """The command set element by element, or its fault."""
    try:
        return commands._read(data)
    except CommandFault as fault:
        return fault


def read_head(data: bytes, label: str, chance: random.Random) -> str:
    """`Head`: the same at any split; every so often pydicom is asked, which says the same values or cannot read it either."""
    whole = _walked(label, data, [])
    cut = _walked(label, data, split(chance, min(len(data), 1600)))
    assert (whole.unreadable, whole.values, whole.private) == (cut.unreadable, cut.values, cut.private)
    assert whole.unordered == cut.unordered
    if whole.unreadable is not None:
        assert whole.unreadable in REASONS and not whole.values and not whole.private
        return whole.unreadable
    if chance.random() < oracle.SHARE:
        told = oracle.expected(label, data)
        assert told is None or told == (whole.values, whole.private), f"pydicom: {told}\nwe: {whole.values} {whole.private}"
        return "oracle-silent" if told is None else "compared"
    return "read"


def _walked(syntax: str, data: bytes, cuts: Sequence[int]) -> Head:
    head, at = Head(syntax, oracle.WANTED), 0
    for cut in (*cuts, len(data)):
        head.feed(memoryview(data)[at:cut])
        at = cut
    head.finish()
    assert head.decided
    return head


WORDS = ("accepted", "accepted", "accepted", "refused", "unknown")


def answer_request(data: bytes, label: str, chance: random.Random) -> str:
    """`negotiate` on what a request says: an answer a context, only what was asked, only to who takes it; and it can be sent."""
    try:
        rq = AssociateRQ.decode(data)
    except PduFault as fault:
        return fault.why
    members = {name: chance.randrange(1 << 16) for name in ("a", "b", "c")[: chance.randint(0, 3)]}
    pools = [[name for name in members if chance.random() < 0.7] for _ in range(chance.randint(0, 2))]

    def word(member: str, abstract: str, transfer: str) -> str:
        return WORDS[(hash_of(abstract) + 7 * hash_of(transfer) + members[member]) % 5]

    said = negotiate.negotiate(rq, pools, word, chance.choice(((), ("1.2.840.10008.1.2.1",))))
    assert [context.id for context in said.contexts] == [context.id for context in rq.contexts]
    for asked, answer in zip(rq.contexts, said.contexts, strict=True):
        _checked_answer(asked, answer, word, {name for pool in pools for name in pool})
    if said.reject is None and rq.contexts:
        ac = AssociateAC.decode(AssociateAC(ae_bytes=rq.ae_bytes, contexts=said.contexts).encode())
        assert [(context.id, context.result) for context in ac.contexts] == [(context.id, context.result) for context in said.contexts]
        pairs = negotiate.answers(rq.contexts, ac)
        assert {pair for pair, taken in pairs.items() if taken} <= {(c.abstract, t) for c in rq.contexts for t in c.transfers}
    assert said.reject in (None, negotiate.NO_MEMBER, negotiate.NO_CONTEXT)
    return "rejected" if said.reject else "answered"


def hash_of(text: str) -> int:
    """A number of a text, the same in every process."""
    return sum(text.encode("latin-1"))


def _checked_answer(asked: ContextRQ, answer: ContextAC, word: Callable[[str, str, str], str], names: set[str]) -> None:
    if answer.result:
        assert answer.result in (3, 4)
    else:
        assert answer.transfer in asked.transfers
        assert asked.abstract == VERIFICATION or any(word(name, asked.abstract, answer.transfer) == "accepted" for name in names)


@cache
def _asked() -> AssociateRQ:
    """What the dialling core has asked for, so that an AC of any capture finds its first contexts among them."""
    return AssociateRQ(contexts=tuple(ContextRQ(number, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)) for number in range(1, 16, 2)))


def associate(data: bytes, label: str, chance: random.Random) -> str:
    """The whole core in the role that hears `label`'s side ("dialled": we accept): the same at another split, bounded, and it ends."""
    cuts = split(chance, len(data))
    caller = _association(data, label, cuts)
    if chance.random() < 0.25:
        assert _association(data, label, split(chance, len(data))).seen() == caller.seen()
    aborted = [entry.why for entry in caller.trace if isinstance(entry, events.Aborted)]
    _end(caller, chance)
    return aborted[0] if aborted else "other"


def _association(data: bytes, label: str, cuts: Sequence[int]) -> Caller:
    caller = Caller(Upper(label == "dialled", 0.0), accept=ac_of_first)
    if label != "dialled":
        caller.upper.request(_asked(), 0.0)
    caller.feed_cut(data, cuts, 1.0)
    bounded(caller)
    assert caller.upper.peer_maximum == 0 or caller.upper.peer_maximum >= SMALLEST_MAXIMUM
    return caller


def _end(caller: Caller, chance: random.Random) -> None:
    """The peer closes, or falls silent: whatever it said before, the core comes to rest in Sta1."""
    if chance.random() < 0.5:
        caller.upper.closed(2.0)
    for _ in range(4):
        if caller.upper.deadline is not None:
            caller.upper.tick(caller.upper.deadline)
        caller.look(b"")
    if caller.upper.state != states.IDLE:
        caller.upper.closed(9_999.0)
        caller.look(b"")
    assert caller.trace[-1] in (events.Closed(True), events.Closed(False))


@dataclass(frozen=True)
class Fuzzed:
    """A parser under test: what it is asked, what its inputs begin as, and outcomes without which the inputs would say little."""

    target: Target
    seeds: Callable[[], Sequence[Seed]]
    seen: frozenset[str]


TARGETS = {
    "pdu": Fuzzed(
        read_pdu,
        seeds.association_pdus,
        frozenset({"AssociateRQ", "AssociateAC", "Abort", "AssociateRJ"} | PDU_FAULTS - {"too-many-items"}),
    ),
    "pdv": Fuzzed(read_pdvs, seeds.p_data_streams, frozenset({"taken", "pdu-over-limit", "pdv-past-its-pdu", "interleaved-messages"})),
    "command": Fuzzed(read_command, seeds.command_sets, frozenset({"read", *commands.FAULTS} - {"over-limit"})),
    "head": Fuzzed(read_head, seeds.heads, frozenset({"compared", "not-a-vr", "cut", "deflate", "stray-item", "not-an-item", "delimiter"})),
    "negotiate": Fuzzed(answer_request, seeds.requests, frozenset({"answered", "rejected", "even-context-id"})),
    "accepting": Fuzzed(associate, lambda: seeds.streams("dialled"), frozenset({"unexpected-pdu", "pdv-past-its-pdu", "peer", "other"})),
    "dialling": Fuzzed(associate, lambda: seeds.streams("accepted"), frozenset({"unexpected-pdu", "pdv-past-its-pdu", "peer", "other"})),
}
