"""The one place for the check `dicom-associate`: an association with the pairs asked for is accepted, then released."""

from __future__ import annotations

from collections.abc import Sequence

from gurney.config import limits
from gurney.errors import LocalError
from gurney.health.checks.core import Check, Pair
from gurney.health.outcomes import rejected
from gurney.wire.dicom.events import Aborted, Accepted, CommandSet, Event, Rejected, Released, ReleaseRequested, Send
from gurney.wire.dicom.pdu import AssociateAC, AssociateRQ, ContextRQ
from gurney.wire.dicom.sop_classes import VERIFICATION
from gurney.wire.dicom.states import OPEN
from gurney.wire.dicom.upper import Upper

MOST_PAIRS = limits.CHECK_CONTEXTS  # contexts of one association have odd ids from 1 to 255 (PS3.8 §9.3.2.2)


class DicomAssociate(Check):
    """One pair a context. Pairs other than Verification must be accepted, else `contexts-lost`; none accepted is `no-context`.

    The release is waited for, so that a receiver of one association at a time is free when the check is over; a member that does
    not answer it by the deadline is well all the same.
    """

    def __init__(self, *, calling_ae: str, called_ae: str, pairs: Sequence[Pair], timeout: float, now: float) -> None:
        super().__init__(calling_ae=calling_ae, called_ae=called_ae, pairs=pairs, timeout=timeout, now=now)
        if not 1 <= len(self.pairs) <= MOST_PAIRS:
            raise LocalError(f"a check asks for 1 to {MOST_PAIRS} pairs, not {len(self.pairs)}")
        self._upper = Upper(False, now)
        self._left = b""
        self._found: tuple[str, str] | None = None  # outcome and detail, while the release is under way
        self._answered = False

    @property
    def awaiting_accept(self) -> bool:
        return self._connected and not self._answered

    def connected(self, now: float) -> bytes:
        super().connected(now)
        contexts = tuple(ContextRQ(2 * at + 1, abstract, (transfer,)) for at, (abstract, transfer) in enumerate(self.pairs))
        self._upper.request(AssociateRQ(called_ae=self.called_ae, calling_ae=self.calling_ae, contexts=contexts), now)
        return self._sent(now)

    def received(self, data: bytes, now: float) -> bytes:
        if self.outcome is not None:
            return b""
        buffer = self._left + data
        sent, at, before = b"", 0, -1
        while at != before and self.outcome is None:
            before = at
            at = self._upper.receive(buffer, at, len(buffer), now)
            sent += self._sent(now)
        self._left = buffer[at:]
        return sent

    def _sent(self, now: float) -> bytes:
        """What the core wants sent, with its events acted on."""
        sent = b""
        while events := self._upper.take():
            for event in events:
                if isinstance(event, Send):
                    sent += event.data
                else:
                    sent += self._heard(event, now)
        return sent

    def _heard(self, event: Event, now: float) -> bytes:
        match event:
            case Accepted(ac):
                self._answered = True
                return self._taken(ac, now)
            case Rejected(result, source, reason):
                self._answered = True
                self._end(rejected(result, source, reason), f"{result}/{source}/{reason}")
            case Aborted(source, reason, by_peer, why):
                self._answered = True
                if by_peer:
                    self._finish("aborted", f"source {source}, reason {reason}")
                else:
                    self._finish("bad-status", why)
            case ReleaseRequested():
                if self._found is None:
                    self._end("aborted", "released before the answer")
                self._upper.answer_release(now)
            case Released():
                self._finish("aborted", "released")
            case CommandSet(_, data, _):
                return self._command(data, now)
            case _:
                pass
        return b""

    def _taken(self, ac: AssociateAC, now: float) -> bytes:
        """The association is accepted; what to send next. One that ended in the same read was of no use: what ended it follows."""
        if self._upper.state != OPEN:
            return b""
        takes = {context.id: context.transfer for context in ac.contexts if context.result == 0}
        self.accepted = {pair: takes.get(2 * at + 1) == pair[1] for at, pair in enumerate(self.pairs)}
        if not any(self.accepted.values()):
            return self._leave("no-context", "", now)
        return self._proceed(now)

    def _proceed(self, now: float) -> bytes:
        """At least one pair is taken: for this kind that is enough."""
        return self._leave_well(now)

    def _command(self, data: bytes, now: float) -> bytes:
        """A command set came, though none was asked for: ignored, the release is under way."""
        return b""

    def _leave_well(self, now: float) -> bytes:
        lost = [
            f"{abstract} in {transfer}" for (abstract, transfer), taken in self.accepted.items() if not taken and abstract != VERIFICATION
        ]
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            return self._leave("contexts-lost", lost[0] + more, now)
        return self._leave("slow" if now > self._slow_from else "ok", "", now)

    def _leave(self, outcome: str, detail: str, now: float) -> bytes:
        """The outcome is known: release, and be over when that is answered. A peer that ended the association already needs none."""
        self._found = outcome, detail
        if self._upper.state == OPEN:
            self._upper.release(now)
        return b""

    def _finish(self, outcome: str, detail: str) -> None:
        """Over: with what was found before, else with this."""
        self._end(*(self._found or (outcome, detail)))

    def _gone(self, why: str, now: float) -> None:
        self._finish("aborted", why)

    def _late(self, now: float) -> None:
        self._finish("answer-timeout", "" if self._answered else "no answer to the association request")
