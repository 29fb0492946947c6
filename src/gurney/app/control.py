"""The one place for putting the control process together: lock, guard, memory, engines, API, signals, and the loop around them."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gurney.api.server import Server
from gurney.api.work import Work
from gurney.control.control import Control, Memory
from gurney.control.decide import decide
from gurney.control.keeper import GuardKeeper
from gurney.control.watch import Watch
from gurney.disk import faults
from gurney.engines import Ground, engines
from gurney.errors import EngineRefused, GurneyError, InputRefused, NotFound
from gurney.guard import client as guard
from gurney.state.database import Database
from gurney.state.folder import Folder
from gurney.state.last_good import LastGood
from gurney.state.overrides import Overrides
from gurney.state.revisions import Revisions

READY_SECONDS = 60.0
TICK_SECONDS = 1.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What `gurney up` was asked for. `text` None: the newest revision. `line` prints on stdout, `talk` on stderr."""

    state: Path
    text: str | None
    file: str
    node: str | None
    line: Callable[[str], None]
    talk: Callable[[str], None]


def main(wish: Wish) -> int:
    """Be the control process of a state folder until a signal or `gurney down`. Raises `GurneyError` when it cannot be."""
    if wish.text is not None:  # before anything is touched: a bad document changes nothing
        decide(wish.text, wish.file, (), {}, node=wish.node, hostname=socket.gethostname())
    folder = Folder(wish.state)
    folder.prepare()
    lock = folder.own()
    database = Database(folder.database)
    try:
        return _Process(wish, folder, database).run()
    finally:
        database.close()
        lock.release()


class _Process:
    """The parts of one control process and their life."""

    def __init__(self, wish: Wish, folder: Folder, database: Database) -> None:
        self._wish = wish
        self._folder = folder
        self._keeper = GuardKeeper(folder.path)
        self._wake = _signals()
        self._stopping = threading.Event()
        ground = Ground(
            folder=folder.application,
            keeper=self._keeper,
            faults=faults.parse(os.environ.get("GURNEY_FAILPOINTS", "")),
            progress=wish.talk,
        )
        self.control = Control(
            memory=Memory(Revisions(database), Overrides(database), LastGood(database)),
            engines=engines(ground),
            clock=time.time,
            node=wish.node,
            hostname=socket.gethostname(),
            progress=wish.talk,
        )
        self.watch = Watch(self.control, self._keeper, self._start_guard, wish.talk)
        self._server = Server(Work(self.control, self.watch, self._down), folder.control_socket)

    def run(self) -> int:
        """Start, serve, end."""
        self._folder.site_key()
        if self.control.newest() is None and self._wish.text is None:
            raise InputRefused("there is no revision to go on with", hint="gurney up FILE")
        fresh = self._start_guard()
        self._server.start()  # before the engines: `gurney status` is asked most while something starts
        try:
            self._remember()
            self._take_up()
            return self._loop()
        except GurneyError:
            if fresh and not self.control.serving:
                guard.shutdown(self._folder.path, STOP_SECONDS)
            raise
        finally:
            self._server.stop()

    def _start_guard(self) -> bool:
        return guard.start(self._folder.path)

    def _remember(self) -> None:
        """What runs under the guard, by engine."""
        running = {}
        for process in self._keeper.processes():
            for name, engine in self.control.engines.items():
                application = engine.application(process.name)
                if application is not None:
                    running[(application, name)] = process.pid is not None
        self.control.remember(running)

    def _take_up(self) -> None:
        """The document of the wish, else the newest revision. A wish that no engine takes leaves what served before, and is told."""
        if self._wish.text is None:
            self.control.resume()
            return
        if self.control.revision is not None and self.control.revision.text == self._wish.text:
            self.control.resume()
            return
        try:
            self.control.apply(self._wish.text, self._wish.file, who=_me())
        except EngineRefused:
            if self.control.revision is None:
                raise
            self._wish.talk(f"{self._wish.file} was refused: going on with revision {self.control.revision.n}")
            self.control.resume()
            raise

    def _loop(self) -> int:
        """Until a signal or `gurney down`: say `ready` once, then look after everything once a second."""
        deadline = time.monotonic() + READY_SECONDS
        ready, said = False, ""
        while True:
            if not ready:
                ready, said = self._ready(said, deadline)
            if self._stopping.wait(0):
                return 0
            number = self._wait(TICK_SECONDS if ready else 0.1)
            if number == signal.SIGINT and os.isatty(0):
                return self._interrupted()
            if number is not None:
                self._wish.talk("the control process ends; traffic goes on (gurney down stops it)")
                return 0
            self.watch.tick()

    def _ready(self, said: str, deadline: float) -> tuple[bool, str]:
        waiting = self.watch.waiting()
        if not waiting:
            self._wish.line(self._ready_line())
            return True, ""
        text = "; ".join(waiting)
        if time.monotonic() >= deadline:
            self._wish.talk(f"not ready after {READY_SECONDS:g} s, going on without: {text}")
            return True, ""
        if text != said:
            self._wish.talk(f"waiting: {text}")
        return False, text

    def _ready_line(self) -> str:
        decision, revision = self.control.decision, self.control.revision
        applications = decision.document.applications.values() if decision is not None else ()
        services = sum(len(application.services) for application in applications)
        members = sum(len(pool.members) for application in applications for pool in application.pools.values())
        up = sum(_up(seen.status) for seen in self.control.observed.values())
        number = revision.n if revision is not None else 0
        return (
            f"ready revision={number} applications={len(applications)} services={services} members={up}/{members} state={self._folder.path}"
        )

    def _wait(self, seconds: float) -> int | None:
        """The signal that came within that time, or None. Also returns early when the guard is gone or `down` was asked for."""
        try:
            watched: list[socket.socket] = [self._wake, self.watch.connection()]
        except GurneyError:
            watched = [self._wake]
        readable, _, _ = select.select(watched, [], [], seconds)
        if self._wake in readable:
            received = self._wake.recv(64)
            return next((number for number in received if number), None)
        return None

    def _interrupted(self) -> int:
        """Ctrl-C on a terminal: traffic stops too, unfinished objects get up to 10 s; once more and it stops at once."""
        self._wish.talk("stopping traffic too, unfinished objects get up to 10 s (Ctrl-C again: at once)")
        self.watch.ended = True
        ending = threading.Thread(target=guard.shutdown, args=(self._folder.path, STOP_SECONDS), name="down", daemon=True)
        ending.start()
        while ending.is_alive():
            readable, _, _ = select.select([self._wake], [], [], 0.1)
            if readable and signal.SIGINT in self._wake.recv(64):
                self._wish.talk("at once")
                _kill_all(self._keeper)
        return 0

    def _down(self) -> dict[str, Any]:
        """`gurney down`: stop everything, then let the loop end once this answer is on its way."""
        with self.control.changing:
            self.watch.ended = True
            guard.shutdown(self._folder.path, STOP_SECONDS)
        self._stopping.set()
        os.kill(os.getpid(), signal.SIGCHLD)  # wakes the loop; the answer goes first: the API ends gracefully
        return {"down": True}


