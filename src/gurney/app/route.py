"""The one place where a route process is put together: record, ledger, dispatcher, services, checks, and its control socket."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvloop

from gurney import __version__
from gurney.balance import explain, facts, keys, rules, table
from gurney.balance.pins import Pins
from gurney.config import limits
from gurney.deliver import conditions
from gurney.deliver.capabilities import Capabilities, address_of
from gurney.deliver.dispatch import Dispatcher
from gurney.deliver.link import Receiver
from gurney.deliver.member import LiveMember
from gurney.deliver.pool import LivePool
from gurney.disk import faults
from gurney.disk.record import Record
from gurney.errors import EngineRefused, GurneyError, InputRefused, NotFound
from gurney.intake.dicom.service import LiveService
from gurney.ledger import Ledger
from gurney.net.answering import Answer, Answering, Operation
from gurney.net.hangups import Hangups
from gurney.net.slabs import Slabs
from gurney.net.tls import Contexts
from gurney.telemetry.counters import Counters
from gurney.telemetry.log import Log, where
from gurney.telemetry.refs import Refs

TICK_SECONDS = 0.1  # how finely deadlines are looked at
STOP_SECONDS = limits.DRAIN_WITHIN_MS / 1000  # for objects in hand
GARBAGE = 20_000  # objects that outlived those freed, between two looks for cycles
FAILED_RECORD = 70  # exit status (sysexits EX_SOFTWARE): what was to be durable is not
EXPIRE_SECONDS = 60.0
REST_SECONDS = 5.0  # between two looks at memory nobody needs
SITE_KEY_LIMIT = 4096  # bytes


def main(folder: Path) -> int:
    """`gurney route --dir FOLDER`: serve the application in `folder` until told to stop. Returns the exit status."""
    loop = uvloop.new_event_loop()
    try:
        process = RouteProcess(loop, folder)
        loop.add_signal_handler(signal.SIGTERM, process.stop, STOP_SECONDS, "SIGTERM")
        loop.add_signal_handler(signal.SIGINT, process.stop, STOP_SECONDS, "SIGINT")
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        # What stands now stands to the end, and what an object makes is freed by its counts: cycles are rare, looking for them is not.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE)
        loop.run_forever()
        return process.exit_status
    finally:
        loop.close()


class RouteProcess:
    """The one owner of an application's record, pins, caps and members' health."""

    def __init__(self, loop: asyncio.AbstractEventLoop, folder: Path) -> None:
        self._loop = loop
        self._folder = folder
        self._since = time.time()
        self._generation = ""
        self._table: table.Table | None = None
        self._contexts = Contexts(folder / "certificates", {})
        self._listeners: dict[str, socket.socket] = {}  # every one the guard gave us, served or not
        self._stopping = False
        self._expire_at = loop.time() + EXPIRE_SECONDS
        self._rest_at = loop.time() + REST_SECONDS
        self.exit_status = 0
        loop.set_exception_handler(self._broke)
        self._troubles: dict[str, tuple[str, float]] = {}  # condition code -> reason, since (epoch)
        self._counters = Counters()
        self._log = Log(folder / "route.log", counters=self._counters, app=folder.name)
        self._refs = Refs(_site_key(folder.parent.parent / "keys" / "site.key"))
        self._slabs = Slabs()
        self._receiver = Receiver()
        self._hangups = Hangups()
        self._record = Record(
            folder / "record.db",
            schema=dict([Ledger.SCHEMA]),
            wake=loop.call_soon_threadsafe,
            failed=self._record_failed,
            faults=faults.parse(os.environ.get("GURNEY_FAILPOINTS", "")),
        )
        self._ledger = Ledger(self._record, loop, self._record_troubled)
        if os.geteuid() == 0:
            why = "root reads what peers send: install Gurney where other users can read it"
            self._troubles[conditions.RUNS_AS_ROOT] = (why, self._since)
        if self._record.lost:
            self._troubles[conditions.RECORD_LOST] = (f"{self._record.lost} groups written before are gone from the record", self._since)
            self._log.error("record.lost", path=str(folder), count=self._record.lost)
        pins, words = self._remembered()
        self._dispatcher = Dispatcher(
            loop, Capabilities(words, self._learnt, loop.time), pins, self._ledger, self._refs, self._log, self._counters
        )
        self._services: dict[str, LiveService] = {}
        self._leaving: list[LiveService] = []  # no longer in the document, their associations end between objects
        self._control = Answering(loop, folder / "route.sock", self._operations())
        self._log.info("route.started", pid=os.getpid(), version=__version__, path=str(folder))
        if (folder / "route.json").exists():
            with contextlib.suppress(GurneyError):  # said in the log; control will say `load` again
                self._load()
        self._tick()

    def _remembered(self) -> tuple[Pins, Mapping[tuple[str, str, str, str], str]]:
        """Pins and capabilities of the process before this one; ages by the wall clock become ages by the loop's."""
        pins, now, epoch = Pins(), self._loop.time(), time.time()
        remembered = self._ledger.load(epoch)
        for pin in sorted(remembered.pins, key=lambda pin: pin.last):
            pins.set(pin.pool, pin.ref, pin.member, now - max(0.0, epoch - pin.last))
        return pins, remembered.capabilities

    def _learnt(self, address: str, calling: str, abstract: str, transfer: str, word: str) -> None:
        self._ledger.capability(address, calling, abstract, transfer, word, time.time())

    def _record_failed(self, error: BaseException) -> None:
        """Nothing is retried: what hangs on the record is unanswered and will be sent again."""
        self._log.error("record.failed", error=type(error).__name__, cause=str(error))
        os._exit(FAILED_RECORD)

    def _record_troubled(self, error: BaseException | None) -> None:
        """The disk has no room for the record (None: it has again): objects go on, what must be written first waits."""
        if error is None:
            self._troubles.pop(conditions.RECORD_FULL, None)
        elif conditions.RECORD_FULL not in self._troubles:
            self._troubles[conditions.RECORD_FULL] = ("the disk has no room for the record: free some", time.time())
            self._log.error("record.full", path=str(self._folder), error=type(error).__name__, reason=str(error))

    def _broke(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback of the loop raised: a defect of ours, shown; everything else goes on."""
        error = context.get("exception")
        name = type(error).__name__ if error is not None else "unknown"
        self._troubles[conditions.DEFECT_MET] = (f"{name} in a callback: see route.log", time.time())
        self._log.error("session.failed", error=name, cause=where(error) if error is not None else str(context.get("message", "")))

    # -- time

    def _tick(self) -> None:
        self._loop.call_later(TICK_SECONDS, self._tick)  # first: whatever goes wrong below, time goes on
        now = self._loop.time()
        self._hangups.look()
        self._dispatcher.tick(now)
        for service in (*self._services.values(), *self._leaving):
            service.tick(now)
        for service in [service for service in self._leaving if not service.sessions]:
            self._leaving.remove(service)
            service.close()
        if now >= self._rest_at:
            self._rest_at = now + REST_SECONDS
            self._slabs.rest()
        if now >= self._expire_at:
            self._expire_at = now + EXPIRE_SECONDS
            self._dispatcher.pins.expire(now)
            self._ledger.expire(time.time())

    # -- the control socket

    def _operations(self) -> dict[str, Operation]:
        return {
            "listeners": self._take_listeners,
            "close": self._close_listeners,
            "hand-back": self._hand_back,
            "load": self._on_load,
            "status": self._status,
            "explain": self._explain,
            "stop": self._on_stop,
        }

    def _take_listeners(self, message: dict[str, Any], fds: list[int], answer: Answer) -> None:
        for name, fd in zip(message.get("names", ()), fds, strict=True):
            sock = socket.socket(fileno=fd)
            if name in self._listeners:
                sock.close()
            else:
                self._listeners[name] = sock
        self._serve_listeners()
        answer({"ok": True}, ())

    def _close_listeners(self, message: dict[str, Any], fds: list[int], answer: Answer) -> None:
        for name in message.get("names", ()):
            for service in self._services.values():
                service.unlisten(name)
            sock = self._listeners.pop(name, None)
            if sock is not None:
                sock.close()
        answer({"ok": True}, ())

    def _hand_back(self, message: dict[str, Any], fds: list[int], answer: Answer) -> None:
        names = sorted(self._listeners)
        answer({"ok": True, "names": names}, [self._listeners[name].fileno() for name in names])

    def _on_load(self, message: dict[str, Any], fds: list[int], answer: Answer) -> None:
        def loaded() -> None:
            answer({"ok": True, "generation": self._generation}, ())

        self._load(loaded)

    def _on_stop(self, message: dict[str, Any], fds: list[int], answer: Answer) -> None:
        answer({"ok": True}, ())
        self.stop(float(message.get("within", STOP_SECONDS)), "asked")

    # -- the revision in force

    def _load(self, done: Callable[[], None] = lambda: None) -> None:
        """Read route.json, validate the whole of it, and swap it in between objects once every pin made so far is durable."""
        try:
            data = (self._folder / "route.json").read_bytes()
            fresh = table.load(data)
            contexts = self._secrets(fresh)
        except OSError as error:
            raise EngineRefused(f"route.json cannot be read: {error.strerror}") from error
        except (InputRefused, EngineRefused) as error:
            self._log.error("route.refused", error=error.code, reason=error.message)
            raise
        generation = table.generation(data)
        if generation == self._generation:
            done()
            return

        def swap() -> None:
            self._swap(fresh, generation, contexts)
            done()

        self._ledger.flush(swap)

    def _secrets(self, fresh: table.Table) -> Contexts:
        """The TLS contexts of a revision, every one of them made. Raises `EngineRefused`: then the revision in force stays whole."""
        contexts = Contexts(self._folder / "certificates", fresh.materials, self._contexts)
        for service in fresh.services.values():
            contexts.accepting(service.tls)
        for pool in fresh.pools.values():
            for member in pool.members.values():
                contexts.towards(member.tls, member.host)
        return contexts

    def _swap(self, fresh: table.Table, generation: str, contexts: Contexts) -> None:
        was, self._generation, self._table = self._generation, generation, fresh
        self._contexts = contexts
        self._dispatcher.replace({name: self._pool(name, fresh) for name in fresh.pools})
        for name in [name for name in self._services if name not in fresh.services]:
            leaving = self._services.pop(name)
            leaving.end()
            self._leaving.append(leaving)
        for name, spec in fresh.services.items():
            live = self._services.get(name)
            if live is None:
                self._services[name] = LiveService(
                    self._loop,
                    spec,
                    self._dispatcher,
                    self._slabs,
                    self._hangups,
                    self._refs,
                    self._log,
                    self._counters,
                    contexts.accepting(spec.tls),
                )
            else:
                live.use(spec, contexts.accepting(spec.tls))
        self._serve_listeners()
        self._log.info("route.loaded", generation=generation, was=was)

    def _pool(self, name: str, fresh: table.Table) -> LivePool:
        """A pool of the new revision: members that answer at the same address go on living."""
        spec, old = fresh.pools[name], self._dispatcher.pools.get(name)
        living: dict[str, LiveMember] = {}
        for member_name, member in spec.members.items():
            before = old.members.get(member_name) if old is not None else None
            if before is not None and address_of(before.spec) == address_of(member) and before.spec.calling_ae == member.calling_ae:
                before.update(member, self._contexts.towards(member.tls, member.host))
                living[member_name] = before
            else:
                living[member_name] = LiveMember(
                    self._loop,
                    name,
                    member,
                    self._dispatcher,
                    self._dispatcher.capabilities,
                    self._receiver,
                    self._hangups,
                    self._counters,
                    self._contexts.towards(member.tls, member.host),
                )
        pool = LivePool(spec, living)
        pool.turn = old.turn if old is not None else 0
        return pool

    def _serve_listeners(self) -> None:
        """Each listener goes to the service that names it; one nobody names is kept, and not accepted on."""
        if self._table is None or self._stopping:
            return
        for service in self._services.values():
            named = {f"{listen.host or '*'}:{listen.port}" for listen in service.spec.listen}
            for name in service.listening - named:
                service.unlisten(name)
            for name in (named & set(self._listeners)) - service.listening:
                service.listen(name, self._listeners[name].dup())

    # -- looking

    def _status(self, message: dict[str, Any], fds: list[int], answer: Answer) -> None:
        now = self._loop.time()
        pools = self._dispatcher.pools
        members = [member for pool in pools.values() for member in pool.members.values()]
        answer(
            {
                "ok": True,
                "generation": self._generation,
                "pid": os.getpid(),
                "since": self._since,
                "checked": self._table is not None and all(member.checking.settled for member in members),
                "services": {name: service.seen(now) for name, service in self._services.items()},
                "pools": {name: pool.seen() for name, pool in pools.items()},
                "replay_bytes": self._slabs.leased,
                "pins": len(self._dispatcher.pins),
                "split_studies": self._dispatcher.pins.split,
                "counters": self._counters.snapshot(),
                "conditions": self._conditions(),
            },
            (),
        )

    def _conditions(self) -> list[dict[str, Any]]:
        found = [
            {
                "code": conditions.UNREADABLE,
                "reason": f"{service.unreadable} data sets could not be read",
                "since": self._since,
                "object": name,
            }
            for name, service in self._services.items()
            if service.unreadable
        ]
        for code, (reason, since) in self._troubles.items():
            found.append({"code": code, "reason": reason, "since": since, "object": ""})
        for (code, name), (reason, since) in self._dispatcher.conditions.items():
            found.append({"code": code, "reason": reason, "since": since, "object": name})
        return found

    def _explain(self, message: dict[str, Any], fds: list[int], answer: Answer) -> None:
        """What would happen to an object with these facts, as things stand now."""
        if self._table is None or message.get("service") not in self._table.services:
            raise NotFound(f"no service '{message.get('service')}' is served here")
        service = self._table.services[str(message["service"])]
        given = {facts.canonical(name): str(value) for name, value in dict(message.get("facts", {})).items()}
        choice = rules.choose(service, given)
        if choice.rule is None:
            told = explain.explain(self._table, service.name, given, {})
        else:
            now, pins, pool = self._loop.time(), self._dispatcher.pins, self._dispatcher.pools[choice.rule.pool]
            pair = (given.get("sop_class", ""), given.get("transfer_syntax", ""))
            key = keys.key(pool.spec, given)
            ref = self._refs.ref(key.kind, key.value)
            told = explain.explain(
                self._table,
                service.name,
                given,
                {pool.spec.name: pool.look(self._dispatcher.capabilities, given.get("calling_ae", ""), pair)},
                pins.get(pool.spec.name, ref, now) if key.pinned else None,
                quiet=pins.quiet(pool.spec.name, ref, now),
                turn=pool.turn,
            )
        answer({"ok": True, "explanation": told.as_json()}, ())

    # -- stopping

    def stop(self, within: float, why: str) -> None:
        """Accept nothing more; objects in hand end, associations are ended between objects, then the process ends."""
        if self._stopping:
            return
        self._stopping = True
        self._log.info("route.stopping", why=why, seconds=within)
        for service in self._services.values():
            service.end()
        self._wait_idle(self._loop.time() + within)

    def _wait_idle(self, until: float) -> None:
        services = (*self._services.values(), *self._leaving)
        busy = sum(1 for service in services for session in service.sessions if session.transfer is not None)
        if busy and self._loop.time() < until:
            self._loop.call_later(0.02, self._wait_idle, until)
            return
        for service in services:
            service.close()
        self._leaving.clear()
        for pool in self._dispatcher.pools.values():
            for member in pool.members.values():
                member.close()
        self._ledger.flush(self._end)

    def _end(self) -> None:
        self._control.close()
        self._record.close()
        self._log.info("route.stopped", exit="0")
        self._log.close()
        self._loop.stop()


def _site_key(path: Path) -> bytes:
    """The site's key: its file where we may read it, else what the guard opened for us as stdin. Raises OSError."""
    try:
        return path.read_bytes()
    except PermissionError:
        return os.pread(0, SITE_KEY_LIMIT, 0)
