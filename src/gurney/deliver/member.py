"""The one place for a member at work: its links, its slots, and who waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from gurney.balance.members import View
from gurney.balance.standing import Standing
from gurney.config import limits
from gurney.config.document import Member
from gurney.deliver.asking import Asking
from gurney.deliver.capabilities import Capabilities, Pair
from gurney.deliver.checking import ANY_CALLED_AE, TURNED_AWAY, Checking
from gurney.deliver.link import Link, Receiver
from gurney.deliver.transfer import Transfer
from gurney.deliver.waiting import Waiting
from gurney.health.checks import CHECKS
from gurney.health.checks.core import Check
from gurney.health.tracker import Change, Tracker
from gurney.net.hangups import Hangups
from gurney.net.prober import Probe
from gurney.net.tls import Towards
from gurney.telemetry.counters import Counters
from gurney.wire.dicom.command import Command

READ_AHEAD = limits.HELD_BEFORE_SLOT  # bytes of an object not yet whole that are buffered before it may take a contended slot
FRUITLESS = 3  # associations in a row that the member ended before they had carried anything, from which on dialling is slow
BUSY_SECONDS = 1.0  # between two tries while others have all its slots
RECENT_PAIRS = 64  # pairs a new link asks for beside the one it is opened for
TURN_SECONDS = 1.0  # in which an object that has waited half of it may have the only association between two questions


class Hears(Protocol):
    """Who hears of a member's fate: the dispatcher."""

    def answered(self, member: LiveMember, transfer: Transfer, status: int, said: Command) -> None:
        """A status came for `transfer`."""

    def lost(self, member: LiveMember, transfer: Transfer, why: str, after_last: bool) -> None:
        """The association carrying `transfer` is gone; `after_last`: its last fragment had left."""

    def unreachable(self, member: LiveMember, transfer: Transfer, why: str) -> None:
        """`transfer` waited and no association can be had."""

    def refused_pair(self, member: LiveMember, transfer: Transfer) -> None:
        """The member no longer takes the pair of `transfer`."""

    def changed(self, member: LiveMember, change: Change) -> None:
        """The operational word changed."""

    def refused_tls(self, member: LiveMember, reason: str) -> None:
        """A TLS handshake with it failed, for a word of `net.tls.REASONS`."""

    def broke(self, member: LiveMember, error: Exception) -> None:
        """A defect of ours was met on one of its links."""


