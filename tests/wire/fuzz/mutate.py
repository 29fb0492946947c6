"""The one place for what is done to a capture: fields made to lie, units lost, doubled, swapped, spliced; bytes by chance.

The same number gives the same input for ever: `mutated(random.Random(number), seeds)`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.wire.fuzz.grammar import Seed

LARGEST = 9_000  # bytes of an input, but for the seeds themselves


def mutated(chance: random.Random, seeds: Sequence[Seed]) -> tuple[bytes, Seed]:
    """An input, and the seed it began as."""
    seed = chance.choice(seeds)
    data = bytearray(seed.data)
    roll = chance.random()
    if seed.fields and roll < 0.85:
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            _lie(chance, data, seed)
    if seed.units and chance.random() < (0.3 if roll < 0.85 else 0.8):
        _move(chance, data, seed, chance.choice(seeds))
    if not seed.fields or chance.random() < 0.2:
        _hurt(chance, data)
    if seed.single and chance.random() < 0.7 and len(data) > 6:
        data[2:6] = (len(data) - 6).to_bytes(4, "big")
    return bytes(data[: max(len(seed.data), LARGEST)]), seed


def _lie(chance: random.Random, data: bytearray, seed: Seed) -> None:
    """Another number in a field: a neighbour, an extreme, a bit, or what stands in another field of that size."""
    at, size, order = chance.choice(seed.fields)
    old = int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]
    top = (1 << 8 * size) - 1
    match chance.randrange(10):
        case 0 | 1:
            new = old + 1
        case 2 | 3:
            new = old - 1
        case 4:
            new = old + chance.choice((2, -2, 4, -4, 6, -6, 8, -8))
        case 5:
            new = chance.choice((0, 1, 2, 3, 5, 6, 7))
        case 6:
            new = chance.choice((top, top - 1, top >> 1, (top >> 1) + 1, 0xFFFF, 0x10000, 0x20000, 0x40001))
        case 7:
            new = old ^ 1 << chance.randrange(8 * size)
        case 8:
            other, width, way = chance.choice(seed.fields)
            new = int.from_bytes(data[other : other + width], way)  # type: ignore[arg-type]
        case _:
            new = chance.randint(0, top)
    data[at : at + size] = (new & top).to_bytes(size, order)  # type: ignore[arg-type]


def _move(chance: random.Random, data: bytearray, seed: Seed, other: Seed) -> None:
    """Units lost, doubled, swapped; cut off; the rest of another capture behind; a unit of another one between."""
    start, end = chance.choice(seed.units)
    match chance.randrange(7):
        case 0:
            del data[start:end]
        case 1:
            data[start:start] = data[start:end] * chance.choice((1, 1, 2, 9))
        case 2:
            first, stop = chance.choice(seed.units)
            (a, b), (c, d) = sorted(((start, end), (first, stop)))
            if b <= c:
                data[a:d] = data[c:d] + data[b:c] + data[a:b]
        case 3:
            del data[chance.randint(start, end) :]
        case 4:
            begin = chance.choice(other.units)[0] if other.units else 0
            data[start:] = other.data[begin : begin + 4_000]
        case 5:
            first, stop = chance.choice(other.units) if other.units else (0, 0)
            data[start:start] = other.data[first : min(stop, first + 4_000)]
        case _:
            del data[:start]


def _hurt(chance: random.Random, data: bytearray) -> None:
    """What knows nothing of structure."""
    at = chance.randrange(len(data) + 1)
    match chance.randrange(5):
        case 0:
            if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
        case 1:
            del data[at : at + chance.randint(1, 12)]
        case 2:
            data[at:at] = chance.randbytes(chance.randint(1, 12))
        case 3:
            data[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x80", b"\x80\0\0\0"))
        case _:
            del data[at:]
