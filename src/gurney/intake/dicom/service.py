"""The one place for a DICOM service at work: its listeners, its sessions, what it counts, and the way of an object to the dispatcher."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from collections import Counter
from typing import Any, cast

from gurney.balance import facts, keys, rules
from gurney.config.document import Service
from gurney.deliver.dispatch import Dispatcher
from gurney.deliver.transfer import Transfer
from gurney.intake.dicom import answers
from gurney.intake.dicom.admission import Admission, Unproven
from gurney.intake.dicom.object import Reading
from gurney.intake.dicom.securing import Securing
from gurney.intake.dicom.session import Session
from gurney.net import tune
from gurney.net.dial import HANDSHAKE_SECONDS
from gurney.net.hangups import Hangups
from gurney.net.secured import Secured
from gurney.net.slabs import Slabs
from gurney.net.tls import REASONS
from gurney.telemetry.counters import Cell, Counters
from gurney.telemetry.log import Log, where
from gurney.telemetry.rates import Rate
from gurney.telemetry.refs import Refs
from gurney.wire.dicom import events

_ACCEPTS = 64  # connections taken in one turn of the loop
_KINDS = 512  # of objects whose counters are kept at hand
_OTHER = "other"  # the label of AE titles no `accept_from` names: peers choose them, so they are none


class LiveService:
    """One service of the application's current revision; sessions outlive revisions."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        spec: Service,
        dispatcher: Dispatcher,
        slabs: Slabs,
        hangups: Hangups,
        refs: Refs,
        log: Log,
        counters: Counters,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._loop = loop
        self._refs = refs
        self._listeners: dict[str, socket.socket] = {}
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # given up to refuse with when descriptors run out
        self._objects_rate = Rate(loop.time())
        self._bytes_rate = Rate(loop.time())
        self.dispatcher = dispatcher
        self.slabs = slabs
        self.hangups = hangups
        self.log = log
        self.counters = counters
        self.sessions: set[Session] = set()
        self._securing: set[Securing] = set()
        self._labels: dict[Session, tuple[str, str]] = {}  # under which each association was counted in; titles change with revisions
        self.admission = Admission()
        self.associations_total = self.objects_total = self.bytes_total = self.unreadable = self.failures = 0
        self.rejects: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter({"stored": 0, "warning": 0, "refused": 0, "unanswered": 0})
        self.use(spec, tls)

    @property
    def listening(self) -> set[str]:
        """The listeners accepted on."""
        return set(self._listeners)

    def use(self, spec: Service, tls: ssl.SSLContext | None = None) -> None:
        """A new revision's words; objects in flight end by the ones they began with, connections and handshakes by their certificates."""
        self.spec = spec
        self._tls = tls
        self.name = spec.name
        self._stored: dict[tuple[str, str, str, int], tuple[Cell, Cell]] = {}  # calling AE title, pool, member, status -> what it counts in
        self.wanted = facts.wanted(spec, {name: pool.spec for name, pool in self.dispatcher.pools.items()})
        self._titles = {peer.name for peer in spec.accept_from if "*" not in peer.name and "?" not in peer.name}

    # -- connections

    def listen(self, name: str, sock: socket.socket) -> None:
        """Accept on `sock`, which is the guard's too: closing ours refuses nobody."""
        sock.setblocking(False)
        self._listeners[name] = sock
        self._loop.add_reader(sock, self._accept, name, sock)

    def unlisten(self, name: str) -> None:
        """Accept no more on the listener `name`."""
        sock = self._listeners.pop(name, None)
        if sock is not None:
            self._loop.remove_reader(sock)
            sock.close()

    def _accept(self, name: str, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, peer = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._refuse_one(listener)
                return
            try:
                tune.leg(sock)
                self._connected(sock, _plain(peer[0]), name)
            except OSError:
                sock.close()  # gone before it began

    def _refuse_one(self, listener: socket.socket) -> None:
        """No descriptor left: the connection is taken and reset, not left in the backlog."""
        self._give_up_spare()
        try:
            sock, _ = listener.accept()
            tune.reset(sock)
        except OSError:
            pass
        self.counters.add("gurney_dicom_limited_total", (self.name, "descriptors"))
        try:
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass  # another thread was faster: then there is none to give up the next time

    def _give_up_spare(self) -> None:
        spare, self._spare = self._spare, -1
        if spare >= 0:
            os.close(spare)

    def _connected(self, sock: socket.socket, address: str, listener: str) -> None:
        if self._tls is not None:
            one = Securing(self._loop, self, sock, self._tls, address, listener, HANDSHAKE_SECONDS)
            self._securing.add(one)
            self._admit(one)
        else:
            self._begin(sock, address, listener)

    def _begin(self, sock: socket.socket, address: str, listener: str, tls_subject: str = "", since: float | None = None) -> None:
        session = Session(self._loop, self, sock, address, listener, tls_subject, since)
        self.sessions.add(session)
        self._admit(session)

    def _admit(self, one: Unproven) -> None:
        if not self.admission.connected(one, self.spec.limits, self._loop.time()):
            self.counters.add("gurney_dicom_limited_total", (self.name, "unassociated"))
            one.shed()

    def secured(self, one: Securing, secured: Secured) -> None:
        """The handshake is done: the association may begin."""
        self._securing.discard(one)
        self.admission.left(one)
        try:
            self._begin(cast("socket.socket", secured), one.address, one.listener, secured.subject, one.since)
        except OSError:
            secured.close()  # gone before it began

    def unsecured(self, one: Securing, why: str) -> None:
        """The handshake failed, for a word of `net.tls.REASONS`; "" is our own doing."""
        self._securing.discard(one)
        self.admission.left(one)
        if why == "probe":
            self.counters.add("gurney_dicom_probes_total", (self.name,))
        elif why:
            self.counters.add("gurney_dicom_tls_refused_total", ("sender", self.name, why))
            self.log.warning("tls.refused", service=self.name, peer=one.address, listener=one.listener, reason=why, why=REASONS.get(why))

    # -- what sessions tell

    def associated(self, session: Session) -> None:
        """An association stands."""
        self.admission.left(session)
        self.admission.associated(session.source, session.calling_ae)
        self.associations_total += 1
        label = self._labels[session] = (self.name, self.title(session.calling_ae))
        self.counters.add("gurney_dicom_associations_total", label)
        self.counters.add("gurney_dicom_associations", label)
        self.log.debug("association.opened", service=self.name, calling_ae=session.calling_ae, peer=session.address)

    def rejected(self, session: Session, numbers: tuple[int, int, int], why: str) -> None:
        """An A-ASSOCIATE-RJ goes out."""
        said = "/".join(map(str, numbers))
        self.rejects[said] += 1
        self.counters.add("gurney_dicom_rejects_total", (self.name, said))
        self.log.warning(
            "association.rejected",
            service=self.name,
            calling_ae=session.calling_ae,
            peer=session.address,
            result=numbers[0],
            source=numbers[1],
            reason=numbers[2],
            why=why,
        )

    def aborted(self, session: Session, event: events.Aborted) -> None:
        """The association was aborted, by the peer or because of it."""
        by = "peer" if event.by_peer else "us"
        self.counters.add("gurney_dicom_aborts_total", (self.name, by, f"{event.source}/{event.reason}"))
        if not event.by_peer:
            self.malformed(session, event.why)
        self.log.info("association.aborted", service=self.name, calling_ae=session.calling_ae, peer=session.address, by=by, why=event.why)

    def malformed(self, session: Session, reason: str) -> None:
        """A peer is cut off for what it sent, or did not send in time."""
        self.counters.add("gurney_dicom_malformed_total", (self.name, reason))
        self.log.warning("peer.malformed", service=self.name, peer=session.address, calling_ae=session.calling_ae, reason=reason)

    def broke(self, session: Session, error: Exception) -> None:
        """A defect of ours was met in this session, which ends."""
        self.failures += 1
        self.log.error("session.failed", service=self.name, peer=session.address, error=type(error).__name__, cause=where(error))

    def released(self, session: Session) -> None:
        """The sender released."""
        self.log.debug(
            "association.released", service=self.name, calling_ae=session.calling_ae, peer=session.address, objects=session.objects
        )

    def gone(self, session: Session, why: str) -> None:
        """The connection is closed."""
        self.sessions.discard(session)
        self.admission.left(session)
        if session.associated:
            self.admission.ended(session.source, session.calling_ae)
            self.counters.add("gurney_dicom_associations", self._labels.pop(session), -1)

    def echo_status(self) -> int:
        """What a C-ECHO hears: 0000 while the service accepts, or under `echo: pool` while a member is up."""
        if self.spec.echo == "local":
            return answers.SUCCESS
        pools = {rule.pool for rule in self.spec.rules}
        up = any(m.tracker.operational != "down" for name in pools for m in self.dispatcher.pools[name].members.values())
        return answers.SUCCESS if up else answers.PROCESSING_FAILURE

    def title(self, calling_ae: str) -> str:
        """The label of an AE title: only configured ones are, a peer cannot make new ones."""
        return calling_ae if calling_ae in self._titles else _OTHER

    # -- objects

    def route(self, session: Session, transfer: Transfer, reading: Reading) -> None:
        """The head of `transfer` is read: key and digests are set, and the dispatcher finds its member."""
        if reading.unreadable is not None:
            self.unreadable += 1
            self.counters.add("gurney_dicom_unreadable_total", (self.name, reading.unreadable))
        if transfer.rule is not None and transfer.rule.pool not in self.dispatcher.pools:
            # The revision it began with is gone, and its pool too: the rules in force decide.
            transfer.service = self.spec
            transfer.rule = rules.choose(self.spec, transfer.facts, readable=reading.unreadable is None).rule
        if transfer.rule is None:
            self.dispatcher.refuse(transfer, answers.PAIR_REFUSED, "no rule matches")
            return
        live = self.dispatcher.pools.get(transfer.rule.pool)
        if live is None:
            self.dispatcher.refuse(transfer, answers.OUT_OF_RESOURCES, "its pool has been removed")
            return
        transfer.pool = live.spec
        transfer.key = keys.key(transfer.pool, transfer.facts, reading.unreadable is None)
        if session.study is None or session.study[0] != transfer.key:
            session.study = (transfer.key, self._refs.ref(transfer.key.kind, transfer.key.value))
        transfer.ref = session.study[1]
        self.dispatcher.submit(transfer)

    def short_of_memory(self, transfer: Transfer | None) -> None:
        """No memory for more of `transfer`: if it waits for its end before it takes a slot it takes one now, or all would wait for all.

        And what others keep for a replay alone, its bytes being with a member that takes its time, is no reason to wait.
        """
        self.dispatcher.make_room()
        if transfer is not None and transfer.key is not None and transfer.link is None and not transfer.overdue:
            transfer.overdue = True
            self.dispatcher.more(transfer)

    def answered(self, session: Session, transfer: Transfer, status: int, heard: bool) -> None:
        """An object has its status; `heard`: its sender is still there."""
        now = self._loop.time()
        stored, warning = status == answers.SUCCESS, status >> 12 == 0xB
        self.objects_total += 1
        self.bytes_total += transfer.size
        self._objects_rate.add(now)
        self._bytes_rate.add(now, transfer.size)
        outcome = "unanswered" if not heard else "stored" if stored else "warning" if warning else "refused"
        self.outcomes[outcome] += 1
        pool = transfer.pool.name if transfer.pool is not None else ""
        member = transfer.attempts[-1].member if transfer.attempts else ""
        kind = (transfer.calling_ae, pool, member, status)
        cells = self._stored.get(kind) or self._cells(kind)
        cells[0].n += 1
        if stored or warning:
            cells[1].n += transfer.size
        if outcome == "stored":  # what went well is a line at debug level only: on the hot path it must cost nothing
            self.log.debug("object.answered", service=self.name, pool=pool, member=member, status="0000", study_ref=transfer.ref)
        else:
            self._report(transfer, outcome, pool, member, f"{status:04X}")

    def _cells(self, kind: tuple[str, str, str, int]) -> tuple[Cell, Cell]:
        """Where objects of this kind count, and their bytes; kept for the next one, within bounds, until the next revision."""
        calling_ae, pool, member, status = kind
        if len(self._stored) >= _KINDS:
            self._stored.clear()
        found = self._stored[kind] = (
            self.counters.cell("gurney_dicom_objects_total", (self.name, self.title(calling_ae), pool, member, f"{status:04X}")),
            self.counters.cell("gurney_dicom_bytes_total", (self.name, pool, member)),
        )
        return found

    def _report(self, transfer: Transfer, outcome: str, pool: str, member: str, status: str) -> None:
        event = {"refused": "object.refused", "unanswered": "object.unanswered"}.get(outcome, "object.answered")
        self.log.warning(
            event,
            service=self.name,
            pool=pool,
            member=member,
            status=status,
            object_ref=self._refs.ref("object", transfer.command.sop_instance),
            study_ref=transfer.ref or None,
            **(_grounds(transfer) if event == "object.refused" else {}),
        )

    # -- time, changes, sight

    def tick(self, now: float) -> None:
        """Deadlines of every session."""
        for session in list(self.sessions):
            session.tick(now)

    def end(self) -> None:
        """Accept nothing more; every association ends at an object boundary."""
        for name in list(self._listeners):
            self.unlisten(name)
        for one in list(self._securing):
            one.shed()
        for session in list(self.sessions):
            session.end()

    def close(self) -> None:
        """End everything now."""
        self.end()
        for session in list(self.sessions):
            session.shed()
        self._give_up_spare()

    def seen(self, now: float) -> dict[str, Any]:
        """This service for `status`: sessions, rates, outcomes in words."""
        return {
            "listen": sorted(self._listeners),
            "accepting": bool(self._listeners),
            "associations": self.admission.associations,
            "unassociated": self.admission.unproven,
            "associations_total": self.associations_total,
            "objects_total": self.objects_total,
            "bytes_total": self.bytes_total,
            "objects_per_second": round(self._objects_rate.per_second(now), 2),
            "bytes_per_second": round(self._bytes_rate.per_second(now)),
            "rejects": dict(self.rejects),
            "outcomes": dict(self.outcomes),
            "unreadable": self.unreadable,
            "failures": self.failures,
        }


def _grounds(transfer: Transfer) -> dict[str, str | None]:
    """What a refusal is about: the rule, the pair and why (dicom.md §3: 0122 with rule, pool and pair in the note)."""
    rule = transfer.rule.name if transfer.rule is not None else None
    return {"rule": rule, "abstract": transfer.context[0], "transfer": transfer.context[1], "why": transfer.comment or None}


def _plain(address: str) -> str:
    """An address as rules see it: IPv4 met through a dual-stack socket is IPv4."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)
