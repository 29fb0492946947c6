"""The one place for talking to a worker of HAProxy through its runtime socket `run/admin.sock`: one line of commands a connection.

HAProxy answers a line and closes. Over a reload the socket's file changes its owner; an old worker that still answers says so
(`Stopping: 1`) and is asked no more.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from gurney.engines.haproxy import commands, running
from gurney.engines.haproxy.commands import Command, Verb
from gurney.errors import EngineRefused, NotRunning
from gurney.net import messages

SOCKET = "run/admin.sock"
LOOK_SECONDS = 5.0
CHANGE_SECONDS = 10.0  # `add server` takes every thread to a halt for a moment; a busy worker answers late
ANSWER_LIMIT = 64 * 1024 * 1024  # `show stat` is some 600 bytes a server
_TRIES = 25
_PAUSE = 0.02
_CHUNK = 256 * 1024
_SHOWN = 300  # characters of an answer that a message repeats


class Runtime:
    """The worker that serves one application; `folder` is HAProxy's working folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SOCKET

    def say(self, *group: Command, within: float = CHANGE_SECONDS) -> tuple[str, ...]:
        """One line of commands and their answers, whatever they say. Raises `NotRunning`; `EngineRefused` (answers not told apart)."""
        text = self._exchange(commands.encode(group), within).decode("utf-8", "replace")
        told = commands.answers(text, len(group))
        if told is None:
            raise EngineRefused("HAProxy's runtime socket answers with something else", hint=_short(text))
        return told

    def ask(self, command: Command, within: float = CHANGE_SECONDS) -> str:
        """One command and its answer. Raises `EngineRefused` when the answer says that it was not done."""
        return self.done([command], within)[0]

    def done(self, group: Iterable[Command], within: float = CHANGE_SECONDS) -> tuple[str, ...]:
        """Commands in order, in as few connections as fit. Raises `EngineRefused` at the first line of which one was not done."""
        told: list[str] = []
        for batch in commands.batches(list(group)):
            found = self.say(*batch, within=within)
            for command, answer in zip(batch, found, strict=True):
                if not command.did(answer):
                    raise EngineRefused(f"HAProxy refused '{command.text[:120]}': {_short(answer)}")
            told += found
        return tuple(told)

    def facts(self) -> dict[str, str]:
        """`show info` of the worker that serves."""
        return running.facts(self._serving(Command(Verb.SHOW_INFO))[0])

    def look(self) -> running.Running:
        """What runs: one connection, `show info` and `show stat`."""
        info, stat = self._serving(Command(Verb.SHOW_INFO), Command(Verb.SHOW_STAT))
        return running.read(info, stat)

    def _serving(self, *group: Command) -> tuple[str, ...]:
        """Ask until a worker answers that is not ending: after a reload the new one takes the socket over within milliseconds."""
        for _ in range(_TRIES):
            text = self._exchange(commands.encode(group), LOOK_SECONDS).decode("utf-8", "replace")
            told = commands.answers(text, len(group))
            if (
                told is not None
                and "\nStopping: 0\n" in told[0] + "\n"
                and all(one.did(said) for one, said in zip(group, told, strict=True))
            ):
                return told
            time.sleep(_PAUSE)
        raise NotRunning("only an old worker of HAProxy answers, or nobody", hint=_short(text))

    def _exchange(self, line: bytes, within: float) -> bytes:
        deadline = time.monotonic() + within
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(within)
            try:
                with messages.address(self._path) as place:
                    sock.connect(place)
                sock.sendall(line)
                sock.shutdown(socket.SHUT_WR)
                return _read(sock, deadline)
            except TimeoutError as problem:
                raise NotRunning(f"HAProxy does not answer within {within:g} s") from problem
            except OSError as problem:
                raise NotRunning(f"nobody answers on {self._path}: {problem.strerror}") from problem


def _read(sock: socket.socket, deadline: float) -> bytes:
    answer = bytearray()
    while len(answer) <= ANSWER_LIMIT:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        data = sock.recv(_CHUNK)
        if not data:
            return bytes(answer)
        answer += data
    raise EngineRefused(f"HAProxy's answer is longer than {ANSWER_LIMIT} bytes")


def _short(text: str) -> str:
    words = " · ".join(line for line in text.splitlines() if line)
    return words if len(words) <= _SHOWN else words[:_SHOWN] + " …"


def refused(said: Sequence[str]) -> str:
    """Answers of which at least one is prose, in one line."""
    return _short("\n".join(said))
