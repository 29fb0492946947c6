"""The one place for which presentation contexts are accepted: pure sets over what members are known to take (PS3.8 §7.1.1, dicom.md §2).

The answer to a request is due before any object is known. So a pair (abstract syntax, transfer syntax) is accepted when *all* eligible
members of *all* possible pools accept it; an abstract syntax this would leave with nothing is accepted where *any* does, and its objects go
only there. A pair nobody was asked about is refused this time and reported, so that the caller may ask first and negotiate again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gurney.wire.dicom.pdu import AssociateAC, AssociateRQ, ContextAC, ContextRQ
from gurney.wire.dicom.sop_classes import VERIFICATION, is_storage

ACCEPTED: Final = 0
NO_ABSTRACT: Final = 3
NO_TRANSFER: Final = 4

NO_MEMBER: Final = (2, 3, 1)
"""A-ASSOCIATE-RJ: rejected for now, by the service provider (presentation), temporary congestion."""
NO_CONTEXT: Final = (1, 1, 1)
"""A-ASSOCIATE-RJ: rejected for good, by the service user, no reason given: nothing here could ever be used."""

BATCH: Final = 128
"""Contexts one association can propose: odd ids 1–255 (PS3.8 §9.3.2.2)."""

Pools = Sequence[Sequence[str]]
"""Per possible pool the names of its eligible members: up, down or full, but neither disabled nor taken out by a rule."""
Pair = tuple[str, str]
"""Abstract syntax UID, transfer syntax UID."""
Word = Callable[[str, str, str], str]
"""(member, abstract, transfer) → "accepted", "refused" or "unknown"."""


@dataclass(frozen=True, slots=True)
class Negotiation:
    """The answer as far as it is known. With `unknown` not empty the caller may ask those pairs and negotiate once more."""

    contexts: tuple[ContextAC, ...]  # one for each proposed, in order
    unknown: frozenset[tuple[str, str, str]]  # (member, abstract, transfer) nobody was asked about
    reject: tuple[int, int, int] | None  # result, source, reason of an A-ASSOCIATE-RJ instead of the answer
    notes: tuple[str, ...]  # "any ABSTRACT": accepted though not all members take it · "refused ABSTRACT"


def negotiate(rq: AssociateRQ, eligible: Pools | Callable[[str], Pools], word: Word, prefer: Sequence[str] = ()) -> Negotiation:
    """Answer every context of `rq`. `eligible` may depend on the abstract syntax, since rules match on `sop_class`.

    Among the transfer syntaxes that can be had the sender's order decides, unless `prefer` names one of them.
    """
    offers: dict[str, dict[str, None]] = {}  # abstract syntax → transfer syntaxes of all its contexts, both in the order proposed
    for context in rq.contexts:
        if is_storage(context.abstract):
            offers.setdefault(context.abstract, {}).update(dict.fromkeys(context.transfers))
    judged = {abstract: _judge(abstract, transfers, _pools(eligible, abstract), word) for abstract, transfers in offers.items()}
    contexts = tuple(_answer(context, judged.get(context.abstract), prefer) for context in rq.contexts)
    unknown = frozenset(entry for verdict in judged.values() for entry in verdict.unknown)
    return Negotiation(contexts, unknown, _reject(rq, contexts, judged), _notes(contexts, judged))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is known of one abstract syntax over all its contexts."""

    by_all: frozenset[str]  # transfer syntaxes every eligible member takes
    by_each: frozenset[str]  # taken by at least one member of each pool
    by_any: frozenset[str]  # taken by at least one member
    unknown: tuple[tuple[str, str, str], ...]
    members: int

    @property
    def takers(self) -> tuple[frozenset[str], ...]:
        """The sets to choose from, best first."""
        return (self.by_all,) if self.by_all else (self.by_each, self.by_any)


