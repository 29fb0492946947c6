"""`Inbound.walk` against the slow reference walker: the same numbers for any layout, any lie and any split."""

from __future__ import annotations

import os
import random
import struct

import pytest

from tests.wire import reference
from tests.wire.tape import command, item, p_data
from tests.wire.walk import Differs, Walk

STREAMS = {"quick": 300, "chaos": 40_000}.get(os.environ.get("GURNEY_COUNTS", ""), 1_200)  # each walked three times
ACCEPTED = frozenset((1, 3, 255))
RELEASE = struct.pack(">BxII", 5, 4, 0)


# streams by chance


def message(chance: random.Random) -> bytes:
    """One message: any layout that is allowed; equal PDUs in a row often, as real senders write them."""
    context = chance.choice((1, 3, 255))
    has_data = chance.random() < 0.8
    others = chance.choice((0, 2, 9, 40)) if chance.random() < 0.97 else reference.MAX_COMMAND - 18 + chance.randint(-1, 2)
    text = command(chance.choice((0, 1)) if has_data else 0x0101, others)
    pdvs = cut_up(chance, text, 1, context)
    if has_data:
        size = chance.choice((0, 1, 2, 7, 30, 100, 250, 250, 4000))
        pdvs += cut_up(chance, chance.randbytes(size), 0, context)
    pdus: list[list[bytes]] = []
    together = chance.choice((0.0, 0.0, 0.1, 0.5, 0.9))
    for pdv in pdvs:
        if pdus and chance.random() < together:
            pdus[-1].append(pdv)
        else:
            pdus.append([pdv])
    return b"".join(p_data(*pdu) for pdu in pdus)


def cut_up(chance: random.Random, text: bytes, control: int, context: int) -> list[bytes]:
    """PDVs of a text: of one size, or cut anywhere; empty ones and reserved bits here and there."""
    if chance.random() < 0.6:
        step = chance.choice((1, 2, 3, 16, 50, 1000) if len(text) < 5000 else (1000, 4090, 20_000))
        ends = [*range(step, len(text), step), len(text)]
    else:
        ends = [*sorted(chance.randint(0, len(text)) for _ in range(chance.randint(0, 5))), len(text)]
    odd = chance.random() < 0.1
    pdvs = []
    for n, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        junk = chance.choice((0x04, 0x80, 0xFC)) if odd and chance.random() < 0.3 else 0
        pdvs.append(item(text[start:end], control | junk | (2 if n == len(ends) - 1 else 0), context))
    return pdvs


def lied_to(chance: random.Random, stream: bytes) -> bytes:
    """Changes where the headers are: types, lengths, context ids, control bits; a PDU lost, doubled or cut short."""
    data = bytearray(stream)
    for _ in range(chance.randint(1, 2)):
        starts = headers(bytes(data))
        if not starts:
            break
        at = chance.choice(starts)
        match chance.randrange(9):
            case 8:
                lengthen(data, at, chance.randint(1, 7))
            case 0 | 1:
                old = int.from_bytes(data[at : at + 4], "big")
                data[at : at + 4] = struct.pack(
                    ">I", chance.choice((0, 1, 2, 3, old + 1, max(old - 1, 0), old + 6, 0xFFFF, 2**31, 2**32 - 1))
                )
            case 2:
                data[at + 4] = chance.choice((1, 3, 5, 255, 0))
            case 3:
                data[at + 5] ^= chance.choice((1, 2, 3, 4, 0x80))
            case 4:
                lead = at - 6 if at >= 6 else 0
                data[lead : lead + 6] = struct.pack(
                    ">BBI", chance.choice((4, 4, 5, 0)), chance.choice((0, 9)), chance.choice((5, 6, 8, 4096, 2**32 - 1))
                )
            case 5:
                del data[at : at + chance.randint(1, 12)]
            case 6:
                data[at:at] = data[at - 6 : at + chance.randint(0, 60)]
            case _:
                del data[at + chance.randint(0, 14) :]
    return bytes(data)


def lengthen(data: bytearray, pdv: int, size: int) -> None:
    """Bytes that are no PDV at the end of the PDU whose first PDV this is; elsewhere just more bytes."""
    end = pdv + int.from_bytes(data[pdv - 4 : pdv], "big") if pdv >= 6 else len(data)
    if pdv >= 6 and data[pdv - 6] == 4 and end <= len(data):
        data[pdv - 4 : pdv] = struct.pack(">I", end - pdv + size)
        data[end:end] = bytes(size)


def headers(stream: bytes) -> list[int]:
    """Where PDVs begin, as far as the lengths are right."""
    found, at = [], 0
    while at + 12 <= len(stream):
        end = at + 6 + int.from_bytes(stream[at + 2 : at + 6], "big")
        pdv = at + 6
        while pdv + 6 <= min(end, len(stream)):
            found.append(pdv)
            pdv += 4 + max(int.from_bytes(stream[pdv : pdv + 4], "big"), 2)
        at = max(end, at + 6)
    return found


