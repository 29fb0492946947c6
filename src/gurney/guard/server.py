"""The one place for what may be asked of the guard on guard.sock: run, stop, list, shutdown."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gurney
from gurney.disk.faults import Faults
from gurney.errors import GuardRefused, GurneyError, InputRefused
from gurney.guard import child as children
from gurney.guard import listeners as addresses
from gurney.guard.intents import Intent, Intents, wanted
from gurney.guard.kept import RESTART_WITHIN, Kept
from gurney.guard.loop import READ, WRITE, Loop
from gurney.guard.store import Store
from gurney.net import messages
from gurney.telemetry.log import Log

HANDED_SECONDS = 5.0
"""`run` answers when the listeners are handed over, or after this time without; a restart has RESTART_WITHIN more."""
STEADY_SECONDS = 5.0
"""`run` of a process that is being adopted or restarted waits so long for that to end."""
STEADY_PAUSE = 0.02
WITHIN_LIMIT = 600.0
WITHIN = 10.0

Answer = Callable[[Mapping[str, Any]], None]


class Server:
    """The guard of one state folder; its caller holds the lock."""

    def __init__(self, state: Path, loop: Loop, log: Log, faults: Faults | None = None, store: Store | None = None) -> None:
        """Adopts what lives and starts what does not. Raises StateUnusable, SocketsUnusable."""
        self._loop, self._log = loop, log
        self._faults = Faults() if faults is None else faults
        self._path = state / "guard.sock"
        self._intents = Intents(state / "guard.json")
        self._store = Store({}) if store is None else store
        self._kept: dict[str, Kept] = {}
        self._sessions: dict[int, _Session] = {}
        self._leaving = False
        self._store.keep((intent.name, one.name) for intent in self._intents.all() for one in intent.listeners)
        for intent in self._intents.all():
            self._take_up(intent)
        self._listener = messages.listen(self._path)
        loop.watch(self._listener.fileno(), READ, lambda _: self._accept())

    @property
    def count(self) -> int:
        """Processes kept."""
        return len(self._kept)

    def close(self) -> None:
        """The guard ends, what it keeps carries on: guard.sock goes first, so that control sees it at once."""
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        messages.remove(self._path)
        for session in list(self._sessions.values()):
            session.close()
        for kept in self._kept.values():
            kept.leave()

    def _take_up(self, intent: Intent) -> None:
        kept = self._kept[intent.name] = Kept(intent, {}, self._loop, self._intents, self._store, self._log, self._faults)
        child = children.adopt(intent)
        if child is not None:
            kept.adopt(child)
        elif not intent.stopping:
            kept.begin()
        if intent.stopping:  # the guard before was ending it
            kept.when_ended(lambda: self._forget(kept))
            kept.stop(WITHIN)

    def _accept(self) -> None:
        while (sock := messages.accept(self._listener)) is not None:
            self._sessions[sock.fileno()] = _Session(sock, self._loop, self._do, self._gone)

    def _gone(self, fd: int) -> None:
        self._sessions.pop(fd, None)

    def _do(self, message: Mapping[str, Any], answer: Answer) -> None:
        self._try(message.get("op"), message.get("name"), answer, lambda: self._op(message, answer))

    def _try(self, op: object, name: object, answer: Answer, call: Callable[[], None]) -> None:
        try:
            call()
        except (GurneyError, OSError) as error:
            problem = error if isinstance(error, GurneyError) else GuardRefused(f"the guard cannot write its state: {error.strerror}")
            self._log.warning("guard.refused", name=name, verb=op, error=problem.message, reason=problem.hint)
            answer({"ok": False, "message": problem.message, **problem.problem()})

    def _op(self, message: Mapping[str, Any], answer: Answer) -> None:
        match message.get("op"):
            case "run":
                self._run(wanted(message), bool(message.get("restart", False)), answer, STEADY_SECONDS)
            case "stop":
                self._stop(message, answer)
            case "list":
                processes = [self._kept[name].report() for name in sorted(self._kept)]
                answer({"ok": True, "pid": os.getpid(), "version": gurney.__version__, "processes": processes})
            case "shutdown":
                self._shutdown(_within(message), answer)
            case op:
                raise InputRefused(f"the guard knows run, stop, list and shutdown, not {op!r}")

    def _run(self, intent: Intent, restart: bool, answer: Answer, patience: float) -> None:
        if self._leaving:
            raise GuardRefused("the guard is shutting down")
        if not intent.folder.is_dir():
            raise GuardRefused(f"{intent.folder} is no folder")
        kept = self._kept.get(intent.name)
        if kept is None:
            self._run_new(intent, answer)
        elif kept.state in ("adopting", "restarting") and patience > 0:
            again = partial(self._run, intent, restart, answer, patience - STEADY_PAUSE)
            self._loop.after(STEADY_PAUSE, lambda: self._try("run", intent.name, answer, again))
        elif kept.state in ("adopting", "restarting", "stopping"):
            raise GuardRefused(f"{intent.name} is {kept.state}", hint="ask again in a moment")
        else:
            self._run_on(kept, intent, restart, answer)

    def _run_new(self, intent: Intent, answer: Answer) -> None:
        sockets = addresses.bind_all(intent.listeners)
        try:
            self._intents.put(intent)
            kept = Kept(intent, sockets, self._loop, self._intents, self._store, self._log, self._faults)
            kept.start()
        except (GuardRefused, OSError):
            for sock in sockets.values():
                sock.close()
            self._intents.drop(intent.name)
            raise
        self._kept[intent.name] = kept
        self._store.put(intent.name, sockets)
        for listener in intent.listeners:
            self._log.info("listener.bound", name=intent.name, listener=listener.name)
        answer({"ok": True, "pid": kept.report()["pid"], "started": True, "handed": not intent.listeners})

    def _run_on(self, kept: Kept, intent: Intent, restart: bool, answer: Answer) -> None:
        old = kept.intent
        intent = replace(old, argv=intent.argv, folder=intent.folder, listeners=intent.listeners, terms=intent.terms)
        pid = None if kept.child is None else kept.child.pid
        if intent != old or restart:
            fresh = addresses.bind_all(one for one in intent.listeners if one.name not in kept.sockets)
            try:
                self._intents.put(intent)
            except OSError:
                for sock in fresh.values():
                    sock.close()
                raise
            for name in sorted(fresh):
                self._log.info("listener.bound", name=intent.name, listener=name)
            kept.change(intent, fresh, restart=restart)
        once = _Once(answer)

        def settled() -> None:
            kept.forget(settled)
            now = None if kept.child is None else kept.child.pid
            once({"ok": True, "pid": now, "started": now != pid, "handed": kept.settled})

        kept.when_settled(settled)
        if not kept.settled:
            self._loop.after(HANDED_SECONDS + (RESTART_WITHIN if kept.state == "restarting" else 0.0), settled)

    def _stop(self, message: Mapping[str, Any], answer: Answer) -> None:
        kept = self._kept.get(str(message.get("name")))
        if kept is None:
            answer({"ok": True, "stopped": False})
            return

        def ended() -> None:
            self._forget(kept)
            answer({"ok": True, "stopped": True, "exit": kept.last_exit})

        kept.when_ended(ended)
        kept.stop(_within(message))

    def _shutdown(self, within: float, answer: Answer) -> None:
        self._leaving = True

        def ended(kept: Kept) -> None:
            self._forget(kept)
            if not self._kept:
                self._intents.clear()
                messages.remove(self._path)
                answer({"ok": True})
                self._loop.stop()

        if not self._kept:
            self._intents.clear()
            messages.remove(self._path)
            answer({"ok": True})
            self._loop.stop()
        for kept in list(self._kept.values()):
            kept.when_ended(partial(ended, kept))
            kept.stop(within)

    def _forget(self, kept: Kept) -> None:
        self._kept.pop(kept.intent.name, None)


class _Session:
    """One connection of a client."""

    def __init__(
        self, sock: socket.socket, loop: Loop, do: Callable[[Mapping[str, Any], Answer], None], gone: Callable[[int], None]
    ) -> None:  # fmt: skip
        self._sock, self._loop, self._do, self._gone = sock, loop, do, gone
        self._reader, self._writer = messages.Reader(sock), messages.Writer(sock)
        self._open = True
        loop.watch(sock.fileno(), READ, self._ready)

    def close(self) -> None:
        """What was asked goes on; its answer is dropped."""
        if not self._open:
            return
        self._open = False
        self._gone(self._sock.fileno())
        self._loop.unwatch(self._sock.fileno())
        self._reader.close()
        self._writer.close()
        self._sock.close()

    def answer(self, body: Mapping[str, Any]) -> None:
        """Send an answer, if the client is still there."""
        if not self._open:
            return
        try:
            self._writer.put(body)
        except (OSError, GurneyError):
            self.close()
            return
        self._watch()

    def _ready(self, events: int) -> None:
        try:
            if events & WRITE:
                self._writer.flush()
            found = self._reader.read() if events & READ else []
        except (OSError, GurneyError):
            self.close()
            return
        for body, fds in found:
            for fd in fds:
                os.close(fd)
            self._do(body, self.answer)
        if self._reader.ended:
            self.close()
        elif self._open:
            self._watch()

    def _watch(self) -> None:
        self._loop.watch(self._sock.fileno(), READ | (WRITE if self._writer.waiting else 0), self._ready)


class _Once:
    """An answer that is given once, whoever comes first."""

    def __init__(self, answer: Answer) -> None:
        self._answer: Answer | None = answer

    def __call__(self, body: Mapping[str, Any]) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(body)


def _within(message: Mapping[str, Any]) -> float:
    within = message.get("within", WITHIN)
    if isinstance(within, bool) or not isinstance(within, int | float) or not 0 <= within <= WITHIN_LIMIT:
        raise InputRefused(f"within is a number of seconds from 0 to {WITHIN_LIMIT:g}")
    return float(within)
