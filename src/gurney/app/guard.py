"""The one place for putting the guard process together: lock, log, signals, loop."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from pathlib import Path

import gurney
from gurney.disk import faults, locks
from gurney.errors import AlreadyRunning, GurneyError
from gurney.guard import privileges
from gurney.guard.loop import READ, Loop
from gurney.guard.server import Server
from gurney.guard.store import Store
from gurney.telemetry.log import Log

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def main(state: Path) -> int:
    """Be the guard of a state folder until a signal or `shutdown`. 0 at either, 1 with a line on stderr when it cannot be."""
    try:
        lock = locks.take(state / "lock", locks.GUARD)
        if lock is None:
            raise AlreadyRunning(f"another guard lives in {state}")
        privileges.no_new_privileges()
        _run(state)
    except GurneyError as problem:
        print(f"error {problem.code}: {problem.message}", file=sys.stderr)
        return problem.exit_status
    except OSError as problem:
        print(f"error {GurneyError.code}: {problem}", file=sys.stderr)
        return 1
    lock.release()
    return 0


def _run(state: Path) -> None:
    _raise_descriptors()
    log = Log(state / "guard.log")
    loop = Loop()
    wake = _signals()
    received: list[int] = []

    def signalled(_: int) -> None:
        received.extend(wake.recv(64))
        loop.stop()

    loop.watch(wake.fileno(), READ, signalled)
    store = Store(os.environ)
    server = Server(state, loop, log, faults.parse(os.environ.get("GURNEY_FAILPOINTS", "")), store)
    log.info("guard.started", pid=os.getpid(), version=gurney.__version__, path=state, count=server.count)
    store.ready()
    try:
        loop.run()
    finally:
        server.close()
        log.info("guard.stopped", pid=os.getpid(), signal=received[0] if received else None, count=server.count)
        log.close()


def _signals() -> socket.socket:
    """A socket that is readable when one of SIGNALS came; the children carry on whichever it was."""
    ours, kernel = socket.socketpair()
    ours.setblocking(False)
    kernel.setblocking(False)
    signal.set_wakeup_fd(kernel.detach())
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    return ours


def _raise_descriptors() -> None:
    """As many open files as the node allows, for us and for those we start."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
