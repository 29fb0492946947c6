"""The one place where an object's own facts are read and its rule, pool and key are decided, while it streams."""

from __future__ import annotations

from collections.abc import Mapping

from gurney.balance import facts, rules
from gurney.deliver.transfer import Transfer
from gurney.wire.dicom import pdv
from gurney.wire.dicom.head import Head


class Reading:
    """The head of one object on its way: fed with payload until everything wanted is known or cannot be."""

    __slots__ = ("_head", "_known", "_payload", "_transfer", "decided", "unreadable")

    def __init__(self, transfer: Transfer, wanted: facts.Wanted, known: Mapping[str, str]) -> None:
        self._transfer = transfer
        self._known = known
        self._head = Head(transfer.context[1], wanted)
        self._payload = pdv.Payload()
        self.decided = False
        self.unreadable: str | None = None  # why the data set cannot be read, None when it can

    def feed(self, run: memoryview, lead: int) -> bool:
        """Take the next run of the data set's wire bytes, `lead` as its event has it; True once decided."""
        for span in self._payload.spans(run, lead):
            if self._head.feed(span):
                self._decide()
                break
        return self.decided

    def finish(self) -> None:
        """The data set has ended."""
        if not self.decided:
            self._head.finish()
            self._decide()

    def _decide(self) -> None:
        """dicom.md §3, table of what is missing: the rule by the facts there are, the key by the rule's pool."""
        self.decided = True
        transfer, head = self._transfer, self._head
        self.unreadable = head.unreadable
        readable = head.unreadable is None
        known = {**self._known, **facts.command(transfer.command, transfer.context[1])}
        if readable:
            known.update(facts.data(head.values, head.private))
        transfer.facts = known
        choice = rules.choose(transfer.service, known, readable=readable)
        transfer.rule = choice.rule
        if choice.rule is not None:
            transfer.urgency = choice.rule.urgency