def _judge(abstract: str, transfers: Collection[str], pools: Pools, word: Word) -> _Verdict:
    members = dict.fromkeys(member for pool in pools for member in pool)
    words = {(member, transfer): word(member, abstract, transfer) for transfer in transfers for member in members}

    def takes(member: str, transfer: str) -> bool:
        return words[member, transfer] == "accepted"

    used = [pool for pool in pools if pool]
    return _Verdict(
        by_all=frozenset(t for t in transfers if members and all(takes(m, t) for m in members)),
        by_each=frozenset(t for t in transfers if used and all(any(takes(m, t) for m in pool) for pool in used)),
        by_any=frozenset(t for t in transfers if any(takes(m, t) for m in members)),
        unknown=tuple((m, abstract, t) for (m, t), said in words.items() if said not in ("accepted", "refused")),
        members=len(members),
    )


def _answer(context: ContextRQ, verdict: _Verdict | None, prefer: Sequence[str]) -> ContextAC:
    """One transfer syntax, or result 3 or 4 (PS3.8 Table 9-18)."""
    wanted = _ordered(context.transfers, prefer)
    if context.abstract == VERIFICATION:
        return ContextAC(context.id, ACCEPTED, wanted[0]) if wanted else _refused(context, NO_TRANSFER)
    if verdict is None:
        return _refused(context, NO_ABSTRACT)
    for takers in verdict.takers:
        for transfer in wanted:
            if transfer in takers:
                return ContextAC(context.id, ACCEPTED, transfer)
    return _refused(context, NO_TRANSFER)


def _refused(context: ContextRQ, result: int) -> ContextAC:
    """The transfer syntax is not significant then (PS3.8 §9.3.3.2), but a proposed one is what peers parse best."""
    return ContextAC(context.id, result, context.transfers[0] if context.transfers else "")


def _reject(rq: AssociateRQ, contexts: Sequence[ContextAC], judged: Mapping[str, _Verdict]) -> tuple[int, int, int] | None:
    """For good only when nothing could ever be used; for now when storage is asked for and no member is known to take any of it."""
    usable = [context for context in rq.contexts if context.transfers and (context.abstract == VERIFICATION or context.abstract in judged)]
    if not usable:
        return NO_CONTEXT
    stored = [context.id for context in usable if context.abstract in judged]
    accepted = {context.id for context in contexts if context.result == ACCEPTED}
    if not stored or accepted.intersection(stored):
        return None
    return NO_MEMBER if any(verdict.unknown or not verdict.members for verdict in judged.values()) else None


def _notes(contexts: Sequence[ContextAC], judged: Mapping[str, _Verdict]) -> tuple[str, ...]:
    lines = [f"any {abstract}" for abstract, verdict in judged.items() if verdict.by_any and not verdict.by_all]
    lines += [f"refused {abstract}" for abstract, verdict in judged.items() if not verdict.by_any]
    return tuple(lines)


def _pools(eligible: Pools | Callable[[str], Pools], abstract: str) -> Pools:
    return eligible(abstract) if callable(eligible) else eligible


def _ordered(transfers: Iterable[str], prefer: Sequence[str]) -> list[str]:
    """The sender's transfer syntaxes, those of `prefer` first and in its order."""
    proposed = list(dict.fromkeys(transfers))
    first = [transfer for transfer in prefer if transfer in proposed]
    return first + [transfer for transfer in proposed if transfer not in first]


def proposals(pairs: Iterable[Pair]) -> tuple[tuple[ContextRQ, ...], ...]:
    """Contexts that ask a member for these pairs, one pair a context: ids 1, 3 … 255, at most 128 for one association."""
    asked = list(dict.fromkeys(pairs))
    return tuple(
        tuple(ContextRQ(2 * index + 1, abstract, (transfer,)) for index, (abstract, transfer) in enumerate(asked[first : first + BATCH]))
        for first in range(0, len(asked), BATCH)
    )


def answers(proposed: Iterable[ContextRQ], ac: AssociateAC) -> dict[Pair, bool]:
    """What a member said to `proposals`: pair → taken. A context it left out, or took with another transfer syntax, is refused."""
    by_id = {context.id: context for context in ac.contexts}
    said: dict[Pair, bool] = {}
    for context in proposed:
        answer = by_id.get(context.id)
        for transfer in context.transfers:
            said[context.abstract, transfer] = answer is not None and answer.result == ACCEPTED and answer.transfer == transfer
    return said
