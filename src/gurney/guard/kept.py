"""The one place for one kept process: its life, its listeners, what is done when it dies.

The listening sockets live here, beside the process: when it dies, connections wait in their backlogs until the next one has them.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from gurney.disk.faults import Faults
from gurney.errors import GuardRefused
from gurney.guard import child as children
from gurney.guard import listeners as addresses
from gurney.guard.child import Child
from gurney.guard.handover import Handover
from gurney.guard.intents import Intent, Intents, terms_as_json
from gurney.guard.loop import READ, Loop, Timer
from gurney.guard.store import Store
from gurney.net import messages
from gurney.telemetry.log import Log

BACKOFF_FIRST, BACKOFF_LAST = 0.2, 10.0
"""Seconds before the second start in a row and at most; the first is at once."""
LIVED_WELL = 60.0
"""Seconds of life after which a process counts as healthy again."""
RESTART_WITHIN = 10.0
"""Seconds a process has to end what it has in hand when its argv changes (reliability.md §4.5)."""
BIND_AGAIN = 1.0
LEFT_OVER_PAUSE, LEFT_OVER_AGAIN = 0.005, 0.2
"""Seconds between looks whether what a dead process left behind is gone, doubling from one to the other."""
SOFT_SHARE, SOFT_LAST = 0.25, 2.0
"""A soft stop becomes SIGTERM for the last quarter of its time, at most these seconds."""
SOFT_AGAIN = 0.5

Waiter = Callable[[], None]


class Kept:
    """One process the guard keeps. `sockets` are its listeners, `given` the names it has confirmed."""

    def __init__(
        self, intent: Intent, sockets: dict[str, socket.socket], loop: Loop, intents: Intents, store: Store, log: Log, faults: Faults
    ) -> None:  # fmt: skip
        self.intent = intent
        self.sockets = sockets
        self.given: set[str] = set()
        self.removed: set[str] = set()
        self.child: Child | None = None
        self.handing_back = False
        self.last_exit: str | None = None
        self.last_words: str | None = None
        self._restarting = False
        self._failures = 0
        self._started = 0.0
        self._asked_to_end = 0.0
        self._start_timer: Timer | None = None
        self._soft_timer: Timer | None = None
        self._kill_timer: Timer | None = None
        self._left_over: list[int] = []
        self._settled: list[Waiter] = []
        self._ended: list[Waiter] = []
        self._loop, self._intents, self._store, self._log, self._faults = loop, intents, store, log, faults
        self._handover = Handover(loop, intent.folder / "route.sock")

    # ---- asked from outside

    @property
    def state(self) -> str:
        """stopping, restarting, adopting (its listeners are not back yet), running, or waiting (for its next start)."""
        if self.intent.stopping:
            return "stopping"
        if self._restarting:
            return "restarting"
        if self.handing_back:
            return "adopting"
        return "running" if self.child is not None else "waiting"

    @property
    def settled(self) -> bool:
        """Whether the process runs and holds exactly the listeners that are wanted of it."""
        wanted = {one.name for one in self.intent.listeners}
        return self.state == "running" and self.given == wanted == set(self.sockets) and not self.removed

    def report(self) -> dict[str, Any]:
        """One entry of `list`."""
        child = self.child
        return {
            "name": self.intent.name,
            "pid": None if child is None else child.pid,
            "since": self.intent.since,
            "restarts": self.intent.restarts,
            "adopted": child is not None and child.adopted,
            "state": self.state,
            "last_exit": self.last_exit,
            "last_words": self.last_words,
            "listeners": [one.name for one in self.intent.listeners],
            "waiting": sorted({one.name for one in self.intent.listeners} - self.given),
            "problem": self._problem(),
            "argv": list(self.intent.argv),
            "folder": str(self.intent.folder),
            **terms_as_json(self.intent.terms),
        }

    def _problem(self) -> str | None:
        if self._left_over:
            return f"pid {', '.join(map(str, self._left_over))} of the process before does not end"
        return self._handover.problem

    def when_settled(self, waiter: Waiter) -> None:
        """Call once, when `settled` (at once if it is)."""
        self._settled.append(waiter)
        self._look()

    def forget(self, waiter: Waiter) -> None:
        """It waits no longer for `settled`."""
        if waiter in self._settled:
            self._settled.remove(waiter)

    def when_ended(self, waiter: Waiter) -> None:
        """Call once, when the process asked to stop has ended and its listeners are closed."""
        self._ended.append(waiter)

    def start(self) -> None:
        """Start the process now. Raises GuardRefused."""
        self._start_timer = None
        self._faults.hit("intent.written")
        self.child = children.start(self.intent)
        self._faults.hit("process.started")
        self._live()

    def begin(self) -> None:
        """Bind and start as soon as that succeeds: the process of the guard before is gone."""
        self.handing_back = True
        self._again(0.0)

    def adopt(self, child: Child) -> None:
        """Take over a process of the guard before, and ask for its listeners; one that has none may speak another language."""
        self.child = child
        self.handing_back = bool(self.intent.listeners)
        self._live()

    def change(self, intent: Intent, fresh: dict[str, socket.socket], *, restart: bool = False) -> None:
        """Another intent for the same name, durable already, with its new listeners bound: hand over the difference, or start anew."""
        anew = restart or _made_of(intent) != _made_of(self.intent)
        self.sockets.update(fresh)
        self._store.put(intent.name, fresh)
        self.intent = intent
        self.removed = set(self.sockets) - {one.name for one in intent.listeners}
        if self.child is None:
            self._close(set(self.removed))
        if anew and self.child is not None:
            self._restarting = True
            self._end(RESTART_WITHIN)
        elif anew:
            self._again(0.0)
        self._look()

    def stop(self, within: float) -> None:
        """Its stop signal, `within` seconds, SIGKILL; the intent is durable, so that a guard after this one does not start it again.

        A stop signal that is not SIGTERM is a soft stop: near the end of the time comes SIGTERM, which is one that hurries.
        """
        self.intent = replace(self.intent, stopping=True)
        self._write(lambda: self._intents.put(self.intent))
        self._end(within)

    def leave(self) -> None:
        """The guard ends: the process carries on with its listeners."""
        self._handover.withdraw()
        if self.child is not None:
            self.child.leave()

    # ---- its life

    def _live(self) -> None:
        child = self.child
        assert child is not None
        self._started = time.monotonic()
        self.given.clear()
        self._handover = Handover(self._loop, self.intent.folder / "route.sock")
        self._loop.watch(child.pidfd, READ, lambda _: self._exited())
        if (child.pid, child.start) != (self.intent.pid, self.intent.start):
            self.intent = replace(self.intent, pid=child.pid, start=child.start, since=time.time())
            self._write(lambda: self._intents.put(self.intent))
        event = "process.adopted" if child.adopted else "process.started"
        self._log.info(event, name=self.intent.name, pid=child.pid, restarts=self.intent.restarts)
        self._look()

    def _exited(self) -> None:
        child = self.child
        assert child is not None
        self._loop.unwatch(child.pidfd)
        self.last_exit = child.end()
        self.child = None
        self._handover.withdraw()
        self.given.clear()
        self._close(set(self.removed))
        lived = time.monotonic() - self._started
        what = {"name": self.intent.name, "pid": child.pid, "exit": self.last_exit, "seconds": lived}
        if self.intent.stopping:
            self._log.info("process.stopped", **what)
            self._clear(self._finish)
            return
        self.last_words = children.last_words(self.intent.folder, child.said)
        planned, self._restarting = self._restarting, False
        self._failures = 0 if planned or lived >= LIVED_WELL else self._failures + 1
        pause = 0.0 if self._failures <= 1 else min(BACKOFF_FIRST * 2.0 ** (self._failures - 2), BACKOFF_LAST)
        (self._log.info if planned else self._log.warning)("process.exited", restarts=self.intent.restarts, **what)
        self._cancel_kill()
        self.intent = replace(self.intent, restarts=self.intent.restarts + 1)
        self._again(pause)

    def _write(self, write: Callable[[], None]) -> None:
        """Write guard.json; where it cannot be written the process is kept all the same, and found by its argv."""
        try:
            write()
        except OSError as problem:
            self._log.error("process.failed", name=self.intent.name, error="guard.json cannot be written", errno=problem.strerror)

    def _again(self, pause: float) -> None:
        if self._start_timer is not None:
            self._start_timer.cancel()
        self._start_timer = self._loop.after(pause, self._restart)

    def _clear(self, then: Callable[[], None], pause: float = LEFT_OVER_PAUSE) -> None:
        """End what a dead process left behind (HAProxy's workers, which hold its ports), and then go on."""
        self._left_over = children.end_left_over(self.intent.argv)
        if not self._left_over:
            then()
            return
        if pause == LEFT_OVER_PAUSE:
            pids = [str(pid) for pid in self._left_over]
            self._log.warning("process.left-over", name=self.intent.name, names=pids, count=len(pids))
        self._start_timer = self._loop.after(pause, lambda: self._clear(then, min(pause * 2, LEFT_OVER_AGAIN)))

    def _restart(self) -> None:
        self._clear(self._restart_now)

    def _restart_now(self) -> None:
        if self.child is not None or self.intent.stopping:
            return
        try:
            if self.handing_back:  # it died before it could hand them back: nobody holds them now
                self.bind_missing()
            self.start()
        except GuardRefused as problem:
            self._log.error("process.failed", name=self.intent.name, error=problem.message, reason=problem.hint)
            self._failures += 1
            self._again(min(BACKOFF_FIRST * 2.0 ** min(self._failures, 10), BACKOFF_LAST))

    def _end(self, within: float) -> None:
        self._handover.withdraw()
        if self._start_timer is not None:
            self._start_timer.cancel()
        if self.child is None:
            self._clear(self._finish)
            return
        self._cancel_kill()
        first = signal.Signals[self.intent.terms.stop_signal]
        self._kill_timer = self._loop.after(within, lambda: self._signal(signal.SIGKILL))
        if first == signal.SIGTERM:
            self._signal(first)
        else:
            self._soften(first, within - min(within * SOFT_SHARE, SOFT_LAST))

    def _soften(self, number: signal.Signals, left: float) -> None:
        """A soft stop, said again and again: HAProxy's master loses signals between its start and executing itself anew (seen on 2.8)."""
        self._signal(number if left > 0 else signal.SIGTERM)
        if left > 0:
            pause = min(SOFT_AGAIN, left)
            self._soft_timer = self._loop.after(pause, lambda: self._soften(number, left - pause))

    def _signal(self, number: signal.Signals) -> None:
        if self.child is not None:
            self.child.signal(number)

    def _cancel_kill(self) -> None:
        for timer in (self._soft_timer, self._kill_timer):
            if timer is not None:
                timer.cancel()
        self._soft_timer = self._kill_timer = None

    def _finish(self) -> None:
        self._cancel_kill()
        if self.sockets:  # what never had a listener from us need not speak on a route.sock
            messages.remove(self.intent.folder / "route.sock")
        self._close(set(self.sockets))
        self._write(lambda: self._intents.drop(self.intent.name))
        waiters, self._ended = self._ended, []
        for waiter in waiters:
            waiter()

    # ---- its listeners

    def bind_missing(self) -> None:
        """Take from the store, or bind, what is wanted and no process holds. Raises GuardRefused."""
        for listener in self.intent.listeners:
            if listener.name not in self.sockets and (sock := self._store.take(self.intent.name, listener)) is not None:
                self.sockets[listener.name] = sock
        fresh = addresses.bind_all(one for one in self.intent.listeners if one.name not in self.sockets)
        self.sockets.update(fresh)
        self._store.put(self.intent.name, fresh)
        self.handing_back = False

    def _look(self) -> None:
        """Ask the next question that brings the process nearer to what is wanted; tell those who wait when there is none left."""
        if self.child is None or self._handover.busy or self.intent.stopping or self._restarting:
            return
        if self.handing_back:
            self._handover.ask(lambda: ({"op": "hand-back"}, ()), self._handed_back)
        elif fresh := sorted(set(self.sockets) - self.given - self.removed):
            self._handover.ask(lambda: ({"op": "listeners", "names": fresh}, self._fds(fresh)), lambda body, fds: self._has(fresh, fds))
        elif gone := sorted(self.removed):
            self._handover.ask(lambda: ({"op": "close", "names": gone}, ()), lambda body, fds: self._closed(gone, fds))
        elif self.settled:
            waiters, self._settled = self._settled, []
            for waiter in waiters:
                waiter()

    def _fds(self, names: Sequence[str]) -> list[int]:
        return [self.sockets[name].fileno() for name in names]

    def _has(self, names: Sequence[str], fds: list[int]) -> None:
        _drop(fds)
        self.given |= set(names)
        self._log.info("listener.handed", name=self.intent.name, names=names, count=len(names))
        self._look()

    def _closed(self, names: Sequence[str], fds: list[int]) -> None:
        _drop(fds)
        self.given -= set(names)  # one that is wanted again meanwhile is handed over again
        self._close(set(names) & self.removed)
        self._look()

    def _close(self, names: set[str]) -> None:
        for name in names & set(self.sockets):
            self.sockets.pop(name).close()
            self._store.drop(self.intent.name, name)
        self.given -= names
        self.removed -= names
        if names:
            self._log.info("listener.closed", name=self.intent.name, names=sorted(names), count=len(names))

    def _handed_back(self, body: dict[str, Any], fds: list[int]) -> None:
        names = body.get("names", [])
        if not isinstance(names, list) or len(names) != len(fds) or len(set(names)) != len(names):
            _drop(fds)
            self._handover.problem = "it handed back descriptors without their names"
            self._loop.after(BIND_AGAIN, self._look)
            return
        wanted = {one.name: one for one in self.intent.listeners}
        taken: dict[str, socket.socket] = {}
        for name, fd in zip(names, fds, strict=True):
            sock = _socket(fd)
            if sock is not None and name not in self.sockets and (name not in wanted or addresses.is_of(sock, wanted[name])):
                taken[name] = sock
            elif sock is not None:
                sock.close()
        self.sockets.update(taken)
        self._store.put(self.intent.name, taken)
        self.given = set(names) & set(self.sockets)
        self.removed |= self.given - set(wanted)
        self._log.info("listener.taken-back", name=self.intent.name, names=names, count=len(names))
        self._bind_rest()

    def _bind_rest(self) -> None:
        try:
            self.bind_missing()
        except GuardRefused as problem:
            self._log.error("listener.failed", name=self.intent.name, error=problem.message, reason=problem.hint)
            self._loop.after(BIND_AGAIN, self._bind_rest)
            return
        self._look()


def _made_of(intent: Intent) -> tuple[object, ...]:
    """What a running process cannot be given: with another one of these it is started anew.

    One that binds its listeners itself refuses connections meanwhile, so another place of the same program (a HAProxy of the system
    instead of the wheel's) waits for its next start.
    """
    argv = intent.argv[1:] if intent.terms.binds else intent.argv
    return argv, intent.folder, replace(intent.terms, stop_signal="SIGTERM")


def _socket(fd: int) -> socket.socket | None:
    """What a process handed back, as a socket; what is none is closed: the process may be under another uid and is not trusted."""
    try:
        return socket.socket(fileno=fd)
    except OSError:
        os.close(fd)
        return None


def _drop(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
