"""The one place for putting the control process together: lock, guard, memory, engines, API, signals, and the loop around them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gurney import __version__
from gurney.api.server import Server
from gurney.api.work import Work
from gurney.app.machine import machines
from gurney.control import node as nodes
from gurney.control.control import Control, Memory
from gurney.control.decide import pools_of, services_of
from gurney.control.draft import read, with_files
from gurney.control.journal import Journal
from gurney.control.keeper import GuardKeeper
from gurney.control.outcome import Telling
from gurney.control.watch import Watch
from gurney.disk import faults
from gurney.engines import Ground, engines
from gurney.errors import DocumentRefused, EngineRefused, GurneyError, InputRefused, NotRunning
from gurney.guard import client as guard
from gurney.guard import privileges
from gurney.state.certificates import Certificates
from gurney.state.database import Database
from gurney.state.folder import Folder
from gurney.state.last_good import LastGood
from gurney.state.overrides import Overrides
from gurney.state.revisions import Revisions
from gurney.state.users import Users
from gurney.telemetry.log import Log

READY_SECONDS = 60.0
TICK_SECONDS = 1.0
FIRST_SECONDS = 0.1  # until ready
STOP_SECONDS = 10.0
CHANGE_SECONDS = 30.0  # how long a change in hand may go on after SIGTERM
JOIN_SECONDS = 2.0
FOLLOW_SECONDS = 1.0  # a tick's wait for a guard that is somebody else's to start; the end of this process must not wait for it longer


@dataclass(frozen=True, slots=True)
class Wish:
    """What `gurney up` was asked for. `text` None: the newest revision. `folder` is where the names of the files it names begin.

    `line` prints on stdout, `talk` on stderr.
    """

    state: Path
    text: str | None
    file: str
    node: str | None
    line: Callable[[str], None]
    talk: Callable[[str], None]
    folder: Path | None = None
    wait: bool = False  # the guard is somebody else's, a unit of its own, and only waited for


def main(wish: Wish) -> int:
    """Be the control process of a state folder until a signal or `gurney down`. Raises `GurneyError` when it cannot be."""
    wish = _checked(wish)
    privileges.no_new_privileges()
    folder = Folder(wish.state)
    folder.prepare()
    lock = folder.own()
    database = Database(folder.database)
    try:
        return _Process(wish, folder, database).run()
    finally:
        database.close()
        lock.release()


def _checked(wish: Wish) -> Wish:
    """Before anything is touched: a bad document changes nothing. Raises `DocumentRefused`, `InputRefused`.

    The newest revision's own document whose files are gone or spoilt goes on with what they held: a machine that starts anew must not
    stay down for a renewal that went wrong. The condition `CertificateChanged` says so for as long as it is so.
    """
    if wish.text is None:
        return wish
    draft = read(wish.text, wish.file)
    nodes.choose(draft.document, wish.node, socket.gethostname())
    try:
        with_files(draft, wish.folder, time.time())
    except DocumentRefused as error:
        if _newest_text(Folder(wish.state)) != wish.text:
            raise
        for fault in error.faults:
            wish.talk(f"{fault['file']}:{fault['line']}: {fault['message']}")
        wish.talk("going on with what the files of the newest revision held")
        return replace(wish, text=None)
    return wish


def _newest_text(folder: Folder) -> str | None:
    if not folder.database.exists():
        return None
    database = Database(folder.database)
    try:
        newest = Revisions(database).newest()
    finally:
        database.close()
    return newest.text if newest is not None else None


class _Process:
    """The parts of one control process and their life.

    The main thread only waits for signals; `_work` starts everything and then looks after it in a thread of its own, so that Ctrl-C is
    heard at any moment. A process that ends in the middle of a change is a case the next one knows (it resumes the newest revision).
    """

    def __init__(self, wish: Wish, folder: Folder, database: Database) -> None:
        self._wish = wish
        self._folder = folder
        self._keeper = GuardKeeper(folder.path)
        self._wake, self._waker = _signals()
        self._ending = threading.Event()
        self._hurried, self._hurry = socket.socketpair()  # readable for the worker once it is to end
        self._failed: BaseException | None = None
        self._fresh_guard = False
        self._patience = guard.START_SECONDS
        self._log = Log(folder.control_log)
        self.users = Users(folder, privileges.able)
        telling = Telling(wish.talk)
        ground = Ground(
            folder=self.users.folder,
            keeper=self._keeper,
            faults=faults.parse(os.environ.get("GURNEY_FAILPOINTS", "")),
            progress=telling,
            user=self.users.runs_as,
        )
        self.control = Control(
            memory=Memory(Revisions(database), Overrides(database), LastGood(database), Certificates(folder.certificates)),
            engines=engines(ground),
            journal=Journal(self._log),
            clock=time.time,
            node=wish.node,
            hostname=socket.gethostname(),
            progress=wish.talk,
            machine=machines(folder.path, self.users.uid),
            telling=telling,
        )
        self.watch = Watch(self.control, self._keeper, self._start_guard, wish.talk)
        self._server = Server(Work(self.control, self.watch, self._down), folder.control_socket)

    def run(self) -> int:
        """Start, serve, end. Raises what kept it from starting."""
        self._folder.site_key()
        if self.control.newest() is None and self._wish.text is None:
            raise InputRefused("there is no revision to go on with", hint="gurney up FILE")
        self._log.info("control.started", pid=os.getpid(), version=__version__, path=self._folder.path, node=self._wish.node)
        self._server.start()  # before the engines: `gurney status` is asked most while something starts
        worker = threading.Thread(target=self._work, name="work", daemon=True)
        worker.start()
        try:
            return self._wait_for_the_end()
        finally:
            self._ending.set()
            self._hurry.send(b"\0")
            self._server.stop()
            worker.join(JOIN_SECONDS)
            self._log.info("control.stopped", pid=os.getpid())
            self._log.close()

    # -- the worker -------------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Bring up what is wanted, then look after it."""
        try:
            self._fresh_guard = self._start_guard()
            self._remember()
            self._take_up()
            self.control.keep()  # what was adopted has the program, the uid and the listeners of today
            self.watch.guard()  # how often each process was restarted until now
            self._look_after()
        except BaseException as error:  # shown by the main thread, which it ends
            self._failed = error
            self._waker.send(b"\0")

    def _start_guard(self) -> bool:
        if not self._wish.wait:
            return guard.start(self._folder.path)
        patience, self._patience = self._patience, FOLLOW_SECONDS
        return guard.attend(self._folder.path, seconds=patience)

    def _remember(self) -> None:
        """What runs under the guard, by engine."""
        running: dict[tuple[str, str], tuple[str, ...]] = {}
        for process in self._keeper.processes():
            for name, engine in self.control.engines.items():
                application = engine.application(process.name)
                if application is not None:
                    running[(application, name)] = process.listeners
        self.control.remember(running)

    def _take_up(self) -> None:
        """The document of the wish, else the newest revision. A wish that no engine takes leaves, or brings back, what is good."""
        known = self.control.revision
        if self._wish.text is None or self.control.is_newest(self._wish.text, self._wish.file, self._wish.folder):
            self.control.resume()
            return
        try:
            self.control.apply(self._wish.text, self._wish.file, who=_me(), folder=self._wish.folder)
        except EngineRefused:
            if known is not None:
                self._wish.talk(f"{self._wish.file} was refused: going back to revision {known.n}")
                self.control.resume()
            raise

    def _look_after(self) -> None:
        """Say `ready` once it is so, and look after everything once a second."""
        deadline = time.monotonic() + READY_SECONDS
        ready, said = False, ""
        while not self._ending.is_set():
            if not ready:
                waiting = "; ".join(self.watch.waiting())
                ready = not waiting
                if ready:
                    self._wish.line(self._ready_line())
                elif time.monotonic() >= deadline:
                    self._wish.talk(f"not ready after {READY_SECONDS:g} s, still trying: {waiting}")
                    deadline = float("inf")
                elif waiting != said:
                    self._wish.talk(f"waiting: {waiting}")
                    said = waiting
            self._pause(TICK_SECONDS if ready else FIRST_SECONDS)
            self.watch.tick()

    def _pause(self, seconds: float) -> None:
        """That long, or until the guard is gone, or the end."""
        watched = [self._hurried]
        with contextlib.suppress(GurneyError):
            watched.append(self.watch.connection())
        select.select(watched, [], [], seconds)

    def _ready_line(self) -> str:
        decision, revision = self.control.decision, self.control.revision
        applications = decision.document.applications.values() if decision is not None else ()
        services = sum(len(services_of(application)) for application in applications)
        members = sum(len(pool.members) for application in applications for pool in pools_of(application))
        up = sum(_up(seen.status) for seen in self.control.observed.values())
        number = revision.n if revision is not None else 0
        return (
            f"ready revision={number} applications={len(applications)} services={services} members={up}/{members} state={self._folder.path}"
        )

    # -- the end ----------------------------------------------------------------------------------------------------------------

    def _wait_for_the_end(self) -> int:
        """A signal, `gurney down`, or a start that failed."""
        while True:
            select.select([self._wake], [], [])
            number = next((one for one in self._wake.recv(64) if one), None)
            if self._failed is not None:
                return self._give_up(self._failed)
            if self._ending.is_set():
                return 0
            if number == signal.SIGINT and os.isatty(0):
                return self._interrupted()
            if number is not None:
                self._let_go()
                return 0

    def _give_up(self, error: BaseException) -> int:
        """The start failed. Where something good serves it goes on; a guard of ours that keeps nothing goes."""
        if self._fresh_guard and not self._keeper.processes():
            self.watch.ended = True
            guard.shutdown(self._folder.path, STOP_SECONDS)
        elif self.control.serving:
            self._wish.talk("what served before goes on; this control process ends: gurney up")
        raise error

    def _let_go(self) -> None:
        """End alone; a change in hand is finished first, unless another signal comes."""
        self._wish.talk("the control process ends; traffic goes on (gurney down stops it)")
        deadline = time.monotonic() + CHANGE_SECONDS
        while time.monotonic() < deadline:
            if self.control.changing.acquire(timeout=0.1):
                self._ending.set()
                self.control.changing.release()
                return
            readable, _, _ = select.select([self._wake], [], [], 0)
            if readable and any(self._wake.recv(64)):
                return

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
        """`gurney down`: stop everything; this process ends once the answer is on its way (the API ends gracefully)."""
        self.watch.ended = True
        with self.control.changing:
            guard.shutdown(self._folder.path, STOP_SECONDS)
        self._ending.set()
        self._waker.send(b"\0")
        return {"down": True}


def _kill_all(keeper: GuardKeeper) -> None:
    """What is being stopped does not get its time."""
    with contextlib.suppress(NotRunning, ProcessLookupError):
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


def _signals() -> tuple[socket.socket, socket.socket]:
    """A socket that becomes readable with the number of each signal that ends us, and the one to wake it by with a zero byte."""
    ours, kernel = socket.socketpair()
    for end in (ours, kernel):
        end.setblocking(False)
    signal.set_wakeup_fd(kernel.fileno())
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return ours, kernel
