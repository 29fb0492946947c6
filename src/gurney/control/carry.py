"""The one place where a plan reaches the engines: step by step, each confirmed, and all of it back when one of them refuses.

Either every engine serves what is wanted or every engine serves what it served before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gurney.control.journal import Journal
from gurney.engines.engine import Engine
from gurney.errors import EngineRefused, GurneyError, LocalError
from gurney.plan.steps import Step

Key = tuple[str, str]  # application, engine
UNKNOWN = b""  # it runs, and nobody can tell what it serves
STOP_SECONDS = 10.0  # architecture §3: unfinished objects get up to 10 s


@dataclass(frozen=True, slots=True)
class EngineStep:
    """A step of the plan and the engine it is for."""

    engine: str
    step: Step

    @property
    def key(self) -> Key:
        """Whose configuration it is about."""
        return self.step.application, self.engine


class Carrier:
    """Brings engines from what they serve to what is wanted. `serving` and `wanted` are the caller's and never changed here."""

    def __init__(self, engines: Mapping[str, Engine], progress: Callable[[str], None], journal: Journal) -> None:
        self._engines = engines
        self._progress = progress
        self._journal = journal

    def all_or_nothing(self, steps: Iterable[EngineStep], serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes]) -> None:
        """Carry out the steps in order. Raises `EngineRefused` after having gone back."""
        touched: dict[Key, None] = {}
        try:
            for one in steps:
                touched[one.key] = None
                self._carry(one, wanted)
        except GurneyError as error:
            self._progress(f"{error.message}; going back")
            trouble = self._return(list(touched), serving)
            raise EngineRefused(error.message, hint="; ".join(trouble) or error.hint) from error

    def each(
        self, steps: Iterable[EngineStep], serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes]
    ) -> tuple[set[Key], dict[Key, GurneyError]]:
        """Carry out what can be, application by application: after a boot a taken port of one is no reason to leave the others dead.

        Gives the keys that were brought to what is wanted, and what refused the others (they are back where they were).
        """
        brought: set[Key] = set()
        refused: dict[Key, GurneyError] = {}
        for one in steps:
            if one.key in refused:
                continue
            try:
                self._carry(one, wanted)
                brought.add(one.key)
            except GurneyError as error:
                refused[one.key] = error
                brought.discard(one.key)
                self._return([one.key], serving)
        return brought, refused

    def _carry(self, one: EngineStep, wanted: Mapping[Key, bytes]) -> None:
        begun = time.monotonic()
        try:
            self._do(one, wanted)
        except GurneyError:
            self._journal.step(one.step, "refused", time.monotonic() - begun)
            raise
        self._journal.step(one.step, "confirmed", time.monotonic() - begun)

    def _do(self, one: EngineStep, wanted: Mapping[Key, bytes]) -> None:
        engine, step = self._engines[one.engine], one.step
        application = step.application
        self._progress(f"{application}: {step.detail}")
        match step.kind:
            case "start-application":
                engine.start(application, wanted[one.key], step.listeners)
            case "bind" | "unbind":
                engine.listen(application, step.listeners)
            case "load":
                engine.load(application, wanted[one.key])
            case "stop-application":
                engine.stop(application, STOP_SECONDS)
            case _:
                raise LocalError(f"no engine knows the step '{step.kind}'")

    def _return(self, keys: list[Key], serving: Mapping[Key, bytes]) -> list[str]:
        """Back to what served, last touched first. Twice where it must be: an address may be free only once another has gone back."""
        left = list(reversed(keys))
        trouble: dict[Key, str] = {}
        for _ in range(2):
            for application, name in list(left):
                engine = self._engines[name]
                good = serving.get((application, name))
                try:
                    engine.back(application, engine.published(application) if good == UNKNOWN else good)
                    left.remove((application, name))
                    trouble.pop((application, name), None)
                except GurneyError as error:
                    trouble[(application, name)] = f"going back failed too: {error.message}"
        return list(trouble.values())
