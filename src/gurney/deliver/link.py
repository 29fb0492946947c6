"""The one place for an association with a member: dialled, negotiated, one object at a time, answered, released."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gurney.config import limits
from gurney.deliver.transfer import Transfer
from gurney.errors import LocalError
from gurney.net import tune
from gurney.net.dial import Dial, outcome
from gurney.net.hangups import Hangups
from gurney.net.outbox import Outbox
from gurney.net.tls import Towards
from gurney.wire.dicom import command, events, pdu, pdv, states
from gurney.wire.dicom.statuses import classify
from gurney.wire.dicom.upper import Upper

OWN_MAXIMUM = limits.OWN_MAXIMUM_LENGTH  # what we advertise (dicom.md §2)
ANSWER_SECONDS = limits.MEMBER_ANSWER_MS / 1000  # plus 1 s per 10 MiB
IDLE_SECONDS = limits.MEMBER_IDLE_MS / 1000  # then released, never aborted
WATCH_SECONDS = limits.ACK_WATCH_MS / 1000  # between two looks at TCP_INFO while bytes wait
PENDING = (0xFF00, 0xFF01)  # of queries only: whoever sends a C-STORE would wait for another answer (PS3.7 §9.1.1.4)
MAX_CONTEXTS = 128

_TLS_FAULT = f"errno {errno.EPROTO}"  # net/secured: a member may refuse our certificate after our side of the handshake (TLS 1.3)

Pair = tuple[str, str]  # abstract syntax, transfer syntax


class Receiver:
    """The process's one buffer for what members send: answers of a few hundred bytes, read in place."""

    __slots__ = ("buffer", "view")
    SIZE = 262_144

    def __init__(self) -> None:
        self.buffer = bytearray(self.SIZE)
        self.view = memoryview(self.buffer)


class Ends(Protocol):
    """Who hears of a link's fate: its member."""

    def opened(self, link: Link) -> None:
        """The association stands."""

    def failed(self, link: Link, outcome: str) -> None:
        """It never stood; `outcome` is a word of dicom.md §7."""

    def answered(self, link: Link, transfer: Transfer, status: int, said: command.Command) -> None:
        """The member's status for the object in hand and the command set that said it; the link is idle again."""

    def lost(self, link: Link, transfer: Transfer | None, why: str) -> None:
        """The association is gone. `link.sent_all` says whether the last fragment had left."""

    def closed(self, link: Link) -> None:
        """Released or closed while idle."""

    def broke(self, link: Link, error: Exception) -> None:
        """A defect of ours; `lost`, `failed` or `closed` follows."""


