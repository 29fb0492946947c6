"""The one place where a decision reaches the engines: in order, each confirmed, and all of it back when one of them refuses.

Either every engine serves what is wanted or every engine serves what it served before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gurney.engines.engine import Engine
from gurney.errors import EngineRefused, GurneyError

Key = tuple[str, str]  # application, engine
UNKNOWN = b""  # it runs, and nobody can tell what it serves
STOP_SECONDS = 10.0  # architecture §3: unfinished objects get up to 10 s


@dataclass(frozen=True, slots=True)
class Moved:
    """What one engine was brought to: `content` None means that it was stopped."""

    key: Key
    content: bytes | None


class Carrier:
    """Brings engines from what they serve to what is wanted. `serving` is kept by its owner and never changed here."""

    def __init__(self, engines: Mapping[str, Engine], progress: Callable[[str], None]) -> None:
        self._engines = engines
        self._progress = progress

    def all_or_nothing(self, serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes], order: Iterable[Key]) -> list[Moved]:
        """Carry out every difference in `order`, what is no longer wanted last. Raises `EngineRefused` after having gone back."""
        moved: list[Moved] = []
        try:
            for key in _differences(serving, wanted, order):
                moved.append(Moved(key, wanted.get(key)))
                self._move(key, serving.get(key), wanted.get(key))
        except GurneyError as error:
            trouble = self._return(serving, moved)
            hint = "; ".join(trouble) if trouble else error.hint
            raise EngineRefused(error.message, hint=hint) from error
        return moved

    def each(
        self, serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes], order: Iterable[Key]
    ) -> tuple[list[Moved], dict[Key, GurneyError]]:
        """Carry out what can be, application by application: after a boot a taken port of one is no reason to leave the others dead."""
        moved: list[Moved] = []
        refused: dict[Key, GurneyError] = {}
        for key in _differences(serving, wanted, order):
            try:
                self._move(key, serving.get(key), wanted.get(key))
                moved.append(Moved(key, wanted.get(key)))
            except GurneyError as error:
                refused[key] = error
        return moved, refused

    def _move(self, key: Key, before: bytes | None, after: bytes | None) -> None:
        application, name = key
        engine = self._engines[name]
        if before == UNKNOWN:
            before = engine.published(application)
        if after is None:
            self._progress(f"{application}: stopping {name}")
            engine.stop(application, STOP_SECONDS)
        else:
            self._progress(f"{application}: {'loading' if before is not None else 'starting'} {name} {engine.generation(after)[:12]}")
            engine.serve(application, after, before)

    def _return(self, serving: Mapping[Key, bytes], moved: list[Moved]) -> list[str]:
        """Back to what served, last first. The one that refused has gone back by itself; a stopped one is started again."""
        trouble = []
        if moved and moved[-1].content is not None:
            moved.pop()
        for one in reversed(moved):
            try:
                self._engines[one.key[1]].back(one.key[0], serving.get(one.key))
            except GurneyError as error:
                trouble.append(f"{one.key[0]} could not go back: {error.message}")
        return trouble


def _differences(serving: Mapping[Key, bytes], wanted: Mapping[Key, bytes], order: Iterable[Key]) -> list[Key]:
    ordered = [*order, *wanted, *serving]
    keys = [key for key in dict.fromkeys(ordered) if serving.get(key) != wanted.get(key)]
    return [key for key in keys if key in wanted] + [key for key in keys if key not in wanted]
