"""The one place for the arithmetic of weights: rendezvous scores and weighted turns. Deterministic on every machine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

SCALE = 1 << 53  # a float's own precision


def score(name: str, weight: float, kind: str, value: str) -> float:
    """The weighted rendezvous score of member `name` for a key; the highest wins.

    −w / ln(h) with h uniform in (0, 1) gives each member keys in proportion to its weight, and a member that leaves gives up
    only its own keys (Mosharaf et al., "Weighted rendezvous hashing"; the logarithmic method).
    """
    text = f"{len(name)}:{name}{kind}:{value}".encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 11
    return -weight / math.log((number + 0.5) / SCALE)


def turn_of(weights: Sequence[int], turn: int) -> int:
    """The index whose turn it is: each index gets its weight's share of every round, spread evenly over the round.

    Index i has ticks at (2k + 1) / 2wᵢ for k < wᵢ; the round is all ticks in order (ties: the lower index first). The tick of
    rank `turn` is found by bisection, so the answer needs no state but the turn's number. Weights are ≥ 1.
    """
    divisor = math.gcd(*weights)
    shares = [weight // divisor for weight in weights]
    place = turn % sum(shares)
    for index, share in enumerate(shares):
        low, high = 0, share - 1
        while low <= high:
            middle = (low + high) // 2
            rank = _rank(shares, index, middle)
            if rank == place:
                return index
            low, high = (middle + 1, high) if rank < place else (low, middle - 1)
    raise AssertionError("every rank of a round belongs to one tick")


def _rank(shares: Sequence[int], index: int, tick: int) -> int:
    """How many ticks of the round come before tick `tick` of `index`."""
    before = 0
    over, under = 2 * tick + 1, 2 * shares[index]  # the tick stands at over / under
    for other, share in enumerate(shares):
        # ticks (2k + 1) / 2share before over / under, those at the same place counted for lower indices only
        limit = over * 2 * share  # (2k + 1) * under < limit, or <= for a lower index
        most = limit // under if other < index else -(-limit // under) - 1
        before += (most + 1) // 2
    return before
