"""The one place for what each parser's inputs begin as: the captures beside it, cut into the pieces a parser reads, and public samples."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from gurney.wire.dicom import pdu
from tests.wire import corpus
from tests.wire.fuzz import grammar
from tests.wire.fuzz.grammar import Seed
from tests.wire.malformed.upper_layer import CASES
from tests.wire.tape import CAPTURES, RQ, ac_of_first, command, item, p_data, store
from tests.wire.writer import IMPLICIT_LE, STUDY, SYNTAXES, WRITERS, us
from tests.wire.writer import command as written

SMALL = 3_000  # bytes: longer associations are mutated less often, since they cost more
SYNTAX_OF = {True: ("1.2.840.10008.1.2", True, "little"), False: ("1.2.840.10008.1.2.1", False, "little")}


def captured(side: str) -> list[bytes]:
    """What one side said in every capture: "dialled" or "accepted"."""
    found = [path.read_bytes() for path in sorted(CAPTURES.glob(f"*.{side}.bin"))]
    assert len(found) >= 16, f"captures are missing in {CAPTURES}"
    return found


def pdus(stream: bytes) -> Iterator[bytes]:
    """The PDUs of a capture."""
    at = 0
    while at < len(stream):
        end = at + 6 + int.from_bytes(stream[at + 2 : at + 6], "big")
        yield stream[at:end]
        at = end


def _weighed(seeds: list[Seed]) -> tuple[Seed, ...]:
    """Small seeds nine times, large ones once."""
    return tuple(seed for seed in seeds for _ in range(9 if len(seed.data) <= SMALL else 1))


def _whole(label: str) -> list[bytes]:
    """Streams of a role with what no program sends, so that splices can bring it: odd layouts and the malformed cases."""
    mixed = p_data(item(command(), 1), item(b"", 3), item(b"abc", 0), item(b"defg", 2))
    first = RQ.encode() if label == "dialled" else ac_of_first(RQ).encode()
    more = [first + store(bytes(range(100))) * 3 + pdu.RELEASE_RQ, first + mixed + store(b"x" * 400, 200) + pdu.Abort(0, 0).encode()]
    return captured(label) + more + [first + case.data[:600] for case in CASES if case.when == "open"]


@cache
def streams(label: str) -> tuple[Seed, ...]:
    """Associations from their first byte, as one side sent them."""
    return _weighed([grammar.stream(data, label) for data in _whole(label)])


@cache
def association_pdus() -> tuple[Seed, ...]:
    """A-ASSOCIATE-RQ, -AC, -RJ, A-RELEASE and A-ABORT, each once."""
    found = {pdu.AssociateRJ(2, 3, 1).encode(), pdu.Abort(2, 6).encode(), RQ.encode(), ac_of_first(RQ).encode()}
    found |= {data for side in ("dialled", "accepted") for stream in captured(side) for data in pdus(stream) if data[0] != 4}
    return _weighed([grammar.stream(data, single=True) for data in sorted(found)])


@cache
def requests() -> tuple[Seed, ...]:
    """A-ASSOCIATE-RQ only."""
    found = {data for stream in captured("dialled") for data in pdus(stream) if data[0] == 1} | {RQ.encode()}
    return _weighed([grammar.stream(data, single=True) for data in sorted(found)])


@cache
def p_data_streams() -> tuple[Seed, ...]:
    """The P-DATA-TF PDUs of every capture, one after the other; one capture's first 3,000 bytes at most."""
    found = [b"".join(data for data in pdus(stream) if data[0] == 4) for side in ("dialled", "accepted") for stream in _whole(side)]
    return tuple(grammar.stream(data[:SMALL]) for data in found if data)