def cuts_of(chance: random.Random, stream: bytes) -> list[int]:
    """Where the bytes are cut: anywhere, around headers, every so many bytes, or not at all."""
    size = len(stream)
    match chance.randrange(5):
        case 0:
            return []
        case 1:
            step = chance.choice((1, 2, 5, 11, 12, 13, 100, 1460))
            return list(range(step, size, step)) if size // step < 400 else []
        case 2:
            near = [at + chance.randint(-7, 7) for at in headers(stream)]
            return sorted(cut for cut in near if 0 < cut < size and chance.random() < 0.5)
        case _:
            return sorted(chance.randint(0, size) for _ in range(chance.randint(1, 8)))


def test_any_stream_at_any_split_is_told_as_by_the_reference() -> None:
    seen = {"messages": 0, "data_sets": 0, "faults": 0}
    words: set[str] = set()
    for seed in range(STREAMS):
        chance = random.Random(seed)
        stream = b"".join(message(chance) for _ in range(chance.randint(1, 4)))
        if chance.random() < 0.5:
            stream = lied_to(chance, stream)
        if chance.random() < 0.2:
            stream += RELEASE
        maximum = chance.choice((8, 64, 262, 16384, 131072, 131072))
        told = reference.tell(stream, ACCEPTED, maximum)
        for _ in range(3):
            try:
                Walk(stream, maximum, told, ACCEPTED).run(cuts_of(chance, stream), chance)
            except (Differs, IndexError, struct.error) as error:
                pytest.fail(f"seed {seed}, maximum {maximum}: {error!r}")
        seen["messages"] += len(told.ends)
        seen["data_sets"] += len(told.sets)
        seen["faults"] += bool(told.faults)
        words |= told.faults
    print(f"pdv-walker streams={STREAMS} walks={3 * STREAMS} differs=0", *(f"{word}={count}" for word, count in seen.items()))
    assert seen["messages"] > STREAMS and seen["faults"] > STREAMS // 5
    assert words >= {"pdu-over-limit", "pdv-past-its-pdu", "pdv-too-short", "context-not-accepted", "interleaved-messages"}
    assert words >= {"data-before-command", "pdv-after-the-last", "command-over-limit"}


@pytest.mark.parametrize("maximum", [64, 16384, 131072])
@pytest.mark.parametrize("tail", [0, 1, 2])
def test_whole_pdus_of_real_sizes_at_splits_of_real_reads(maximum: int, tail: int) -> None:
    """Data sets as senders write them: equal PDUs up to the maximum and a shorter last one, over reads of a megabyte and less."""
    chance = random.Random(maximum + tail)
    room = maximum - 6
    count = min(40, 3_000_000 // room)
    data = chance.randbytes(room * count + tail)
    pieces = [data[at : at + room] for at in range(0, len(data), room)]
    pdus = [p_data(item(piece, 2 if n == len(pieces) - 1 else 0)) for n, piece in enumerate(pieces)]
    stream = p_data(item(command(), 3)) + b"".join(pdus) + p_data(item(command(), 3)) + pdus[0]
    told = reference.tell(stream, ACCEPTED, maximum)
    assert (len(told.ends), len(told.sets), told.faults) == (1, 2, set())
    for step in (len(stream), 1 << 20, 65536, room + 12, room + 11, 1460):
        Walk(stream, maximum, told, ACCEPTED).run(list(range(step, len(stream), step)), chance)


def test_every_split_of_a_shared_pdu_and_equal_pdus() -> None:
    """Command and data in one PDU, then equal ones, the last in two PDVs: every one and every pair of neighbouring splits."""
    equal = p_data(item(b"12345678")) * 3
    stream = (
        p_data(item(command(), 3), item(b"ab"), item(b"cdef"))
        + equal
        + p_data(item(b"12345678"), item(b"", 2))
        + p_data(item(command(0x0101), 3))
    )
    told = reference.tell(stream, ACCEPTED, 131072)
    assert (len(told.ends), told.sets[0].lead, told.stop) == (2, 18, len(stream))
    chance = random.Random(1)
    for cut in range(1, len(stream)):
        for gap in (0, 1, 6, 12):
            Walk(stream, 131072, told, ACCEPTED).run(sorted({cut, min(cut + gap, len(stream) - 1)}), chance)


def test_the_reference_is_told_apart() -> None:
    """The comparison sees one wrong number: a context id one byte off."""
    stream = p_data(item(command(), 3)) + p_data(item(b"xy", 2))
    told = reference.tell(stream, ACCEPTED, 131072)
    told.sets[0].ids[0] += 1
    with pytest.raises(Differs):
        Walk(stream, 131072, told, ACCEPTED).run([], random.Random(0))
