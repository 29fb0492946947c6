"""The one place for captured exchanges with seeded faults in them: what real peers said, cut, repeated, its lengths lying."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

from . import pdus

CAPTURES = Path(__file__).resolve().parents[2] / "wire" / "captures"
LENGTHS = (0, 1, 2, 5, 6, 0x7F, 0xFF, 0x4000, 0xFFFF, 0x20001, 0x40001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFA, 0xFFFFFFFF)
WORDS = (
    pdus.pdu(pdus.RELEASE_RQ, bytes(4)),
    pdus.pdu(pdus.RELEASE_RP, bytes(4)),
    pdus.abort(2, 0),
    pdus.reject(1, 1, 1),
    pdus.pdata(pdus.pdv(1, 3, pdus.echo_rq(1))),
    pdus.pdata(pdus.pdv(1, 0, b"")),
)


def captures(side: str) -> list[bytes]:
    """What requestors sent ("dialled"), or what acceptors answered ("accepted")."""
    return [path.read_bytes() for path in sorted(CAPTURES.glob(f"*.{side}.bin"))]


def borders(data: bytes) -> list[int]:
    """Where PDUs begin, as far as the lengths are true."""
    found, at = [], 0
    while at + 6 <= len(data):
        found.append(at)
        at += 6 + int(struct.unpack_from(">I", data, at + 2)[0])
    return found


def mutant(chance: random.Random, data: bytes) -> bytes:
    """A copy with one to three faults, most of them where the structure is; none keeps an association from being made in half of all."""
    out = bytearray(data)
    starts = borders(data)
    behind = starts[1] if len(starts) > 1 and chance.random() < 0.5 else 0
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(min(behind, len(out) - 1), len(out))
        match chance.randrange(7):
            case 0:
                out[at] = chance.randrange(256)
            case 1:
                out[at : at + 4] = struct.pack(">I", chance.choice(LENGTHS))
            case 2:
                del out[at : at + chance.randint(1, 40)]
            case 3:
                out[at:at] = out[at : at + chance.randint(1, 40)]
            case 4:
                start = chance.choice(starts)
                out[start + 2 : start + 6] = struct.pack(">I", chance.choice(LENGTHS))
            case 5:
                start = chance.choice(starts)
                out[start + 6 : start + 10] = struct.pack(">I", chance.choice(LENGTHS))
            case 6:
                start = chance.choice(starts)
                out[start:start] = chance.choice(WORDS)
    return bytes(out)


def mutants(seed: str, side: str, count: int) -> Iterator[bytes]:
    """`count` of them, the same for the same seed."""
    chance = random.Random(seed)
    sources = captures(side)
    for n in range(count):
        yield mutant(chance, sources[n % len(sources)])