def _kill_all(keeper: GuardKeeper) -> None:
    for process in keeper.processes():
        if process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)


def _up(status: Mapping[str, Any] | None) -> int:
    pools = (status or {}).get("pools", {})
    return sum(member.get("operational") == "up" for pool in pools.values() for member in pool.get("members", {}).values())


def _me() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def _signals() -> socket.socket:
    """A socket that becomes readable with the number of each signal that ends us, or wakes us."""
    ours, kernel = socket.socketpair()
    for end in (ours, kernel):
        end.setblocking(False)
    signal.set_wakeup_fd(kernel.detach())
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return ours


def plan_offline(state: Path, text: str, file: str, node: str | None) -> dict[str, Any]:
    """The steps an apply would take from what served last, without a control process; changes nothing."""
    serving: dict[tuple[str, str], bytes] = {}
    overrides: tuple[Any, ...] = ()
    folder = Folder(state)
    if folder.database.exists():
        database = Database(folder.database, read_only=True)
        try:
            serving = {(one.application, one.engine): one.content for one in LastGood(database).all()}
            overrides = Overrides(database).all()
        finally:
            database.close()
    decision = decide(text, file, overrides, serving, node=node, hostname=socket.gethostname())
    return {
        "revision": None,
        "changed": bool(decision.steps),
        "steps": decision.steps_as_json(),
        "warnings": list(decision.warnings),
        "pending_until": None,
    }


def explain_offline(text: str, file: str, application: str, service: str, facts: Mapping[str, str]) -> dict[str, Any]:
    """What the document alone says: every member up, nothing pinned."""
    from gurney.balance import explain, members
    from gurney.balance.table import Table

    decision = decide(text, file, (), {}, hostname=socket.gethostname())
    found = decision.document.applications.get(application)
    if found is None:
        raise NotFound(f"the document has no application '{application}'", hint=f"it has: {', '.join(decision.document.applications)}")
    views = {
        pool.name: {member.name: members.View(member, cap=member.max_associations) for member in pool.members.values()}
        for pool in found.pools.values()
    }
    table = Table(found.name, found.services, found.pools)
    return explain.explain(table, service, facts, views).as_json()
