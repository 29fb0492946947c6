"""The one place for answering an A-ASSOCIATE-RQ over a pool: what is known is used, what is not is asked of all in parallel."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

from gurney.balance import facts, rules
from gurney.config import limits
from gurney.config.document import Service
from gurney.deliver.dispatch import Dispatcher
from gurney.deliver.link import MAX_CONTEXTS
from gurney.deliver.member import LiveMember
from gurney.wire.dicom import negotiate, pdu

ASK_SECONDS = limits.CAPABILITY_ASK_MS / 1000  # in all; what stays unknown is refused this time and learnt in the background
MAXIMUM = (limits.LEAST_MAXIMUM_LENGTH, limits.OWN_MAXIMUM_LENGTH)  # the clamp of the maximum length we advertise

Pair = tuple[str, str]
Done = Callable[[negotiate.Negotiation, int], None]


class Negotiating:
    """One association request being answered; `done` is called once with the outcome and the maximum length to advertise."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dispatcher: Dispatcher,
        service: Service,
        rq: pdu.AssociateRQ,
        known: dict[str, str],
        done: Done,
    ) -> None:
        self._loop = loop
        self._capabilities = dispatcher.capabilities
        self._service = service
        self._rq = rq
        self._done: Done | None = done
        self._asking = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pools = dispatcher.pools
        self._known = known
        self._members: dict[str, LiveMember] = {}
        self._eligible: dict[str, tuple[tuple[str, ...], ...]] = {}
        outcome = self._evaluate()
        unknown = self._askable(outcome.unknown)
        if unknown:
            self._timer = loop.call_later(ASK_SECONDS, self._finish)
            self._ask(unknown)
        else:
            self._finish()

    def cancel(self) -> None:
        """The sender is gone; what is being asked is learnt all the same."""
        self._done = None
        if self._timer is not None:
            self._timer.cancel()

    def _pools_for(self, abstract: str) -> tuple[tuple[str, ...], ...]:
        """By pool that an object of this SOP class could still be sent to, the names of the eligible members."""
        found = self._eligible.get(abstract)
        if found is None:
            possible = dict.fromkeys(rule.pool for rule in rules.possible(self._service, {**self._known, "sop_class": abstract}))
            found = self._eligible[abstract] = tuple(self._names(pool) for pool in possible)
        return found

    def _names(self, pool: str) -> tuple[str, ...]:
        """A disabled member not at all, a down one by its last word if it ever had one."""
        names = []
        for name, member in self._pools[pool].members.items():
            heard = self._capabilities.heard_of(member.spec)
            if member.spec.override != "disable" and (member.tracker.operational != "down" or heard):
                names.append(f"{pool}/{name}")
                self._members[names[-1]] = member
        return tuple(names)

    def _evaluate(self) -> negotiate.Negotiation:
        def word(name: str, abstract: str, transfer: str) -> str:
            return self._capabilities.word(self._members[name].spec, self._rq.calling_ae, abstract, transfer)

        return negotiate.negotiate(self._rq, self._pools_for, word, self._service.prefer)

    def _askable(self, unknown: Iterable[tuple[str, str, str]]) -> dict[str, list[Pair]]:
        wanted: dict[str, list[Pair]] = defaultdict(list)
        for name, abstract, transfer in sorted(unknown):
            if self._members[name].tracker.operational != "down":
                wanted[name].append((abstract, transfer))
        return wanted

    def _ask(self, wanted: dict[str, list[Pair]]) -> None:
        for name, pairs in wanted.items():
            for start in range(0, len(pairs), MAX_CONTEXTS):
                self._asking += 1
                self._members[name].ask(self._rq.calling_ae, tuple(pairs[start : start + MAX_CONTEXTS]), self._answered)

    def _answered(self) -> None:
        self._asking -= 1
        if self._asking == 0:
            self._finish()

    def _finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        done, self._done = self._done, None
        if done is not None:
            done(self._evaluate(), self._maximum())

    def _maximum(self) -> int:
        """The smallest maximum among the eligible members', clamped, so that nothing needs cutting."""
        low, high = MAXIMUM
        known = [member.peer_maximum or high for member in self._members.values()]
        return max(low, min([*known, high]))


def association_facts(rq: pdu.AssociateRQ, address: str, listener: str, tls_subject: str = "") -> dict[str, str]:
    """The facts an association request tells, and the certificate shown before it (dicom.md §3)."""
    return facts.association(
        calling_ae=rq.calling_ae,
        called_ae=rq.called_ae,
        address=address,
        listener=listener,
        implementation=rq.implementation_version,
        tls_subject=tls_subject,
    )