class LiveMember:
    """One member of one pool as the route process sees it. Times are seconds of the loop's clock."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: str,
        spec: Member,
        hears: Hears,
        capabilities: Capabilities,
        receiver: Receiver,
        hangups: Hangups,
        counters: Counters,
        tls: Towards | None = None,
    ) -> None:
        now = loop.time()
        self._loop = loop
        self._hears = hears
        self._capabilities = capabilities
        self._receiver = receiver
        self._hangups = hangups
        self.checking = Checking(loop, self, capabilities, counters)
        self._retry_at = 0.0  # it said busy with nothing of ours there, or ends all it accepts: not before then
        self._fruitless = 0
        self._objects_until = 0.0  # after a question an object has its turn, or those who ask without end would starve them
        self.asking = Asking(loop, self._put_question, self._free_to_ask, self._question_over)
        self._recent: dict[tuple[str, str], dict[Pair, None]] = {}
        self.pool = pool
        self.spec = spec
        self.tls = self._towards(tls)
        self.tracker = Tracker(spec.check, now)
        self.links: list[Link] = []
        self.waiting = Waiting()
        self.cap = spec.max_associations
        self.peer_maximum = 16_384
        self.standing = Standing()
        self.retired = False
        self.objects_total = 0
        self.failures_total = 0
        self.last_outcome = ""

    # -- what others see

    @property
    def bytes_in_flight(self) -> int:
        """Bytes of objects this member is being sent, as far as they have come."""
        return sum(link.transfer.size for link in self.links if link.transfer is not None)

    @property
    def open(self) -> int:
        """Associations that stand or are being made."""
        return len(self.links)

    def view(self, takes: bool | None, fastest: float | None) -> View:
        """This member now, as `balance` chooses among members; `fastest`: the least mean answer time in its pool."""
        now = self._loop.time()
        return View(
            member=self.spec,
            operational=self.tracker.operational,
            start=self.tracker.start(now),
            open=sum(1 for link in self.links if link.transfer is not None),
            cap=self.cap,
            queued=self.waiting.count,
            bytes=self.bytes_in_flight,
            penalty=self.standing.penalty(now, fastest),
            takes=takes,
        )

    def seen(self) -> dict[str, Any]:
        """This member for `status`."""
        return {
            "configured": "enabled",
            "override": self.spec.override,
            "operational": self.tracker.operational,
            "why": self.tracker.why,
            "outcome": self.last_outcome,
            "associations": len(self.links),
            "cap": self.cap,
            "in_flight_bytes": self.bytes_in_flight,
            "queued": self.waiting.count,
            "objects_total": self.objects_total,
            "failures_total": self.failures_total,
        }

    def filled(self, why: str) -> None:
        """It answered that it has no room: full, until a check passes."""
        self.tell(self.tracker.filled(self._loop.time(), why))

    # -- objects

    def enqueue(self, transfer: Transfer) -> None:
        """Take `transfer` on: it is sent as soon as a slot is free."""
        transfer.queued_at = self._loop.time()
        if not self.waiting.count and not self.asking.busy and (link := self._idle(transfer)) is not None:
            link.start(transfer)
            return
        self.waiting.add(transfer)
        self.pump()

    def _idle(self, transfer: Transfer) -> Link | None:
        """An idle association that can carry `transfer` now, nobody else waiting for one."""
        spec = self.spec
        key, found, free, held = (spec.calling_ae or transfer.calling_ae, spec.ae_title or transfer.called_ae), None, self.cap, 0
        for link in self.links:
            if link.transfer is not None:
                free -= 1
                held += link.transfer.size
            elif found is None and link.state == "open" and link.key == key and transfer.context in link.accepted and link.tls == self.tls:
                found = link
        if found is None or held >= spec.max_bytes or not (transfer.whole or free > 1 or self._ready(transfer)):
            return None
        return found if found.usable() else None

    def withdraw(self, transfer: Transfer) -> Link | None:
        """The sender is gone: out of the queue, or the link that carries it, which the caller ends."""
        if self.waiting.remove(transfer):
            return None
        return next((link for link in self.links if link.transfer is transfer), None)

    def pump(self) -> None:
        """Give idle links to those who wait, open what is missing, release what stands in the way."""
        if not self.waiting.count and not self.asking.busy:
            return
        if self.asking.busy and self._exclusive and not self._objects_first:
            self.release_idle()
            self.asking.pump()
            return
        self.asking.pump()  # what was asked while it might have served one association only
        if not self.waiting.count:
            return
        for link in list(self.links):
            if link.state == "open" and link.transfer is None:
                self._serve(link)
        if not self.waiting.count or self._loop.time() < self._retry_at or (self._exclusive and self.checking.running and not self.links):
            return
        ready = [transfer for transfer in self.waiting if self._ready(transfer)]
        opening = sum(1 for link in self.links if link.state in ("dialling", "associating"))
        # One dial at a time until one stands: a receiver that serves one association must not meet eight.
        allowed = max(1, sum(1 for link in self.links if link.state == "open"))
        while opening < min(allowed, len(ready)) and len(self.links) < self.cap:
            self._open(ready[opening])
            opening += 1
        if opening == 0 and ready and len(self.links) >= self.cap:
            self._make_room(ready)
        elif not self.links and self.waiting:
            self._open(next(iter(self.waiting)))  # so that it stands when the object has come

    def _serve(self, link: Link) -> None:
        if not self.waiting.count or not link.usable():  # an unusable one has told `closed`, which pumps again
            return
        transfer = self.waiting.take(lambda t: self._fits(link, t) and self._ready(t))
        if transfer is not None:
            link.start(transfer)

    def _ready(self, transfer: Transfer) -> bool:
        """A slow sender must not hold a contended slot: its object is buffered first (dicom.md §5)."""
        if self.bytes_in_flight >= self.spec.max_bytes:
            return False
        free = self.cap - sum(1 for link in self.links if link.transfer is not None)
        return (
            transfer.whole
            or transfer.overdue
            or free > max(1, self.waiting.count)  # it counts itself, whether it stands in the queue yet or not
            or transfer.held >= min(READ_AHEAD, transfer.service.replay_limit)
        )

    def hasten(self, transfer: Transfer) -> bool:
        """Its patience is over while it was buffered: once, it may take a slot that nobody else could, and its patience begins anew."""
        busy = sum(1 for link in self.links if link.transfer is not None)
        if transfer.whole or transfer.overdue or busy >= self.cap:
            return False
        transfer.queued_at = self._loop.time()
        if busy + sum(1 for other in self.waiting if other.overdue) >= max(1, self.cap - 1):
            return True  # the last slot is for objects that have come: slow senders must not hold all of them
        transfer.overdue = True
        self.pump()
        return True

    def key_for(self, transfer: Transfer) -> tuple[str, str]:
        """The AE titles (calling, called) under which this member is sent `transfer`."""
        return (self.spec.calling_ae or transfer.calling_ae, self.spec.ae_title or transfer.called_ae)

    def _open(self, first: Transfer) -> None:
        key = self.key_for(first)
        recent = self._recent[key] = self._recent.pop(key, {})  # the key last used stands last
        for pair in (*self._capabilities.worth_asking(self.spec, first.calling_ae, first.pairs), first.context):
            recent.pop(pair, None)
            recent[pair] = None
        while len(recent) > RECENT_PAIRS:
            recent.pop(next(iter(recent)))
        pairs = list(reversed(recent))  # what is wanted now comes first
        self.dial(key, pairs)

    def dial(self, key: tuple[str, str], pairs: list[Pair]) -> Link:
        """Begin an association with AE titles `key` (calling, called) that asks for `pairs`."""
        link = Link(self._loop, self, self._receiver, self._hangups, (self.spec.host, self.spec.port), key, pairs, self.tls)
        self.links.append(link)
        return link

    def _make_room(self, ready: list[Transfer]) -> None:
        """At the cap with idle links that fit none of those that could go: one is released, and `closed` pumps again."""
        for link in self.links:
            if link.state == "open" and link.transfer is None and not any(self._fits(link, t) for t in ready):
                link.release()
                return

    def _fits(self, link: Link, transfer: Transfer) -> bool:
        return self.key_for(transfer) == link.key and transfer.context in link.accepted and link.tls == self.tls

    def release_idle(self) -> None:
        """Release every idle association (drain, retirement, a check that needs the only slot)."""
        for link in list(self.links):
            if link.state == "open" and link.transfer is None:
                link.release()

    # -- what links tell (link.Ends)

    def opened(self, link: Link) -> None:
        """The association stands: its words about pairs are learnt."""
        self.peer_maximum = link.peer_maximum  # 0: no limit
        self._capabilities.learn(self.spec, link.key[0], {pair: pair in link.accepted for pair in link.asked})
        for transfer in [t for t in self.waiting if t.context in link.asked and t.context not in link.accepted]:
            if self.waiting.remove(transfer):  # what became of the one before can have moved this one
                self._hears.refused_pair(self, transfer)
        if not link.accepted:
            link.release()
        else:
            self.checking.opened(link)
        self.pump()
        self._dismiss(link)

    def failed(self, link: Link, outcome: str) -> None:
        """The association never stood: full when others stand, else whoever waits is sent elsewhere."""
        self._drop(link)
        holding = [other for other in self.links if other.state == "open"]
        if holding and (outcome in ("answer-timeout", "rejected-busy") or (not self.checking.multi and outcome in TURNED_AWAY)):
            self.lower_cap(len(holding))
            return
        if outcome == "rejected-busy":
            # Full with nothing of ours there: others have its slots. Objects wait, and are tried again.
            self.tell(self.tracker.traffic(outcome, self._loop.time()))
            self._later()
            return
        self._observe_traffic(outcome)
        self._none_to_be_had(outcome)
        self.pump()

    def _none_to_be_had(self, outcome: str) -> None:
        """No further association now: those that stand go on, and another one is not tried again and again; else all go elsewhere."""
        if any(link.state == "open" for link in self.links):
            self._later()
            return
        for transfer in self.waiting.drain():
            self._hears.unreachable(self, transfer, outcome)

    def _later(self) -> None:
        """No further association is dialled for a moment."""
        self._retry_at = self._loop.time() + BUSY_SECONDS
        self._loop.call_later(BUSY_SECONDS, self.pump)

    def answered(self, link: Link, transfer: Transfer, status: int, said: Command) -> None:
        """A status came; the link is idle (or already closed, when the refusal came early)."""
        now = self._loop.time()
        self.objects_total += 1
        self.standing.answered(now - transfer.sent_at)
        self._objects_until = 0.0  # their turn was one object
        self._fruitless = 0
        if not self.tracker.fine:
            self.tell(self.tracker.traffic("ok", now))
        self._hears.answered(self, transfer, status, said)
        if self.waiting.count or self.asking.busy:
            self.pump()
        if self.retired or self.spec.override is not None or link.tls != self.tls:
            self._dismiss(link)

    def _dismiss(self, link: Link) -> None:
        """Nothing idles at a member that gets nothing any more, or under certificates of before."""
        over = self.retired or self.spec.override == "disable" or link.tls != self.tls
        if link.state == "open" and link.transfer is None and over:
            link.release()

    def lost(self, link: Link, transfer: Transfer | None, why: str) -> None:
        """The association is gone with or without an object on it."""
        self._drop(link)
        self._observe_traffic("aborted")
        if transfer is not None:
            self._hears.lost(self, transfer, why, link.sent_all)
        self.pump()

    def broke(self, link: Link, error: Exception) -> None:
        """A defect of ours met on this link: shown, and only this link ends."""
        self._hears.broke(self, error)

    def closed(self, link: Link) -> None:
        """An idle association has ended. A member that ends one after another before they carry anything might as well not accept them."""
        self._drop(link)
        self._fruitless += link.of_no_use
        if link.of_no_use and self._fruitless >= FRUITLESS:
            self._fruitless = 0
            self._observe_traffic("aborted")
            self._none_to_be_had("aborted")
        self.pump()

    def _drop(self, link: Link) -> None:
        if link in self.links:
            self.links.remove(link)
        self.checking.dropped(link)

    def _observe_traffic(self, outcome: str) -> None:
        self.failures_total += 1
        self.standing.failed(self._loop.time())
        self.last_outcome = outcome
        self.checking.soon = True
        self.tell(self.tracker.traffic(outcome, self._loop.time()))

    def tell(self, change: Change | None) -> None:
        """The operational word changed; a member that is down keeps nothing."""
        if change is None:
            return
        self._hears.changed(self, change)
        if self.tracker.operational != "down":
            return
        stranded = self.waiting.drain()
        for link in list(self.links):
            link.abort(then_lost=f"called down: {self.tracker.why}" if link.transfer is not None else None)
        for transfer in stranded:
            self._hears.unreachable(self, transfer, self.tracker.why)

    def lower_cap(self, to: int) -> None:
        """It serves no more than the `to` associations it holds: full, not down."""
        self.cap = max(1, to)
        self.checking.lowered()
        self.last_outcome = "rejected-busy"
        self.pump()

    # -- checks

    def tick(self, now: float) -> None:
        """Deadlines of links and checks when due; the waiting objects' patience is the dispatcher's."""
        for link in list(self.links):
            link.tick(now)
        if self.asking.busy:
            self.pump()
        if not self.retired and not (self._exclusive and self.asking.asked):
            self.checking.tick(now)

    def found(self, outcome: str, detail: str) -> None:
        """A check has found `outcome`."""
        self.last_outcome = outcome
        self.tell(self.tracker.observe(outcome, self._loop.time(), detail))

    @property
    def in_use(self) -> tuple[tuple[str, str], tuple[Pair, ...]] | None:
        """The AE titles (calling, called) last used here and the pairs sent under them."""
        if not self._recent:
            return None
        key, recent = next(reversed(self._recent.items()))
        return key, tuple(recent)

    # -- questions

    def ask(self, calling: str, pairs: tuple[Pair, ...], done: Callable[[], None]) -> None:
        """Ask this member for `pairs` as `calling` would be sent; words are learnt, then `done`."""
        self.asking.ask(self.spec.calling_ae or calling, pairs, done)
        self.pump()

    def _put_question(self, calling: str, pairs: tuple[Pair, ...], within: float, answered: Callable[[Check], None]) -> None:
        core = CHECKS["dicom-associate"](
            calling_ae=calling, called_ae=self.spec.ae_title or ANY_CALLED_AE, pairs=pairs, timeout=within, now=self._loop.time()
        )

        def learnt() -> None:
            if core.accepted:
                self._capabilities.learn(self.spec, calling, core.accepted)
            answered(core)

        Probe(self._loop, self.spec.host, self.spec.port, core, within, learnt, self.tls)

    @property
    def _exclusive(self) -> bool:
        """It may serve one association at a time: links, questions and the first check then wait for each other."""
        return self.cap <= 1 or not self.checking.multi

    @property
    def _objects_first(self) -> bool:
        now = self._loop.time()
        return now < self._objects_until and any(now - t.queued_at > TURN_SECONDS / 2 and self._ready(t) for t in self.waiting)

    def _question_over(self) -> None:
        self._objects_until = self._loop.time() + TURN_SECONDS
        self.pump()

    def _free_to_ask(self) -> bool:
        return not self._exclusive or (not self.checking.running and not self.links and not self._objects_first)

    # -- changes

    def _towards(self, tls: Towards | None) -> Towards | None:
        return None if tls is None else replace(tls, told=self._refused_tls)

    def _refused_tls(self, reason: str) -> None:
        self._hears.refused_tls(self, reason)

    def update(self, spec: Member, tls: Towards | None = None) -> None:
        """A new revision's words for the same address: links stay, checks and caps follow. Under other certificates an object ends on the
        association it is on, and the next one begins on one that was secured by them."""
        fresh = self._towards(tls)
        if fresh != self.tls:
            self.tls = fresh
            self.checking.soon = True
            self.release_idle()
        if spec.check != self.spec.check:
            self.tracker.use(spec.check, self._loop.time())
        if spec.max_associations != self.spec.max_associations:
            self.cap = spec.max_associations
        self.spec = spec
        if spec.override == "disable":
            self.release_idle()

    def retire(self) -> None:
        """No longer in the document: what is in flight ends, then nothing is left."""
        self.retired = True
        self.asking.close()
        self.checking.cancel()
        self.release_idle()

    def close(self) -> None:
        """End everything at once."""
        self.retire()
        for link in list(self.links):
            link.abort()
        self.links.clear()