class Link:
    """One member association. `key` is the AE titles it was opened with; a link is never shared between two keys."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ends: Ends,
        receiver: Receiver,
        hangups: Hangups,
        address: tuple[str, int],
        key: tuple[str, str],
        pairs: Sequence[Pair],
        tls: Towards | None = None,
    ) -> None:
        self._loop = loop
        self._ends = ends
        self._receiver = receiver
        self._hangups = hangups
        self._sock: socket.socket | None = None
        self._more: Callable[[], bool] | None = None
        self._writing = False
        self._tail = b""
        self._context_id = 0  # of the object in hand, here
        self._next_id = 0
        self._message_id = 0
        self._run = 0  # runs of the transfer queued so far, counted from its first
        self._cutter: pdv.Reframe | None = None
        self._answer_due: float | None = None
        self._watch_at = 0.0
        self._dial: Dial | None = Dial(loop, address[0], address[1], self._dialled, tls=tls)
        self.key = key  # (calling, called) as sent
        self.tls = tls
        self.asked = tuple(pairs[:MAX_CONTEXTS])
        self.accepted: dict[Pair, int] = {}
        self.state = "dialling"
        self.transfer: Transfer | None = None
        self.sent_all = False
        self.of_no_use = False  # the member ended it before it had carried an object
        self.idle_since = loop.time()
        self.progress_at = loop.time()
        self.begun_at = loop.time()
        self.peer_maximum = 16_384
        self._core: Upper

    # -- opening

    def _dialled(self, sock: socket.socket | None, why: str) -> None:
        self._dial = None
        if sock is None:
            self.state = "closed"
            self._ends.failed(self, outcome(why))
            return
        now = self._loop.time()
        self._sock = sock
        self._more = getattr(sock, "pending", None)  # bytes, a fault or an end that a TLS connection holds and the loop cannot see
        self._outbox = Outbox(sock)
        self._core = Upper(accepting=False, now=now, own_maximum=OWN_MAXIMUM)
        self.state = "associating"
        self._loop.add_reader(sock, self._readable)
        self._hangups.add(sock, self._readable)
        contexts = tuple(pdu.ContextRQ(2 * n + 1, abstract, (transfer,)) for n, (abstract, transfer) in enumerate(self.asked))
        self._core.request(request(self.key, contexts), now)
        self._act()

    def _on_accepted(self, event: events.Accepted) -> None:
        for context in event.ac.contexts:
            pair = self.asked[context.id // 2]  # the core leaves out what was not asked for
            if context.result == pdu.ACCEPTED and context.transfer == pair[1]:
                self.accepted[pair] = context.id
        self.peer_maximum = event.ac.max_length
        self.state = "open"
        self.idle_since = self.progress_at = self._loop.time()
        self._ends.opened(self)

    # -- one object

    def start(self, transfer: Transfer) -> None:
        """Send `transfer`, as far as it has come, on this open and idle link."""
        if self.transfer is not None or self.state != "open" or transfer.dropped:
            raise LocalError("an object was given to a link that is not idle, or an object whose beginning is gone")
        now = self._loop.time()
        self._next_id = self._next_id % 65_535 + 1
        self._message_id = self._next_id
        self.transfer = transfer
        transfer.link = self
        self.sent_all = False
        self.progress_at = transfer.sent_at = now
        self._run = 0
        self._answer_due = None
        context_id = self._context_id = self.accepted[transfer.context]
        self._core.check_sending()
        own = transfer.command.renumbered(self._message_id)
        limit = self.peer_maximum  # 0 = none
        self._cutter = pdv.Reframe(context_id, limit) if 0 < limit < transfer.cut_at else None
        self.pump(pdv.fragment_command(context_id, own, limit))

    def pump(self, *parts: bytes | memoryview) -> None:
        """Send what has come of the object in hand, behind `parts`: all of it in one write, where the kernel takes it."""
        transfer = self.transfer
        if transfer is None or self._sock is None:
            return
        gathered = [*parts]
        runs = transfer.runs
        behind, last = self._run - transfer.dropped, len(runs) - 1
        for index in range(behind, last + 1):
            run = runs[index]
            view = run.slab.view[run.start : run.end]
            lead = transfer.lead if self._run == 0 and index == 0 else 0
            if self._cutter is not None:
                pieces = self._cutter.run(view, lead, transfer.whole and index == last)
                gathered += [memoryview(piece) if isinstance(piece, bytearray) else piece for piece in pieces]
                continue
            if lead:
                gathered.append(pdv.header(lead))
            pdv.patch(run.slab.view, run.context_ids, self._context_id)
            gathered.append(view)
        self._run = transfer.dropped + last + 1
        self._flush(gathered)

    def _flush(self, more: Sequence[bytes | memoryview] = ()) -> None:
        before = self._outbox.pending
        try:
            empty = self._outbox.send(*more) if more else self._outbox.flush()
        except OSError as error:
            self._gone(f"errno {error.errno}")
            return
        if self._outbox.pending != before or empty:
            self.progress_at = self._loop.time()
        if empty is self._writing:
            self._watch_writing(not empty)
        transfer = self.transfer
        if not empty or transfer is None:
            return
        if transfer.dropped or transfer.held > transfer.service.replay_limit:
            self.trim()
        if transfer.whole and not self.sent_all and self._run == transfer.dropped + len(transfer.runs):
            self.sent_all = True
            self._answer_due = self.progress_at + ANSWER_SECONDS + transfer.size / (10 << 20)
        if transfer.owner.paused:
            transfer.owner.drained(transfer)

    def trim(self, force: bool = False) -> None:
        """Past the replay limit, or when memory is short (`force`), what has left is not kept; nor is what follows a lost beginning."""
        transfer = self.transfer
        if transfer is None or self._outbox.waiting or self._run <= transfer.dropped:
            return
        if force or transfer.dropped or transfer.held > transfer.service.replay_limit:
            transfer.drop_runs(self._run - transfer.dropped)

    @property
    def unsent(self) -> int:
        """Bytes queued and not yet taken by the kernel."""
        return self._outbox.pending if self._sock is not None else 0

    def _watch_writing(self, wanted: bool) -> None:
        if wanted and not self._writing and self._sock is not None:
            self._loop.add_writer(self._sock, self._flush)
        elif not wanted and self._writing and self._sock is not None:
            self._loop.remove_writer(self._sock)
        self._writing = wanted

    # -- what the member sends

    def _readable(self) -> None:
        try:
            self._read()
            while self._more is not None and self._sock is not None and self._more():
                self._read()
        except Exception as error:  # as in `_guarded`, without its call
            self._broke(error)

    def _guarded(self, work: Callable[..., None], *given: Any) -> None:
        try:
            work(*given)
        except Exception as error:
            self._broke(error)

    def _broke(self, error: Exception) -> None:
        """One link ends, the process and every other one go on."""
        self._ends.broke(self, error)
        self._gone("a defect in Gurney")

    def _read(self) -> None:
        sock = self._sock
        if sock is None:
            return
        held = len(self._tail)
        receiver = self._receiver
        receiver.buffer[:held] = self._tail
        try:
            count = sock.recv_into(receiver.view[held:])
        except BlockingIOError:
            return
        except OSError as error:
            self._gone(f"errno {error.errno}")
            return
        now = self._loop.time()
        if count == 0:
            self._core.closed(now)
            self._act()
            return
        self.progress_at = now
        position, end = 0, held + count
        while self._sock is not None:
            taken = self._core.receive(receiver.buffer, position, end, now)
            came = self._act()
            moved, position = taken != position, taken
            if (not moved and not came) or (position == end and not self._core.events):
                break
        if self._sock is None:
            self._tail = b""
            return
        self._tail = bytes(receiver.view[position:end])
        if self._core.unfinished:
            tune.quickack(sock)

    def _act(self) -> bool:
        came = False
        for event in self._core.take():
            came = True
            if self.state == "closed":
                break
            match event:
                case events.Send(data):
                    self._outbox.add(data)
                    self._flush()
                case events.CommandSet():
                    self._on_answer(event.said, event.data_set)
                case events.Accepted() if self._core.state != states.OPEN:
                    self._fail("aborted")  # ended in the read that accepted it: it never stood
                case events.Accepted():
                    self._on_accepted(event)
                case events.Rejected(result, source, reason):
                    self._fail(rejection(result, source, reason))
                case events.Aborted() | events.Closed():
                    self._gone("the member aborted" if isinstance(event, events.Aborted) else "the member closed the connection")
                case events.Released():
                    self._drop()
                    self._ends.closed(self)
                case events.ReleaseRequested():
                    self._on_release_requested()
                case events.Data():
                    self._breach("a data set where none is due")
                case events.Close():
                    if self.state in ("associating", "open"):
                        self._gone("the upper layer closed")
        return came

    def _on_release_requested(self) -> None:
        self._core.answer_release()
        if self.transfer is not None:
            self._gone("the member released in the middle of an object")
            return
        self.state = "releasing"
        self.of_no_use = self._next_id == 0
        self._act()
        if self.state == "releasing" and not self._outbox.waiting:
            self._drop()  # it is over: a member that asked and does not close keeps no slot (PS3.8 leaves us ARTIM to wait)
            self._ends.closed(self)

    def _on_answer(self, answer: command.Command | command.CommandFault, data_set: bool) -> None:
        transfer = self.transfer
        if transfer is None:
            self._breach("an answer nobody asked for")
            return
        if isinstance(answer, command.CommandFault):
            self._breach("an answer that cannot be read")
            return
        if answer.field != command.C_STORE_RQ | command.RESPONSE or answer.responded_id != self._message_id or answer.status is None:
            self._breach("an answer to something else")
            return
        if data_set:  # passed on, its sender would wait for what cannot come (PS3.7 §9.3.1.2: none)
            self._breach("an answer that announces a data set")
            return
        if answer.status in PENDING:
            self._breach("a pending status")
            return
        if not self.sent_all and classify(answer.status) in ("success", "warning"):
            self._breach("success before the last fragment")
            return
        self._answer_due = None
        self.idle_since = self._loop.time()
        if not self.sent_all:
            # A refusal before the last fragment is honest, but what is left of the object must not follow it: this association ends.
            self.abort()
        self.transfer = None
        self._ends.answered(self, transfer, answer.status, answer)

    def _breach(self, why: str) -> None:
        self.abort(then_lost=f"breach: {why}")

    # -- ending

    def abort(self, then_lost: str | None = None) -> None:
        """End the association at once. Inside a PDU there is no place for an A-ABORT: the connection is reset instead."""
        transfer, self.transfer = self.transfer, None
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        if self._sock is not None:
            if self._outbox.waiting or (transfer is not None and not self.sent_all):
                sock = self._sock
                self._drop(close=False)
                tune.reset(sock)
            else:
                self._last_word()
                self._drop()
        self.state = "closed"
        if then_lost is not None:
            self._ends.lost(self, transfer, then_lost)
        else:
            self._ends.closed(self)

    def _last_word(self) -> None:
        try:
            self._core.abort()
            for event in self._core.take():
                if isinstance(event, events.Send):
                    self._outbox.add(event.data)
            self._outbox.flush()
        except (LocalError, OSError):
            return  # the close that follows says the same

    def release(self) -> None:
        """Ask to release an idle association; `closed` follows."""
        if self.state != "open" or self.transfer is not None or self._core.state != states.OPEN:
            return
        self.state = "releasing"
        self._core.release(self._loop.time())
        self._act()

    def tick(self, now: float) -> None:
        """Look at every deadline of this link."""
        self._guarded(self._look, now)

    def _look(self, now: float) -> None:
        if self._sock is None:
            return
        if self._core.deadline is not None and self._core.deadline <= now:
            self._core.tick(now)
            if self.state == "associating":
                self._fail("answer-timeout")
                return
            self._act()
        if self.state == "closed":
            return
        if self._answer_due is not None and self._answer_due <= now:
            self.abort(then_lost="no answer in time")
        elif self._watch_at <= now and self._seems_dead(now):
            self._gone("no acknowledgement for 15 s")
        elif self.state == "open" and self.transfer is None and now - self.idle_since > IDLE_SECONDS:
            self.release()

    def _seems_dead(self, now: float) -> bool:
        """Asked of the kernel whatever is going on: bytes may wait there alone, and with TCP_USER_TIMEOUT set an idle association's
        keepalive ends it only after that (60 s), although its probes have told long before."""
        self._watch_at = now + WATCH_SECONDS
        return self._sock is not None and tune.seems_dead(self._sock)

    def usable(self) -> bool:
        """Whether an idle, open link can still be written to; one whose peer has left is closed here."""
        if self._sock is None or self.state != "open" or self._core.state != states.OPEN:
            return False  # what has come behind its last answer ends it in a moment
        if tune.idle_peer_gone(self._sock):
            # Not read here: what lies there (a release, an abort, a late answer) ends the link either way.
            self.of_no_use = self._next_id == 0
            self._drop()
            self._ends.closed(self)
            return False
        return True

    def _fail(self, outcome: str) -> None:
        self._drop()
        self._ends.failed(self, outcome)

    def _gone(self, why: str) -> None:
        if self.state == "closed":
            return
        before, transfer = self.state, self.transfer
        self.transfer = None
        self.of_no_use = before == "open" and self._next_id == 0
        self._drop()
        if before == "associating":
            self._ends.failed(self, "tls-failed" if why == _TLS_FAULT else "aborted")
        elif transfer is None:
            self._ends.closed(self)
        else:
            self._ends.lost(self, transfer, why)

    def _drop(self, close: bool = True) -> None:
        self.state = "closed"
        self._answer_due = None
        if self._sock is None:
            return
        self._loop.remove_reader(self._sock)
        self._hangups.remove(self._sock)
        self._watch_writing(False)
        self._outbox.clear()
        if close:
            self._sock.close()
        self._sock = None


def request(key: tuple[str, str], contexts: tuple[pdu.ContextRQ, ...]) -> pdu.AssociateRQ:
    """Our A-ASSOCIATE-RQ: no asynchronous window (a GE implementation drops TCP on seeing it), no roles, no identity."""
    return pdu.AssociateRQ(
        called_ae=key[1],
        calling_ae=key[0],
        contexts=contexts,
        max_length=OWN_MAXIMUM,
    )


def rejection(result: int, source: int, reason: int) -> str:
    """The outcome word of an A-ASSOCIATE-RJ (dicom.md §7; PS3.8 Table 9-21)."""
    if result == 2:
        return "rejected-busy"
    if (result, source, reason) == (1, 1, 3):
        return "rejected-caller"
    if (result, source, reason) == (1, 1, 7):
        return "rejected-called"
    return "rejected-other"
