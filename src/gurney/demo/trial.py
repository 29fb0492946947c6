"""The one place for trying a blueprint: its document on loopback under a real Gurney, its cases one after the other against simulators."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from gurney.demo.cases import Act, Case
from gurney.demo.installation import Installation
from gurney.demo.interruption import uninterrupted
from gurney.demo.loopback import FreePorts, Moved, here, moved
from gurney.demo.senders import SENDERS, Answer, Sender, Target
from gurney.demo.simulators import Simulator
from gurney.demo.waiting import until
from gurney.errors import GurneyError, InputRefused

BOUND = 60.0  # seconds for all cases of a blueprint; on an idle machine they take 5 to 15
WITHIN = 8.0  # seconds for one change of a member to be seen


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case: how many of each answer, how many each member (POOL/MEMBER) gave; `why` is None when it is as promised."""

    case: str
    sent: int
    answers: dict[str, int]
    members: dict[str, int]
    why: str | None

    def as_json(self) -> dict[str, Any]:
        """The result as `gurney blueprint test --json` lists it."""
        return {
            "case": self.case,
            "good": self.why is None,
            "sent": self.sent,
            "answers": self.answers,
            "members": self.members,
            "why": self.why,
        }


class Trial:
    """One blueprint under test; everything of it lies in one temporary folder. Use as a context manager: it begins and ends all."""

    def __init__(self, document: str, file: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gurney-blueprint-"))
        self._ports = FreePorts()
        try:
            self.moved: Moved = moved(document, file, self.folder, self._ports)
        except BaseException:
            self._clear()
            raise
        self.gurney = Installation(self.folder)
        self.members = {path: Simulator(place, self.folder / f"{place.folder.name}.log") for path, place in self.moved.places.items()}
        self._end = 0.0

    def __enter__(self) -> Trial:
        try:
            self._ports.give_back()
            for member in self.members.values():
                member.start()
            for member in self.members.values():
                member.wait()
            self.gurney.up(self.moved.text)
            self._seen(self.members, "up")
        except BaseException:
            self.close()
            raise
        self._end = time.monotonic() + BOUND
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends Gurney and the simulators, removes the folder."""
        with uninterrupted():
            self.gurney.close()
            for member in self.members.values():
                member.kill()
            self._clear()

    def _clear(self) -> None:
        self._ports.give_back()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, cases: Sequence[Case], say: Callable[[Result], None]) -> bool:
        """All cases; `say` is told of each as it ends. True when every one is as promised."""
        good = True
        for case in cases:
            result = self._case(case)
            say(result)
            good = good and result.why is None
        return good

    def _case(self, case: Case) -> Result:
        if time.monotonic() > self._end:
            return Result(case.name, 0, {}, {}, f"not tried: the cases before it took {BOUND:g} s")
        touched: set[str] = set()
        answers: list[Answer] = []
        try:
            with self._sender(case) as sender:
                for act in case.first:
                    touched |= self._act(case, act, seen=True)
                sources: list[str | None] = [*map(here, case.sources)] or [None]
                for number in range(case.count):
                    if number == case.count // 2:
                        for act in case.halfway:
                            touched |= self._act(case, act, seen=False)
                    answers.append(sender.send(number, sources[number % len(sources)]))
                answers = sender.found(answers)
            result = self._judged(case, answers)
        except GurneyError as e:
            result = Result(case.name, len(answers), dict(Counter(one.word for one in answers)), {}, e.message)
        self._mend(touched)
        return result

    @contextlib.contextmanager
    def _sender(self, case: Case) -> Iterator[Sender]:
        path = f"{case.application}/{case.service}"
        if path not in self.moved.services:
            raise InputRefused(f"the document has no service {path}", hint=f"it has: {', '.join(self.moved.services)}")
        protocol, host, port = self.moved.services[path]
        disks = {name: place.folder for name, place in self.moved.places.items() if place.protocol == "dicom"}
        sender = SENDERS[protocol](Target(host, port, disks, self.folder / "scans"), case.more)
        try:
            yield sender
        finally:
            sender.close()

    def _act(self, case: Case, act: Act, *, seen: bool) -> set[str]:
        """Does it to every member the glob fits; `seen`: returns once Gurney says so."""
        wanted = [path for path in self.members if fnmatchcase(path, f"{case.application}/{act.members}")]
        if not wanted:
            raise InputRefused(f"no member fits {act.members}")
        for path in wanted:
            if act.word == "kill":
                self.members[path].kill()
            else:
                self.gurney.override(act.word, path)
        if act.word == "kill" and seen:
            self._seen(wanted, "down")
        return set(wanted)

    def _mend(self, touched: set[str]) -> None:
        """Every member as it was before the case."""
        dead = [path for path in sorted(touched) if self.members[path].pid is None]
        for path in dead:
            self.members[path].start()
        for path in sorted(touched):
            if self.gurney.member(path).get("override"):
                self.gurney.override("enable", path)
        for path in dead:
            self.members[path].wait()
        self._seen(touched, "up")

    def _seen(self, paths: Iterable[str], word: str) -> None:
        """Until the status says `word` of each."""
        for path in sorted(paths):
            until(partial(self._is, path, word), WITHIN, f"{path} is {word}")

    def _is(self, path: str, word: str) -> bool:
        return self.gurney.member(path).get("operational") == word

    def _judged(self, case: Case, answers: Sequence[Answer]) -> Result:
        words = Counter(one.word for one in answers)
        members = Counter(one.member.partition("/")[2] for one in answers if one.member is not None)
        why = _answers(case, words) or _members(case, members) or _arrived(case, answers)
        return Result(case.name, len(answers), dict(words), dict(sorted(members.items())), why)


def _answers(case: Case, words: Counter[str]) -> str | None:
    others = {word: count for word, count in words.items() if word != case.expect.answer}
    return f"wanted only {case.expect.answer}, got {_spelled(others)}" if others else None


def _members(case: Case, members: Counter[str]) -> str | None:
    wanted, pool = case.expect.members, case.expect.pool
    if pool is not None:
        elsewhere = {name: count for name, count in members.items() if name.partition("/")[0] != pool}
        if elsewhere or not members:
            return f"wanted pool {pool}, got {_spelled(elsewhere) or 'no member'}"
    if isinstance(wanted, int) and len(members) != wanted:
        return f"wanted {wanted} members, got {_spelled(members) or 'none'}"
    if isinstance(wanted, frozenset) and set(members) != wanted:
        return f"wanted {', '.join(sorted(wanted))}, got {_spelled(members) or 'none'}"
    return None


def _arrived(case: Case, answers: Sequence[Answer]) -> str | None:
    for name, value in case.expect.arrives.items():
        for one in answers:
            got = (one.arrived or {}).get(name)
            if got != here(value):
                return f"wanted {name} {here(value)} to arrive, got {got}"
    return None


def _spelled(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} × {word}" for word, count in sorted(counts.items()))
