"""The one place for questions to a member: which pairs it takes. One at a time, equal ones shared, a busy answer is no answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from gurney.deliver.capabilities import Pair
from gurney.health.checks.core import Check

AGAIN_SECONDS = 0.05  # after a busy answer
ANSWER_SECONDS = 2.0  # of one association that asks
PATIENCE_SECONDS = 10.0  # of a question: whoever asked may be gone by then, the next one finds the words

Start = Callable[[str, tuple[Pair, ...], float, Callable[[Check], None]], None]


@dataclass(slots=True)
class Question:
    """Pairs to ask for as `calling`; everyone in `done` is called once, answered or not."""

    calling: str
    pairs: tuple[Pair, ...]
    until: float
    done: list[Callable[[], None]] = field(default_factory=list)

    def covers(self, calling: str, pairs: tuple[Pair, ...]) -> bool:
        """Whether this question answers another one too."""
        return self.calling == calling and set(pairs) <= set(self.pairs)


class Asking:
    """The questions of one member. `start` runs one check core; `free` says whether an association may be had for it now."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: Start, free: Callable[[], bool], over: Callable[[], None]) -> None:
        self._loop = loop
        self._start = start
        self._free = free
        self._over = over
        self._waiting: deque[Question] = deque()
        self._current: Question | None = None
        self._pausing = False  # after a busy answer
        self._closed = False

    @property
    def busy(self) -> bool:
        """A question is under way or waits for a slot."""
        return self._current is not None or bool(self._waiting)

    @property
    def asked(self) -> bool:
        """A question is under way."""
        return self._current is not None

    def ask(self, calling: str, pairs: tuple[Pair, ...], done: Callable[[], None]) -> None:
        """Ask, or join whoever asks the same; `done` is called later, never from here."""
        known = [self._current, *self._waiting] if self._current is not None else list(self._waiting)
        same = next((question for question in known if question is not None and question.covers(calling, pairs)), None)
        if same is None:
            same = Question(calling, pairs, self._loop.time() + PATIENCE_SECONDS)
            self._waiting.append(same)
            self._loop.call_soon(self.pump)
        same.done.append(done)

    def pump(self) -> None:
        """Ask the next question if its association can be had."""
        if self._closed or self._pausing or self._current is not None or not self._waiting or not self._free():
            return
        self._current = self._waiting.popleft()
        self._put(self._current)

    def close(self) -> None:
        """Ask nothing more; nobody is called."""
        self._closed = True
        self._waiting.clear()

    def _put(self, question: Question) -> None:
        if self._closed:
            return
        within = max(AGAIN_SECONDS, min(ANSWER_SECONDS, question.until - self._loop.time()))  # one try even after a long wait
        self._start(question.calling, question.pairs, within, lambda core: self._answered(question, core))

    def _again(self) -> None:
        self._pausing = False
        self.pump()

    def _answered(self, question: Question, core: Check) -> None:
        busy = core.outcome == "rejected-busy" or core.awaiting_accept
        if busy and self._loop.time() + AGAIN_SECONDS < question.until and not self._closed:
            self._current = None
            self._waiting.appendleft(question)
            self._pausing = True
            self._loop.call_later(AGAIN_SECONDS, self._again)
            self._over()
            return
        self._current = None
        for done in question.done:
            done()
        self._over()
        self.pump()
