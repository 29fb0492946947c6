"""The one place for talking to HAProxy's master: its command line on run/master.sock, its workers, its reload.

One connection a command: send, shut down the sending side (else `show proc` never ends), read to the end. The socket accepts before
anybody answers, so an empty answer is asked again (peers.md §3).
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gurney.errors import EngineRefused, NotRunning
from gurney.guard import proc
from gurney.net import messages

SOCKET = "run/master.sock"
ANSWER_SECONDS = 5.0
RELOAD_SECONDS = 30.0  # reading a large configuration, and up to 2 s of tries to bind
ANSWER_LIMIT = 16 * 1024 * 1024
SESSIONS_LIMIT = 256 * 1024  # of `show sess`: enough to name some
_PAUSE = 0.02
_CHUNK = 256 * 1024
_OWN = frozenset({"GLOBAL", "MASTER"})  # the command line's own sessions


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process; `since` is seconds since the epoch."""

    pid: int
    since: float


@dataclass(frozen=True, slots=True)
class Workers:
    """The master and its workers: the one that serves, and those that only end what they have."""

    master: int
    current: Worker | None
    old: tuple[Worker, ...]

    def pids(self) -> frozenset[int]:
        """All of them, the master too."""
        return frozenset({self.master, *(one.pid for one in (self.current, *self.old) if one is not None)})


@dataclass(frozen=True, slots=True)
class Session:
    """One session of a worker, in the words of its configuration."""

    frontend: str
    backend: str
    server: str
    source: str
    age: str


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What the master says of a reload, with all the new process said while starting."""

    success: bool
    log: str


class Master:
    """The master of one application; `folder` is HAProxy's working folder. Every method raises `NotRunning` when nobody answers."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SOCKET

    def ask(self, command: str, within: float = ANSWER_SECONDS, limit: int = ANSWER_LIMIT) -> str:
        """One command and its whole answer, or what came of it up to `limit` bytes. Line ends and `;` are the caller's grammar."""
        deadline = time.monotonic() + within
        while not (answer := self._once(command, deadline, limit)):
            if time.monotonic() >= deadline:
                raise NotRunning(f"HAProxy's master does not answer within {within:g} s")
            time.sleep(_PAUSE)
        return answer.decode("utf-8", "replace").strip("\n")

    def worker(self, command: str, within: float = ANSWER_SECONDS, limit: int = ANSWER_LIMIT) -> str:
        """One command to the worker that serves now; an old one never gets it."""
        return self._known(self.ask(f"@1 {command}", within, limit))

    def old(self, pid: int, command: str, within: float = ANSWER_SECONDS, limit: int = ANSWER_LIMIT) -> str:
        """One command to the worker of this pid."""
        return self._known(self.ask(f"@!{pid} {command}", within, limit))

    def workers(self) -> Workers:
        """`show proc`."""
        return parse_workers(self.ask("show proc"), time.time())

    def description(self, within: float = ANSWER_SECONDS) -> str | None:
        """The shape that the current worker names."""
        return _facts(self.worker("show info", within)).get("description")

    def connections(self, pid: int) -> int:
        """Client connections that a worker has open; 0 when it is gone."""
        try:
            return int(_facts(self.old(pid, "show info")).get("CurrConns", "0"))
        except NotRunning:
            return 0

    def sessions(self, pid: int) -> tuple[Session, ...]:
        """Sessions of a worker, as many as are worth naming; a connection without a request is none."""
        try:
            return parse_sessions(self.old(pid, "show sess", limit=SESSIONS_LIMIT))
        except NotRunning:
            return ()

    def reload(self) -> Reloaded:
        """Start a new worker from the files as they are. Returns when it serves or has failed; a failed one leaves the old one serving."""
        answer = self.ask("reload", RELOAD_SECONDS)
        head, _, log = answer.partition("\n--\n")
        if not head.startswith("Success="):
            raise EngineRefused("HAProxy's master answers 'reload' with something else", hint=answer[:200])
        return Reloaded(head == "Success=1", log)

    def lived(self) -> float:
        """Seconds since the current worker was started."""
        current = self.workers().current
        start = proc.start_time(current.pid) if current is not None else None
        if start is None:
            return 0.0
        return time.clock_gettime(time.CLOCK_BOOTTIME) - start / os.sysconf("SC_CLK_TCK")

    def wait(self, found: Callable[[], bool], within: float) -> bool:
        """Ask again and again until it is so; False when it is not within that time."""
        deadline = time.monotonic() + within
        while not found():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
        return True

    def _once(self, command: str, deadline: float, limit: int) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                with messages.address(self._path) as place:
                    sock.connect(place)
                sock.sendall(command.encode() + b"\n")
                sock.shutdown(socket.SHUT_WR)
                return _read(sock, deadline, limit)
            except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as problem:
                raise NotRunning(f"nobody answers on {self._path}") from problem
            except OSError:  # reset while it started anew, or too slow: asked again until the deadline
                return b""

    def _known(self, answer: str) -> str:
        if answer.startswith("Can't find the target"):
            raise NotRunning("this worker of HAProxy is gone")
        return answer


def _read(sock: socket.socket, deadline: float, limit: int) -> bytes:
    answer = bytearray()
    while len(answer) < limit:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        data = sock.recv(_CHUNK)
        if not data:
            break
        answer += data
    return bytes(answer[:limit])


def parse_workers(text: str, now: float) -> Workers:
    """`show proc`: the master, the workers, the old workers. Raises `EngineRefused` when it is something else."""
    master, current, part = None, None, ""
    old = []
    for line in text.splitlines():
        if line.startswith("# "):
            part = line[2:].strip()
            continue
        fields = line.split()
        if len(fields) < 3 or not (fields[0].isascii() and fields[0].isdigit()):
            continue
        since = now - _uptime(line)
        if fields[1] == "master":
            master = int(fields[0])
        elif fields[1] == "worker" and part == "workers":
            current = Worker(int(fields[0]), since)
        elif fields[1] == "worker" and part == "old workers":
            old.append(Worker(int(fields[0]), since))
    if master is None:
        raise EngineRefused("HAProxy's master answers 'show proc' with something else", hint=text[:200])
    return Workers(master, current, tuple(old))


def parse_sessions(text: str) -> tuple[Session, ...]:
    """`show sess`: those of clients. A line that was cut off is left out."""
    found = []
    for line in text.splitlines():
        words = dict(word.split("=", 1) for word in line.split() if "=" in word and "[" not in word)
        if {"fe", "be", "srv", "src", "age"} <= words.keys() and words["fe"] not in _OWN:
            found.append(Session(words["fe"], words["be"], words["srv"], words["src"], words["age"]))
    return tuple(found)


def _facts(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def _uptime(line: str) -> float:
    match = re.search(r"([0-9]{1,9})d([0-9]{1,9})h([0-9]{1,9})m([0-9]{1,9})s", line)
    if match is None:
        return 0.0
    days, hours, minutes, seconds = map(int, match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
