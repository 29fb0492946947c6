"""The one place for a member's checks at work: when one runs, what it asks for, and what it tells of how many associations are served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gurney.config import limits
from gurney.deliver.capabilities import Capabilities, Pair
from gurney.deliver.link import MAX_CONTEXTS, Link
from gurney.health.checks import CHECKS
from gurney.health.checks.core import Check
from gurney.net.prober import Probe
from gurney.telemetry.counters import Counters

if TYPE_CHECKING:
    from gurney.deliver.member import LiveMember

RAISE_CAP_SECONDS = limits.CAP_RETRY_MS / 1000  # a lowered cap is tried upwards so often
SINGLE_IDLE_SECONDS = 5.0  # the only association of a member of cap 1 idles so long before the check takes its slot
TURNED_AWAY = frozenset({"rejected-busy", "aborted"})  # before an AC: what a receiver of one association does to a second
CALLING_AE = "GURNEY"
ANY_CALLED_AE = "ANY-SCP"
VERIFICATION: Pair = ("1.2.840.10008.1.1", "1.2.840.10008.1.2")


class Checking:
    """The checks of one live member. A check has a slot of its own unless the member's cap is 1: then traffic counts as the check."""

    def __init__(self, loop: asyncio.AbstractEventLoop, member: LiveMember, capabilities: Capabilities, counters: Counters) -> None:
        self._loop = loop
        self._member = member
        self._capabilities = capabilities
        self._counters = counters
        self._probe: Probe | None = None
        self._proving: Link | None = None  # held while a check looks whether a second association is served
        self._raise_at = 0.0
        self.multi = False  # the member has served two associations at once
        self.soon = False  # traffic failed: look now

    @property
    def running(self) -> bool:
        """A check is under way."""
        return self._probe is not None

    @property
    def settled(self) -> bool:
        """Checks have had a result, and whether more than one association is served is known or cannot be."""
        return self._member.tracker.first_result_seen and self._proving is None

    def tick(self, now: float) -> None:
        """Begin a check that is due."""
        if self._probe is None and (self.soon or self._member.tracker.next_check(now) <= now):
            self._begin(now)

    def cancel(self) -> None:
        """End what is under way, without an outcome."""
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None

    def opened(self, link: Link) -> None:
        """An association stands: two at once are proof enough, and the one held for a proof is checked beside."""
        if sum(1 for other in self._member.links if other.state == "open") > 1:
            self.multi = True
        if link is self._proving and self._probe is None:
            self._begin(self._loop.time())

    def dropped(self, link: Link) -> None:
        """An association is gone."""
        if link is self._proving:
            self._proving = None

    def lowered(self) -> None:
        """The cap was lowered: it is tried upwards later."""
        self._raise_at = self._loop.time() + RAISE_CAP_SECONDS

    def _begin(self, now: float) -> None:
        member = self._member
        raising = member.cap < member.spec.max_associations and now >= self._raise_at
        self.soon = False
        if member.links and member.cap <= 1 and not raising:
            # A receiver of one association at work: traffic counts as the check. What idles gives its slot to the check.
            if all(link.transfer is None and now - link.idle_since > SINGLE_IDLE_SECONDS for link in member.links):
                member.release_idle()
            return
        member.tracker.begun(now)
        check = member.spec.check
        (calling, called), pairs = self._asked()
        core = CHECKS[check.kind](calling_ae=calling, called_ae=called, pairs=pairs, timeout=check.timeout_ms / 1000, now=now)
        held = list(member.links)
        address, within = (member.spec.host, member.spec.port), check.timeout_ms / 1000
        self._probe = Probe(self._loop, *address, core, within, lambda: self._ended(core, now, held), member.tls)

    def _own_key(self) -> tuple[str, str]:
        spec = self._member.spec
        return (spec.calling_ae or CALLING_AE, spec.ae_title or ANY_CALLED_AE)

    def _asked(self) -> tuple[tuple[str, str], tuple[Pair, ...]]:
        """The AE titles (calling, called) and the pairs of a check: those it expects and, for `dicom-associate`, those in use."""
        check, key = self._member.spec.check, self._own_key()
        in_use: tuple[Pair, ...] = ()
        if check.kind == "dicom-associate":
            key, in_use = self._member.in_use or (key, in_use)
        return key, tuple(dict.fromkeys((VERIFICATION, *check.expect_contexts, *in_use)))[:MAX_CONTEXTS]

    def _ended(self, core: Check, begun: float, held: list[Link]) -> None:
        self._probe = None
        member, now = self._member, self._loop.time()
        outcome = core.outcome or "answer-timeout"
        self._counters.add("gurney_dicom_check_total", (member.pool, member.spec.name, outcome))
        self._counters.seconds("gurney_dicom_check_seconds", (member.pool, member.spec.name)).add(now - begun)
        still = [link for link in held if link in member.links]
        if still and not self.multi and not core.accepted and (core.awaiting_accept or outcome in TURNED_AWAY):
            self._one_at_a_time(still, now)
            return
        if still and core.accepted:
            self.multi = True
            self._raise(len(still))
        self._learn(core)
        member.found(outcome, core.detail or f"{member.spec.check.kind} {1000 * (now - begun):.0f} ms")
        if core.accepted and not self.multi and not member.links and member.cap > 1 and not member.waiting and not member.asking.busy:
            # (A question goes first: it would have the one held released, and the proof and it would begin anew in turn without end.)
            # Hold one association and check beside it: known before the first object comes is whether a silent member is full or gone.
            self._proving = member.dial(self._own_key(), [VERIFICATION])
        member.pump()

    def _raise(self, held: int) -> None:
        """A second association was served beside `held` of ours."""
        member, proof = self._member, self._proving
        self._proving = None
        if proof is not None:
            proof.release()
        if member.cap < member.spec.max_associations:
            member.cap = min(member.spec.max_associations, max(member.cap, held) + 1)
            self.lowered()

    def _learn(self, core: Check) -> None:
        if core.accepted:
            expected = self._member.spec.check.expect_contexts
            self._capabilities.learn(self._member.spec, core.calling_ae, core.accepted)
            self._capabilities.learn_for_all(self._member.spec, {pair: core.accepted[pair] for pair in expected if pair in core.accepted})

    def _one_at_a_time(self, held: list[Link], now: float) -> None:
        """No AC while we hold an association there: a single-process receiver at work, full and not down."""
        member = self._member
        member.lower_cap(len(held))
        member.tell(member.tracker.observe("answer-timeout", now, "serves one association at a time, ours", busy=True))
        if all(link.transfer is None for link in held):
            member.release_idle()
            self.soon = True
