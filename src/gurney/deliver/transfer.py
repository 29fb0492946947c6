"""The one place for an object in flight: its command, the bytes kept for replay, what was decided and what was tried."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from gurney.balance.keys import Key
from gurney.config.document import Pool, Rule, Service
from gurney.net.slabs import Slab
from gurney.wire.dicom.command import Command

if TYPE_CHECKING:
    from gurney.deliver.link import Link
    from gurney.deliver.member import LiveMember


class Run:
    """Wire bytes of a data set in one slab: `slab.view[start:end)`, context id bytes at `context_ids` (offsets in the slab)."""

    __slots__ = ("context_ids", "end", "slab", "start")

    def __init__(self, slab: Slab, start: int, end: int, context_ids: list[range]) -> None:
        self.slab = slab
        self.start = start
        self.end = end
        self.context_ids = context_ids


class Owner(Protocol):
    """Who waits for the answer: the sender's session."""

    paused: bool  # it has stopped reading its source: `drained` may let it go on

    def answer(self, transfer: Transfer, status: int, comment: str, said: Command | None) -> None:
        """The object has its status (PS3.7 C); called once, possibly before the sender's last byte.

        `said` is the member's own command set, to be passed on with the sender's Message ID; None when the status is ours.
        """

    def drained(self, transfer: Transfer) -> None:
        """Bytes have left; a source paused for this transfer may be read again."""


@dataclass(slots=True)
class Attempt:
    """One try at one member, kept for `explain` and the log."""

    member: str
    why: str = ""


@dataclass(slots=True, eq=False)
class Transfer:
    """One C-STORE on its way. Sizes in bytes, times in seconds of the loop's clock."""

    owner: Owner
    service: Service
    calling_ae: str
    called_ae: str
    context: tuple[str, str]  # abstract syntax, transfer syntax
    context_id: int  # the sender's
    pairs: tuple[tuple[str, str], ...]  # every pair accepted from this sender: a new member association asks for them too
    command: Command
    cut_at: int  # the largest P-DATA-TF variable field the sender may use
    begun: float
    facts: Mapping[str, str] = field(default_factory=dict)
    rule: Rule | None = None
    pool: Pool | None = None
    key: Key | None = None
    ref: str = ""  # keyed digest of the key, under which the pin stands
    urgency: str = "routine"
    runs: deque[Run] = field(default_factory=deque)
    dropped: int = 0  # runs no longer kept: then there is no replay
    lead: int = 0  # bytes of P-DATA-TF field whose header went with the command
    size: int = 0  # wire bytes of the data set so far
    held: int = 0  # wire bytes still kept
    whole: bool = False
    discard: bool = False  # already answered or doomed: the rest is read and dropped
    answered: bool = False
    abandoned: bool = False  # the sender is gone
    ambiguous: bool = False  # a member may have it without having said so
    duplicate: bool = False  # a second member may get it
    alone: bool = False  # its member's status sends this object elsewhere, and not its study (dicom.md §5)
    tried: dict[str, int] = field(default_factory=dict)  # member -> failed attempts
    attempts: list[Attempt] = field(default_factory=list)
    status: int | None = None  # the last status a member gave, in the end the one the sender hears
    comment: str = ""  # ours, beside the status
    said: Command | None = None  # the member's own answer, passed on
    queued_at: float = 0.0
    overdue: bool = False  # it was still coming when its patience for a slot was over, or memory: it waits for its end no more
    sent_at: float = 0.0
    ambiguous_at: str = ""  # the member whose outcome is unknown
    ambiguous_whole: bool = False  # it was sent the whole object, so that "already there" proves something
    ambiguous_since: float = 0.0
    ambiguous_refusals: int = 0
    member: LiveMember | None = None  # where it waits or is being sent
    link: Link | None = None  # on which it is being sent

    @property
    def replayable(self) -> bool:
        """Whether every byte that has come is still here."""
        return self.dropped == 0

    def add(self, run: Run) -> None:
        """Keep one more run of the data set, and its slab with it."""
        run.slab.holders += 1
        self.runs.append(run)
        self.size += run.end - run.start
        self.held += run.end - run.start

    def drop_runs(self, count: int) -> None:
        """Let go of the first `count` runs (they were sent and the replay limit is passed): no replay from here on."""
        for _ in range(count):
            run = self.runs.popleft()
            self.held -= run.end - run.start
            run.slab.give_back()
        self.dropped += count
