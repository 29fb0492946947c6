"""The one place where a plan reaches the engines: step by step, each confirmed, and all of it back when one of them refuses.

Either every engine serves what is wanted or every engine serves what it served before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from gurney.control.decide import UNKNOWN
from gurney.control.journal import Journal
from gurney.engines.engine import Engine
from gurney.errors import EngineRefused, GurneyError, LocalError
from gurney.plan.steps import Key, Step

STOP_SECONDS = 10.0  # architecture §3: unfinished objects get up to 10 s


class Carrier:
    """Brings engines from what they serve to what is wanted. `serving` and `wanted` are the caller's and never changed here."""

    def __init__(self, engines: Mapping[str, Engine], progress: Callable[[str], None], journal: Journal) -> None:
        self._engines = engines
        self._progress = progress
        self._journal = journal

    def all_or_nothing(self, steps: Iterable[Step], serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes]) -> None:
        """Carry out the steps in order. Raises `EngineRefused` after having gone back."""
        touched: dict[Key, None] = {}
        try:
            for step in steps:
                touched[step.key] = None
                self._carry(step, wanted)
        except GurneyError as error:
            self._progress(f"{error.message}; going back")
            trouble = self._return(list(touched), serving)
            raise EngineRefused(error.message, hint="; ".join(trouble) or error.hint) from error

    def each(
        self, steps: Iterable[Step], serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes]
    ) -> tuple[set[Key], dict[Key, GurneyError]]:
        """Carry out what can be, application by application: after a boot a taken port of one is no reason to leave the others dead.

        Gives the keys that were brought to what is wanted, and what refused the others (they are back where they were).
        """
        brought: set[Key] = set()
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
        try:
            self._do(step, wanted)
        except GurneyError:
            self._journal.step(step, "refused", time.monotonic() - begun)
            raise
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
