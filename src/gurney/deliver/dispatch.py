"""The one place where an object meets its member: choosing, pinning, replaying, and what a status or a loss leads to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from gurney.balance import members, policy
from gurney.balance.pins import Pins
from gurney.config import limits
from gurney.deliver.capabilities import Capabilities
from gurney.deliver.link import Link
from gurney.deliver.member import LiveMember
from gurney.deliver.pool import LivePool
from gurney.deliver.transfer import Attempt, Transfer
from gurney.health.tracker import Change
from gurney.ledger import Ledger
from gurney.net.tls import REASONS
from gurney.telemetry.counters import Counters
from gurney.telemetry.log import Log, where
from gurney.telemetry.refs import Refs
from gurney.wire.dicom.command import Command

OUT_OF_RESOURCES = 0xA700
PAIR_REFUSED = 0x0122
WAIT_SECONDS = limits.MEMBER_WAIT_MS / 1000  # for a slot, then A700
AMBIGUOUS_SECONDS = limits.AMBIGUOUS_SAME_MEMBER_MS / 1000  # the same member is tried so long after an unknown outcome
AMBIGUOUS_REFUSALS = 2  # or until it refused so often
RETRY_SECONDS = 1.0
ROUNDS = 2  # a member is tried so often for one object before it counts as tried out
TRIED_OUT = 99


class Dispatcher:
    """Takes transfers whose rule, pool and key are known; answers each exactly once through its owner."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        capabilities: Capabilities,
        pins: Pins,
        ledger: Ledger,
        refs: Refs,
        log: Log,
        counters: Counters,
    ) -> None:
        self._loop = loop
        self._ledger = ledger
        self._refs = refs
        self._log = log
        self._counters = counters
        self.capabilities = capabilities
        self.pins = pins
        self.pools: dict[str, LivePool] = {}
        self.conditions: dict[tuple[str, str], tuple[str, float]] = {}  # (code, object) -> reason, since (epoch)
        self._of: dict[Transfer, LivePool] = {}  # an object ends by the revision it began with
        self._leaving: list[LiveMember] = []  # members no longer in the document with an object still on its way

    # -- from intake

    def submit(self, transfer: Transfer) -> None:
        """Find a member for `transfer`; it is answered later through `transfer.owner`."""
        assert transfer.pool is not None
        self._of[transfer] = self.pools[transfer.pool.name]
        self._choose(transfer)

    def more(self, transfer: Transfer) -> None:
        """More bytes of `transfer` have come."""
        if transfer.link is not None:
            transfer.link.pump()
        elif transfer.member is not None:
            transfer.member.pump()

    def cancel(self, transfer: Transfer) -> None:
        """The sender is gone. In mid data set nothing may stay anywhere; a whole object goes on, its answer unheard."""
        transfer.abandoned = True
        if transfer.whole or transfer not in self._of:
            return
        link = self._withdraw(transfer)
        self._of.pop(transfer, None)
        transfer.link = transfer.member = None
        if link is not None:
            link.abort()

    def refuse(self, transfer: Transfer, status: int, comment: str) -> None:
        """Answer `transfer` with a status of our own; whatever a member has of it is not whole and is cut off."""
        link = self._withdraw(transfer)
        if link is not None:
            link.abort()
        self._finish(transfer, status, comment, None)

    def make_room(self) -> None:
        """Memory is short: what is kept only for a replay goes first, of whoever holds most of it (dicom.md §8: then unreplayable)."""
        links = [transfer.link for transfer in self._of if transfer.held and transfer.link is not None and transfer.link.sent_all]
        if links:
            max(links, key=lambda link: link.transfer.held if link.transfer is not None else 0).trim(force=True)

    def _withdraw(self, transfer: Transfer) -> Link | None:
        member = transfer.member
        return member.withdraw(transfer) if member is not None else None

    # -- choosing

    def _choose(self, transfer: Transfer) -> None:
        pool = self._of.get(transfer)
        if pool is None or transfer.answered:
            return
        if transfer.dropped:
            self._unreplayable(transfer)
            return
        if self._stays(pool, transfer):
            return
        selection = None
        for round_ in range(1, ROUNDS + 1):
            selection = self._select(pool, transfer, round_)
            if selection.member is not None:
                break
        assert selection is not None
        if selection.member is None:
            self._nobody(pool, transfer)
            return
        self._place(pool, transfer, selection)

    def _stays(self, pool: LivePool, transfer: Transfer) -> bool:
        """The common case: the object goes where its study is, and nobody else needs to be looked at."""
        if transfer.tried or transfer.key is None or not transfer.key.pinned:
            return False
        name, now = pool.spec.name, self._loop.time()
        pin = self.pins.get(name, transfer.ref, now)
        member = pool.members.get(pin) if pin is not None else None
        if pin is None or member is None:
            return False
        takes = self.capabilities.takes(member.spec, transfer.calling_ae, transfer.context)
        if not members.stays(pool.spec, pin, member.tracker.operational, takes):
            return False
        self.pins.touch(name, transfer.ref, now)  # an object that takes its time is no quiet study
        self._assign(pool, transfer, pin)
        return True

    def _select(self, pool: LivePool, transfer: Transfer, round_: int) -> members.Selection:
        assert transfer.key is not None
        now = self._loop.time()
        pin = self.pins.get(pool.spec.name, transfer.ref, now) if transfer.key.pinned else None
        return members.choose(
            pool.spec,
            transfer.key,
            pin,
            pool.views(transfer, self.capabilities),
            tried=frozenset(name for name, count in transfer.tried.items() if count >= round_),
            turn=pool.turn,
            quiet=pin is not None and self.pins.quiet(pool.spec.name, transfer.ref, now),
        )

    def _place(self, pool: LivePool, transfer: Transfer, selection: members.Selection) -> None:
        assert selection.member is not None
        name = selection.member
        assert transfer.key is not None
        if not transfer.key.pinned:
            pool.turn += 1
            self._assign(pool, transfer, name)
            return
        now = self._loop.time()
        pin = self.pins.get(pool.spec.name, transfer.ref, now)
        if pin is None:
            pool.turn += 1
            self.pins.set(pool.spec.name, transfer.ref, name, now)
            self._ledger.pin(pool.spec.name, transfer.ref, name, time.time())
            self._log.info("study.pinned", study_ref=transfer.ref, pool=pool.spec.name, member=name)
            self._assign(pool, transfer, name)
        elif selection.repin and pin != name and not (selection.last_resort or transfer.alone):
            self._repin(pool, transfer, pin, name)
        else:
            self.pins.touch(pool.spec.name, transfer.ref, now)  # an object that takes its time is no quiet study
            self._assign(pool, transfer, name)

    def _repin(self, pool: LivePool, transfer: Transfer, old: str, new: str) -> None:
        """A re-pin is written first; who lost the race reads the winner."""
        cause = transfer.attempts[-1].why if transfer.attempts else "its member cannot take it"

        def written(winner: str | None) -> None:
            chosen = winner if winner in pool.members and transfer.tried.get(winner or "", 0) == 0 else new
            assert chosen is not None
            self.pins.set(pool.spec.name, transfer.ref, chosen, self._loop.time())
            self._counters.add("gurney_dicom_repins_total", (pool.spec.name, cause.partition(":")[0]))
            self._log.info("study.repinned", study_ref=transfer.ref, pool=pool.spec.name, member=chosen, was=old, cause=cause)
            now = self._of.get(transfer)
            if now is None or transfer.answered:
                return
            live = now.members.get(chosen)
            if live is None or live.retired:
                self._choose(transfer)  # a new revision came meanwhile
            else:
                self._assign(now, transfer, chosen)

        self._ledger.repin(pool.spec.name, transfer.ref, old, new, time.time(), written)

    def _unreplayable(self, transfer: Transfer) -> None:
        """What a member said of it is the honest answer; if none said anything, A700."""
        status = OUT_OF_RESOURCES if transfer.status is None else transfer.status
        self._refuse(transfer, status, "lost or refused, and too large to be sent again")

    def _assign(self, pool: LivePool, transfer: Transfer, name: str) -> None:
        if transfer.dropped:  # its end alone would be another object
            self._unreplayable(transfer)
            return
        if transfer.ambiguous and name != transfer.ambiguous_at and not transfer.duplicate:
            transfer.duplicate = True  # a second member gets what another may have
            self._counters.add("gurney_dicom_possible_duplicates_total", (pool.spec.name,))
        transfer.attempts.append(Attempt(name))
        member = pool.members[name]
        transfer.member = member
        transfer.link = None
        if member.retired and member not in self._leaving:
            self._leaving.append(member)  # its deadlines are looked at as long as it has an object
        member.enqueue(transfer)

    def _nobody(self, pool: LivePool, transfer: Transfer) -> None:
        if transfer.status is not None:
            self._refuse(transfer, transfer.status, "")
        elif all(self.capabilities.takes(m.spec, transfer.calling_ae, transfer.context) is False for m in pool.members.values()):
            rule = transfer.rule.name if transfer.rule is not None else ""
            self._refuse(transfer, PAIR_REFUSED, f"no member takes this pair: {rule}, pool {pool.spec.name}")
        else:
            self._refuse(transfer, OUT_OF_RESOURCES, "no member can take it now")

    # -- from members (member.Hears)

    def answered(self, member: LiveMember, transfer: Transfer, status: int, said: Command) -> None:
        """A member's status: the policy says what follows."""
        pool = self._of.get(transfer)
        if pool is None:
            return
        transfer.link = None
        if status == 0 and not pool.spec.statuses:
            self._finish(transfer, status, "", said)
            return
        name = member.spec.name
        transfer.attempts[-1].why = f"{status:04X}"
        action = policy.act(
            pool.spec.statuses,
            status,
            ambiguous_before=transfer.ambiguous_at == name and transfer.ambiguous_whole,
            member_attempts=transfer.tried.get(name, 0) + 1,
        )
        if action.capability_refused:
            self.capabilities.learn(member.spec, transfer.calling_ae, {transfer.context: False})
        match action.word:
            case "again":
                transfer.status = status
                transfer.tried[name] = transfer.tried.get(name, 0) + 1
                self._assign(pool, transfer, name)
            case "next" | "next-repin":
                transfer.status = status
                transfer.tried[name] = TRIED_OUT
                transfer.alone = action.word == "next"
                if action.full:
                    member.filled(f"answered {status:04X}")
                if action.counts_against_member:
                    member.standing.failed(self._loop.time())
                self._replay(transfer, name, f"status {status:04X}")
            case "already":
                self._finish(transfer, 0x0000, "", None)
            case _:
                if action.condition is not None:
                    self.conditions[(action.condition, f"{pool.spec.name}/{name}")] = (f"answered {status:04X}", time.time())
                self._finish(transfer, status, "", said)

    def lost(self, member: LiveMember, transfer: Transfer, why: str, after_last: bool) -> None:
        """The association carrying `transfer` is gone."""
        pool = self._of.get(transfer)
        if pool is None:
            return
        transfer.link = None
        transfer.attempts[-1].why = why
        if not after_last and not why.startswith("breach"):
            transfer.tried[member.spec.name] = transfer.tried.get(member.spec.name, 0) + 1
            self._replay(transfer, member.spec.name, why)
            return
        if transfer.ambiguous_at == member.spec.name:
            transfer.ambiguous_refusals += 1  # it took the object again and again did not answer
        else:
            transfer.ambiguous_at, transfer.ambiguous_since, transfer.ambiguous_refusals = member.spec.name, self._loop.time(), 0
            transfer.ambiguous_whole = False
        transfer.ambiguous_whole |= after_last
        transfer.ambiguous = True
        self._counters.add("gurney_dicom_ambiguous_total", (pool.spec.name, member.spec.name))
        self._log.warning(
            "object.ambiguous",
            object_ref=self._object_ref(transfer),
            study_ref=transfer.ref,
            pool=pool.spec.name,
            member=member.spec.name,
            cause=why,
        )
        # Written down before anything is sent again: a crash from here on still names the possible duplicate.
        self._ledger.ambiguous(
            self._object_ref(transfer),
            transfer.ref,
            member.spec.name,
            time.time(),
            lambda: self._again(member, transfer, refused=False),
            lambda error: self._unwritten(transfer),
        )

    def _object_ref(self, transfer: Transfer) -> str:
        """The keyed digest under which an object may be seen; most objects never need one."""
        return self._refs.ref("object", transfer.command.sop_instance)

    def _unwritten(self, transfer: Transfer) -> None:
        """The ambiguity cannot be written down: nothing is sent again, the sender hears so and may repeat."""
        if transfer in self._of:
            self._refuse(transfer, OUT_OF_RESOURCES, "outcome unknown, and it cannot be written down")

    def _again(self, member: LiveMember, transfer: Transfer, *, refused: bool) -> None:
        """After an unknown outcome: the same member until it refused twice or for 10 s, then another, flagged."""
        pool = self._of.get(transfer)
        if pool is None or transfer.answered:
            return
        now = self._loop.time()
        if refused:
            transfer.ambiguous_refusals += 1
        since = transfer.ambiguous_since
        name = member.spec.name
        gone = pool.members.get(name) is not member or member.retired or member.spec.override == "disable"
        if transfer.ambiguous_refusals >= AMBIGUOUS_REFUSALS or now - since > AMBIGUOUS_SECONDS or gone or not transfer.replayable:
            transfer.tried[name] = TRIED_OUT
            self._replay(transfer, name, "outcome unknown")
        elif refused:
            transfer.member = None
            self._loop.call_later(RETRY_SECONDS, lambda: self._again(member, transfer, refused=False))
        else:
            self._assign(pool, transfer, name)

    def unreachable(self, member: LiveMember, transfer: Transfer, why: str) -> None:
        """`transfer` waited for `member`, and no association can be had there."""
        if transfer not in self._of:
            return
        transfer.attempts[-1].why = why
        if transfer.ambiguous and transfer.ambiguous_at == member.spec.name and not transfer.duplicate:
            self._again(member, transfer, refused=True)
            return
        transfer.tried[member.spec.name] = transfer.tried.get(member.spec.name, 0) + 1
        self._replay(transfer, member.spec.name, why)

    def refused_pair(self, member: LiveMember, transfer: Transfer) -> None:
        """The member no longer takes the pair: corrected by contradiction, the next one that takes it gets the object."""
        if transfer in self._of:
            transfer.attempts[-1].why = "no-context"
            transfer.tried[member.spec.name] = TRIED_OUT
            self._choose(transfer)

    def changed(self, member: LiveMember, change: Change) -> None:
        """The operational word of a member changed."""
        report = self._log.info if change.after == "up" else self._log.warning
        report(f"member.{change.after}", pool=member.pool, member=member.spec.name, was=change.before, why=change.why)

    def refused_tls(self, member: LiveMember, reason: str) -> None:
        """A TLS handshake with a member failed."""
        self._counters.add("gurney_dicom_tls_refused_total", ("member", f"{member.pool}/{member.spec.name}", reason))
        self._log.warning("tls.refused", pool=member.pool, member=member.spec.name, reason=reason, why=REASONS.get(reason))

    def broke(self, member: LiveMember, error: Exception) -> None:
        """A defect of ours was met on one of its links."""
        self._log.error("session.failed", pool=member.pool, member=member.spec.name, error=type(error).__name__, cause=where(error))

    def _replay(self, transfer: Transfer, was: str, cause: str) -> None:
        """Another member, with every byte there is; the sender only waits."""
        if transfer.sent_at and transfer.pool is not None:
            self._counters.add("gurney_dicom_replays_total", (transfer.pool.name, was, cause.partition(":")[0]))
            self._log.info("object.replayed", object_ref=self._object_ref(transfer), study_ref=transfer.ref, was=was, cause=cause)
            transfer.sent_at = 0.0
        transfer.member = None
        self._choose(transfer)

    # -- ending

    def _refuse(self, transfer: Transfer, status: int, comment: str) -> None:
        self._finish(transfer, status, comment, None)

    def _finish(self, transfer: Transfer, status: int, comment: str, said: Command | None) -> None:
        pool = self._of.get(transfer)
        stored = status == 0x0000 or status >> 12 == 0xB
        if pool is not None and transfer.key is not None and transfer.key.pinned:
            self.pins.touch(pool.spec.name, transfer.ref, self._loop.time(), transfer.attempts[-1].member if stored else None)
            self._ledger.touch(pool.spec.name, transfer.ref, time.time())
        if transfer.ambiguous and (stored or said is not None):  # a refusal of ours says nothing of what the member has
            same = bool(transfer.attempts) and transfer.attempts[-1].member == transfer.ambiguous_at
            outcome = "refused" if not stored else "stored" if same else "duplicate"
            self._ledger.settle(self._object_ref(transfer), transfer.ambiguous_at, outcome)
        self._of.pop(transfer, None)
        transfer.link = transfer.member = None
        transfer.answered = True
        transfer.owner.answer(transfer, status, comment, said)

    # -- time and changes

    def tick(self, now: float) -> None:
        """Deadlines of every member, and the patience of objects that wait for a slot."""
        for transfer in [t for t in self._of if t.ambiguous and not t.duplicate and now - t.ambiguous_since > AMBIGUOUS_SECONDS]:
            if transfer.link is not None and transfer.link.sent_all:
                transfer.link.abort(then_lost=f"no answer within {AMBIGUOUS_SECONDS:g} s of the first loss")
        self._leaving = [member for member in self._leaving if member.links or member.waiting]
        for member in [*(member for pool in self.pools.values() for member in pool.members.values()), *self._leaving]:
            member.tick(now)
            for transfer in [t for t in member.waiting if now - t.queued_at > WAIT_SECONDS]:
                if not member.hasten(transfer) and member.waiting.remove(transfer):  # one refusal can give the next one its slot
                    self._refuse(transfer, OUT_OF_RESOURCES, "no slot of the member came free")

    def replace(self, pools: Mapping[str, LivePool]) -> None:
        """A new revision's pools; objects that wait where nothing may go any more are placed again."""
        old, self.pools = self.pools, dict(pools)
        for transfer, pool in self._of.items():
            if transfer.member is None:  # between two members: the next one is of this revision, if its pool still is
                self._of[transfer] = self.pools.get(pool.spec.name, pool)
        kept = {id(member) for pool in self.pools.values() for member in pool.members.values()}
        for pool in old.values():
            for member in pool.members.values():
                if id(member) not in kept:
                    member.retire()
                    self._leaving.append(member)
                if member.retired or member.spec.override == "disable":
                    for transfer in member.waiting.drain():
                        transfer.member = None
                        fresh = self.pools.get(pool.spec.name)
                        if fresh is not None and transfer in self._of:
                            self._of[transfer] = fresh
                        self._choose(transfer)
