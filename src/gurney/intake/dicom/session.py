"""The one place for one sender's association: admitted, negotiated, each object read, routed and answered, in order."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from gurney.balance.keys import Key
from gurney.deliver.link import OWN_MAXIMUM
from gurney.deliver.transfer import Run, Transfer
from gurney.errors import LocalError
from gurney.intake.dicom import answers
from gurney.intake.dicom.admission import source_of
from gurney.intake.dicom.connection import Connection
from gurney.intake.dicom.negotiation import Negotiating, association_facts
from gurney.intake.dicom.object import Reading
from gurney.net.slabs import SLAB, Slab
from gurney.wire.dicom import command, events, negotiate, pdu, pdv, states
from gurney.wire.dicom.sop_classes import VERIFICATION
from gurney.wire.dicom.upper import Upper

if TYPE_CHECKING:
    from gurney.intake.dicom.service import LiveService

_UNHEARD = 65_536  # bytes of answers a sender has not taken, or sent ahead of its answer, beyond which it is not read
_AHEAD = 4 * SLAB  # bytes of an object received and not yet with its member, beyond which its sender is not read
_WAITING = 8 * SLAB  # the same while no member has been given the object
_CRAWL = 5 * 65_536  # bytes of an object between two looks: whoever sends less while others wait for memory makes room


class Session(Connection):
    """One accepted connection. Owner of its transfers (`deliver.transfer.Owner`)."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        service: LiveService,
        sock: socket.socket,
        address: str,
        listener: str,
        tls_subject: str = "",
        since: float | None = None,
    ) -> None:
        now = loop.time() if since is None else since  # ARTIM counts from when it was accepted (PS3.8 §9.1.5), a TLS handshake included
        super().__init__(loop, sock, Upper(accepting=True, now=now, own_maximum=OWN_MAXIMUM), service.slabs, service.hangups)
        self._service = service
        self._reading: Reading | None = None
        self._negotiating: Negotiating | None = None
        self._contexts: dict[int, tuple[str, str]] = {}
        self._pairs: tuple[tuple[str, str], ...] = ()
        self._known: dict[str, str] = {}
        self._rq: pdu.AssociateRQ | None = None
        self._release_due = self._ending = False
        self._seen: tuple[Transfer | None, int] = (None, 0)  # at the last look, and how much of it had come
        self._maximum = OWN_MAXIMUM  # as advertised
        self._listener = listener
        self._tls_subject = tls_subject
        self.address = address
        self.source = source_of(address)
        self.since = now
        self.study: tuple[Key, str] | None = None  # of the last object, and its ref: the next one is mostly of the same
        self.objects = 0
        self.associated = False

    @property
    def calling_ae(self) -> str:
        """The sender's AE title, empty before its request."""
        return self._rq.calling_ae if self._rq is not None else ""

    # -- what its connection asks

    def _ahead(self) -> bool:
        transfer = self.transfer
        if self._outbox.pending > _UNHEARD:
            return True
        if transfer is None:
            return False
        if transfer.whole:
            return self._memory.unread > _UNHEARD  # the next message, sent before this one's answer
        if transfer.discard:
            return False
        link = transfer.link
        return link.unsent > _AHEAD if link is not None else transfer.held > min(_WAITING, transfer.service.replay_limit)

    def _defect(self, error: Exception) -> None:
        self._service.broke(self, error)

    def _starved(self) -> None:
        self._service.short_of_memory(self.transfer)

    def _watched(self) -> None:
        """While others wait for memory, whoever holds some and hardly sends gives it up: his object is refused, and may be sent again."""
        transfer, (before, size) = self.transfer, self._seen
        self._seen = (transfer, transfer.size if transfer is not None else 0)
        if transfer is None or transfer is not before or not self._slabs.short:
            return
        if not (transfer.whole or transfer.discard or self.paused) and transfer.size - size < _CRAWL:
            self._service.dispatcher.refuse(transfer, answers.OUT_OF_RESOURCES, "memory is short, and it comes slowly")

    def _gone(self, why: str) -> None:
        if not self._close():
            return
        if self._negotiating is not None:
            self._negotiating.cancel()
        self._drop_transfer()
        self._let_go()
        self._service.gone(self, why)

    # -- events of the upper layer

    def _act(self, slab: Slab | None = None) -> bool:
        came = False
        for event in self._core.take():
            came = True
            if self._sock is None:
                break
            match event:
                case events.Data():
                    assert slab is not None
                    self._on_data(event, slab)
                case events.CommandSet():
                    self._on_command(event)
                case events.Send(data):
                    self._send(data)
                case events.Requested(rq):
                    self._on_requested(rq)
                case events.ReleaseRequested():
                    self._on_release_requested()
                case events.Aborted():
                    self._on_aborted(event)
                case events.Rejected(result, source, reason):
                    self._service.rejected(self, (result, source, reason), "fault")
                case events.Close():
                    self._flush_and_close()
                case events.Closed(clean):
                    self._gone("" if clean else "closed without release")
                case events.Note(word):
                    self._service.counters.add("gurney_dicom_tolerated_total", (self._service.name, word))
        return came

    def _on_requested(self, rq: pdu.AssociateRQ) -> None:
        self._rq = rq
        service = self._service
        refusal = self._admitted(rq)
        if refusal is not None:
            self._reject(refusal)
            return
        self._known = association_facts(rq, self.address, self._listener, self._tls_subject)
        self._negotiating = Negotiating(self._loop, service.dispatcher, service.spec, rq, self._known, self._negotiated)

    def _admitted(self, rq: pdu.AssociateRQ) -> tuple[int, int, int] | None:
        return self._service.admission.asks(self._service.spec, self.source, self.address, rq.calling_ae, rq.called_ae)

    def _negotiated(self, outcome: negotiate.Negotiation, maximum: int) -> None:
        self._guarded(self._on_negotiated, outcome, maximum)

    def _on_negotiated(self, outcome: negotiate.Negotiation, maximum: int) -> None:
        self._negotiating = None
        rq = self._rq
        if self._sock is None or rq is None or self._core.state != states.ANSWER_DUE:
            return  # it left, or broke the protocol, while members were asked
        # Others may have been accepted meanwhile: the limits are looked at again.
        refusal = outcome.reject or self._admitted(rq)
        if refusal is not None:
            self._reject(refusal)
            self._act()
            return
        abstracts = {context.id: context.abstract for context in rq.contexts}
        self._contexts = {context.id: (abstracts[context.id], context.transfer) for context in outcome.contexts if context.result == 0}
        self._maximum = maximum
        self._pairs = tuple(dict.fromkeys(pair for pair in self._contexts.values() if pair[0] != VERIFICATION))
        window = (1, 1) if rq.async_window is not None else None
        self._core.accept(
            pdu.AssociateAC(ae_bytes=rq.ae_bytes, contexts=outcome.contexts, max_length=maximum, async_window=window), self._loop.time()
        )
        self.associated = True
        self._service.associated(self)
        self._act()
        self._consume()

    def _reject(self, numbers: tuple[int, int, int]) -> None:
        self._service.rejected(self, numbers, "refused")
        self._core.reject(*numbers)

    def _on_release_requested(self) -> None:
        self._release_due = True
        if self.transfer is None:
            self._answer_release()

    def _answer_release(self) -> None:
        self._release_due = False
        self._core.answer_release()
        self._service.released(self)
        self._act()

    def _on_aborted(self, event: events.Aborted) -> None:
        self._service.aborted(self, event)
        self._drop_transfer()

    # -- messages

    def _on_command(self, event: events.CommandSet) -> None:
        self._core.hold = True
        request = event.said
        if isinstance(request, command.CommandFault):
            self._malformed(str(request.reason))
            return
        context = self._contexts[event.context_id]
        if request.field == command.C_ECHO_RQ:
            self._reply(event.context_id, command.echo_response(request, self._service.echo_status()))
        elif request.field == command.C_STORE_RQ and event.data_set:
            self._reading = Reading(self._begin(event, request, context), self._service.wanted, self._known)
        elif request.field == command.C_CANCEL_RQ:
            self._core.hold = False  # nothing here runs long enough to be cancelled
        elif request.field & command.RESPONSE or request.field == command.C_STORE_RQ:
            self._malformed("no-request" if request.field & command.RESPONSE else "store-without-data-set")
        else:
            self._unsupported(event, request, context)

    def _begin(self, event: events.CommandSet, request: command.Command, context: tuple[str, str]) -> Transfer:
        assert self._rq is not None
        self.transfer = Transfer(
            owner=self,
            service=self._service.spec,
            calling_ae=self._rq.calling_ae,
            called_ae=self._rq.called_ae,
            context=context,
            context_id=event.context_id,
            pairs=self._pairs,
            command=request,
            cut_at=self._maximum,
            begun=self._loop.time(),
        )
        return self.transfer

    def _unsupported(self, event: events.CommandSet, request: command.Command, context: tuple[str, str]) -> None:
        """A request that storage and verification contexts have no meaning for: refused honestly, its data set read and dropped."""
        if not event.data_set:
            self._reply(event.context_id, command.response(request, answers.UNRECOGNIZED))
            return
        transfer = self._begin(event, request, context)
        transfer.discard = True
        transfer.status = answers.UNRECOGNIZED
        self._reading = None

    def _on_data(self, event: events.Data, slab: Slab) -> None:
        transfer = self.transfer
        if transfer is None:
            if self._core.abortable:
                raise LocalError("a data set without its command")
            return  # cut off for its command: what came with that is nobody's
        size = event.end - event.start
        if event.lead:
            transfer.lead = event.lead
        limit = transfer.service.limits.max_object
        if limit is not None and transfer.size + size > limit and not transfer.discard:
            self._service.dispatcher.refuse(transfer, answers.OUT_OF_RESOURCES, "larger than max_object")
        transfer.whole = event.last
        if transfer.discard:
            transfer.size += size  # read and dropped: no run keeps the slab
        else:
            transfer.add(Run(slab, event.start, event.end, event.context_ids))
            if self._reading is not None:
                self._read_head(self._reading, event, slab)
            elif transfer.key is not None:
                self._service.dispatcher.more(transfer)
        if transfer.whole and transfer.discard and self.transfer is transfer:
            self._late_answer(transfer)

    def _read_head(self, reading: Reading, event: events.Data, slab: Slab) -> None:
        transfer = self.transfer
        assert transfer is not None
        if not reading.feed(slab.view[event.start : event.end], event.lead) and transfer.whole:
            reading.finish()
        if reading.decided:
            self._reading = None
            self._service.route(self, transfer, reading)

    # -- answering (transfer.Owner)

    def answer(self, transfer: Transfer, status: int, comment: str, said: command.Command | None) -> None:
        """The object has its status; before its last byte has come the rest is read and dropped first."""
        transfer.status, transfer.comment, transfer.said = status, comment, said
        transfer.answered = True
        transfer.drop_runs(len(transfer.runs))  # kept for a replay
        if self._sock is None or self.transfer is not transfer:
            self._service.answered(self, transfer, status, heard=False)
            return
        if not transfer.whole:
            transfer.discard = True
            self._reading = None
            self._throttle()
            return
        self._late_answer(transfer)

    def drained(self, transfer: Transfer) -> None:
        """Bytes have left for the member: its source may be read again."""
        self._throttle()

    def _late_answer(self, transfer: Transfer) -> None:
        """The whole object has come and its status is known: now the answer is due."""
        status = transfer.status if transfer.status is not None else answers.OUT_OF_RESOURCES
        if transfer.said is not None:
            data = transfer.said.renumbered(transfer.command.message_id or 0)
        else:
            data = command.response(transfer.command, status, transfer.comment or None)
        self.transfer = None
        self.objects += 1
        self._service.answered(self, transfer, status, heard=True)
        if transfer.size <= SLAB:
            self._slabs.shared_at = self._loop.time()
        self._reply(transfer.context_id, data)
        if self._sock is None:
            return
        if self._release_due:
            self._answer_release()
        elif self._ending:
            self.end()
        elif not self._consuming:
            self._consume()

    def _reply(self, context_id: int, data: bytes) -> None:
        """One answer in one write; the next message may begin."""
        self._core.hold = False
        self._send(pdv.fragment_command(context_id, data, self._core.peer_maximum))

    # -- ending

    def end(self) -> None:
        """End at an object boundary (stop, a service removed): now when idle, after the object in hand otherwise."""
        self._ending = True
        if self.transfer is not None or self._sock is None:
            return
        if not self._core.abortable:
            self.shed()
        else:
            self._core.abort()
            self._service.counters.add("gurney_dicom_aborts_total", (self._service.name, "us", "2/0"))
            self._act()

    def shed(self) -> None:
        """Closed in favour of a newer connection, or for good: nothing is in hand, or nothing can be done for it."""
        self._gone("closed by us")

    def _malformed(self, reason: str) -> None:
        self._service.malformed(self, reason)
        if self._core.abortable:
            self._core.abort(2, 6)
        self._drop_transfer()
        self._act()

    def _drop_transfer(self) -> None:
        """The sender is gone: in mid data set nothing may stay anywhere; what came whole goes on without a listener."""
        transfer, self.transfer = self.transfer, None
        self._reading = None
        if transfer is None:
            return
        self._service.dispatcher.cancel(transfer)
        if not transfer.whole or transfer.key is None:
            transfer.drop_runs(len(transfer.runs))
