"""The one place for the guard's talk with a route process on its route.sock: listeners given, taken back, closed. It never waits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gurney.errors import GurneyError
from gurney.guard.loop import READ, WRITE, Loop, Timer
from gurney.net import messages

ANSWER_SECONDS = 5.0
"""A question that is not answered by then is asked again on a new connection."""
RETRY_FIRST, RETRY_LAST = 0.02, 0.5
"""Seconds between tries while nobody listens on route.sock, doubling."""

Answered = Callable[[dict[str, Any], list[int]], None]


class Handover:
    """One question at a time to one route process, tried again until it is answered or withdrawn."""

    def __init__(self, loop: Loop, path: Path) -> None:
        self._loop = loop
        self._path = path
        self._timer: Timer | None = None
        self._talk: tuple[messages.Reader, messages.Writer] | None = None
        self._pause = RETRY_FIRST
        self._question: Callable[[], tuple[Mapping[str, Any], Sequence[int]]] | None = None
        self._answered: Answered = _nothing
        self.problem: str | None = None

    @property
    def busy(self) -> bool:
        """Whether a question is out."""
        return self._question is not None

    def ask(self, question: Callable[[], tuple[Mapping[str, Any], Sequence[int]]], answered: Answered) -> None:
        """Ask what `question` gives (made anew for every try) and call `answered` with the answer and its descriptors, the callee's."""
        self.withdraw()
        self._question, self._answered = question, answered
        self._pause = RETRY_FIRST
        self._try()

    def withdraw(self) -> None:
        """Ask no longer."""
        self._question = None
        self._drop()

    def _try(self) -> None:
        self._drop()
        if self._question is None:
            return
        try:
            sock = messages.connect(self._path)
            if sock is None:
                self._again("nobody answers on its route.sock")
                return
            self._talk = messages.Reader(sock), messages.Writer(sock)
            self._timer = self._loop.after(ANSWER_SECONDS, lambda: self._again("no answer on its route.sock"))
            self._talk[1].put(*self._question())
        except (OSError, GurneyError) as problem:
            self._again(str(problem))
            return
        self._watch()

    def _ready(self, events: int) -> None:
        if self._talk is None:
            return
        reader, writer = self._talk
        try:
            if events & WRITE:
                writer.flush()
            found = reader.read() if events & READ else []
        except (OSError, GurneyError) as problem:
            self._again(str(problem))
            return
        if not found:
            if reader.ended:
                self._again("it closed its route.sock without an answer")
            else:
                self._watch()
            return
        (body, fds), answered = found[0], self._answered
        if body.get("ok") is not True:
            for fd in fds:
                os.close(fd)
            self._again(str(body.get("message") or body.get("detail") or body.get("code") or "it refused"))
            return
        self.problem = None
        self.withdraw()
        answered(body, fds)

    def _watch(self) -> None:
        if self._talk is not None:
            reader, writer = self._talk
            self._loop.watch(reader.sock.fileno(), READ | (WRITE if writer.waiting else 0), self._ready)

    def _again(self, problem: str) -> None:
        self.problem = problem
        self._drop()
        self._timer = self._loop.after(self._pause, self._try)
        self._pause = min(self._pause * 2, RETRY_LAST)

    def _drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._talk is not None:
            reader, writer = self._talk
            self._loop.unwatch(reader.sock.fileno())
            reader.close()
            writer.close()
            reader.sock.close()
        self._talk = None


def _nothing(body: dict[str, Any], fds: list[int]) -> None:
    del body, fds