def messages() -> Iterator[tuple[bytes, bytes]]:
    """(command set, data set) of every message in the captures."""
    for side in ("dialled", "accepted"):
        for stream in captured(side):
            text = {1: b"", 0: b""}
            for data in pdus(stream):
                at = 6
                while data[0] == 4 and at < len(data):
                    stop = at + 4 + int.from_bytes(data[at : at + 4], "big")
                    kind = data[at + 5] & 1
                    if kind and text[0]:
                        yield text[1], text[0]
                        text = {1: b"", 0: b""}
                    text[kind] += data[at + 6 : stop]
                    if kind and data[at + 5] & 2 and b"\0\0\0\x08\x02\0\0\0\x01\x01" in text[1]:
                        yield text[1], b""
                        text[1] = b""
                    at = stop
            if text[1]:
                yield text[1], text[0]


@cache
def command_sets() -> tuple[Seed, ...]:
    """Every command set of the captures, once; and C-STOREs as no program here writes them: odd UIDs, no group length, unknown elements."""
    found = {data for data, _ in messages()}
    for sop_class, instance in ((b"1.2.840.10008.5.1.4.1.1.2", b"1.2.3\0"), (b"1.2.840.10008.1.20\0\0", b"1.2.345")):
        asked = ((0x0002, sop_class), (0x0100, us(1)), (0x0110, us(7)), (0x0700, us(0)), (0x0800, us(0)), (0x1000, instance))
        said = ((0x0002, sop_class), (0x0100, us(0x8001)), (0x0120, us(7)), (0x0800, us(0x0101)), (0x0900, us(0)), (0x1000, instance))
        found |= {written(*asked), written(*said), written(*asked, with_length=False), written(*said, (0x5010, b"unknown "))}
    return tuple(grammar.command_set(data) for data in sorted(found))


@cache
def heads() -> tuple[Seed, ...]:
    """Heads of data sets: those of the captures, and those of the public samples in every transfer syntax."""
    found = []
    for _, data in messages():
        if data:
            found.append(grammar.data_set(data[:2500], *SYNTAX_OF[data[4:6] not in (b"UI", b"CS", b"DA", b"UL")]))
    for sample in corpus.samples():
        if len(sample.data) > 100:
            syntax, order = sample.transfer_syntax, "big" if sample.transfer_syntax == "1.2.840.10008.1.2.2" else "little"
            plain = Seed(sample.data[:2500], syntax)
            deflated = syntax.endswith(".99")
            found.append(plain if deflated else grammar.data_set(sample.data[:2500], syntax, syntax == "1.2.840.10008.1.2", order))
    return tuple(found + list(_by_hand()))


def _by_hand() -> Iterator[Seed]:
    """What samples have seldom, several times over: undefined lengths of all kinds, UN among them, a private block."""
    for syntax in SYNTAXES[:3] * 8:
        writer, inside = WRITERS[syntax], WRITERS[IMPLICIT_LE]
        foreign = writer.element(STUDY, b"UI", b"9.9.9.9\0")
        nested = writer.sequence(0x00081140, [writer.item(foreign, True), writer.item(foreign)], True)
        nested += writer.sequence(0x00081199, [writer.item(nested, True)], True) + writer.sequence(0x00089092, [writer.item(foreign)])
        unknown = writer.element(0x00091002, b"UN", b"", 0xFFFFFFFF)
        unknown += inside.item(inside.element(STUDY, b"UI", b"8.8\0"), True) + inside.delimiter(0xE0DD)
        private = writer.element(0x00090010, b"LO", b"GEMS_IDEN_01") + writer.element(0x00091001, b"LO", b"GE") + unknown
        private += writer.element(0x00091004, b"SH", b"x ") + writer.element(0x00091101, b"LO", b"not theirs")
        data = writer.element(0x00080060, b"CS", b"CT") + nested + private + writer.element(0x00100020, b"LO", b"P 1 ")
        data += writer.element(STUDY, b"UI", b"1.2.3.4\0") + writer.element(0x0020000E, b"UI", b"1.2.3.5\0")
        order = "big" if writer.order == ">" else "little"
        yield grammar.data_set(data + writer.element(0x00280010, b"US", b"\0\2"), syntax, writer.implicit, order)
