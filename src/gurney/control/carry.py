"""The one place where a plan reaches the engines: step by step, each confirmed, and all of it back when one of them refuses.

Either every engine serves what is wanted or every engine serves what it served before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from gurney.control.decide import UNKNOWN, process_of
from gurney.control.journal import Journal
from gurney.engines.engine import Engine
from gurney.errors import EngineRefused, GurneyError, LocalError
from gurney.plan.steps import Key, Listener, Process, Step, overlap

STOP_SECONDS = 10.0  # architecture §3: unfinished objects get up to 10 s


class Carrier:
    """Brings engines from what they serve to what is wanted. `serving` and `wanted` are the caller's and never changed here."""

    def __init__(
        self,
        engines: Mapping[str, Engine],
        progress: Callable[[str], None],
        journal: Journal,
        process: Callable[[Key, bytes], Process] = process_of,
    ) -> None:
        self._engines = engines
        self._process = process
        self._progress = progress
        self._journal = journal
        self._bound: dict[Key, tuple[Listener, ...]] = {}  # what the steps in hand gave each engine

    def all_or_nothing(self, steps: Iterable[Step], serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes]) -> None:
        """Carry out the steps in order. Raises `EngineRefused` after having gone back."""
        touched: dict[Key, None] = {}
        self._bound = {}
        try:
            for step in steps:
                touched[step.key] = None
                self._carry(step, wanted)
        except GurneyError as error:
            self._progress(f"{error.message}; going back")
            trouble = self._return(list(touched), serving)
            path = error.path if isinstance(error, EngineRefused) else None
            raise EngineRefused(error.message, hint="; ".join(trouble) or error.hint, path=path) from error

    def each(
        self, steps: Iterable[Step], serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes]
    ) -> tuple[set[Key], dict[Key, GurneyError]]:
        """Carry out what can be, application by application: after a boot a taken port of one is no reason to leave the others dead.

        Gives the keys that were brought to what is wanted, and what refused the others (they are back where they were).
        """
        brought: set[Key] = set()
        self._bound = {}
        refused: dict[Key, GurneyError] = {}
        for step in steps:
            if step.key in refused:
                continue
            try:
                self._carry(step, wanted)
                brought.add(step.key)
            except GurneyError as error:
                refused[step.key] = error
                brought.discard(step.key)
                self._return([step.key], serving)
        return brought, refused

    def _carry(self, step: Step, wanted: Mapping[Key, bytes]) -> None:
        begun = time.monotonic()
        self._bound[step.key] = tuple(dict.fromkeys((*self._bound.get(step.key, ()), *step.listeners)))
        try:
            self._do(step, wanted)
        except GurneyError:
            self._journal.step(step, "refused", time.monotonic() - begun)
            raise
        self._bound[step.key] = step.listeners
        self._journal.step(step, "confirmed", time.monotonic() - begun)

    def _do(self, step: Step, wanted: Mapping[Key, bytes]) -> None:
        engine, application = self._engines[step.engine], step.application
        self._progress(f"{application}: {step.detail}")
        match step.kind:
            case "start-application":
                engine.start(application, wanted[step.key], step.listeners)
            case "bind" | "unbind":
                engine.listen(application, step.listeners)
            case "load":
                engine.load(application, wanted[step.key])
            case "stop-application":
                engine.stop(application, STOP_SECONDS)
            case _:
                raise LocalError(f"no engine knows the step '{step.kind}'")

    def _return(self, keys: list[Key], serving: Mapping[Key, bytes]) -> list[str]:
        """Back to what served, last touched first; in words, what did not go back.

        First everything lets go of addresses that another is to have back: what swapped addresses could otherwise not return. Twice
        where it must be: an address may be free only once another has gone back.
        """
        for key in keys:
            self._let_go(key, keys, serving)
        left = list(reversed(keys))
        trouble: dict[Key, str] = {}
        for _ in range(2):
            for key in list(left):
                engine, good = self._engines[key[1]], serving.get(key)
                try:
                    engine.back(key[0], engine.published(key[0]) if good == UNKNOWN else good)
                    left.remove(key)
                    trouble.pop(key, None)
                except GurneyError as error:
                    trouble[key] = f"going back failed too: {error.message}"
        return list(trouble.values())

    def _listeners(self, key: Key, content: bytes | None) -> tuple[tuple[Listener, ...], bool]:
        """What an engine that serves `content` listens on (nothing when nobody can tell), and whether its load hands that over."""
        try:
            there = self._process(key, content) if content else None
        except GurneyError:
            there = None
        return (there.listeners, there.listeners_by_load) if there is not None else ((), False)

    def _let_go(self, key: Key, keys: list[Key], serving: Mapping[Key, bytes]) -> None:
        """Of addresses `key` was given by the steps so far and others are to have back; what cannot be told is left to `back`."""
        good, by_load = self._listeners(key, serving.get(key))
        others = [at for other in keys if other != key or not by_load for at in self._listeners(other, serving.get(other))[0]]
        surplus = [one for one in self._bound.get(key, ()) if one not in good and any(overlap(one, other) for other in others)]
        if not surplus:
            return
        try:
            if serving.get(key) is None:
                self._engines[key[1]].back(key[0], None)
            else:
                self._engines[key[1]].listen(key[0], tuple(one for one in self._bound[key] if one in good))
        except GurneyError as error:
            self._progress(f"{key[0]}: {error.message}")
