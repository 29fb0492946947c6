"""The one place for what runs beside what is published: only when everything is equal does HAProxy serve a generation.

What needs a reload HAProxy names itself (`description` is the shape); members are compared at every look (`show info` and `show stat`, one
connection); maps and certificates when a worker or their content is new, and after that a few at a look, so that each comes up in turn.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gurney.compile.haproxy.bundle import Bundle
from gurney.engines.engine import Observed
from gurney.engines.haproxy import certificates, changes, conditions, maps, servers, status
from gurney.engines.haproxy.master import Master, Workers
from gurney.engines.haproxy.running import Running
from gurney.engines.haproxy.runtime import Runtime
from gurney.errors import GurneyError

A_LOOK = 4  # maps and certificates compared again at each look
SHOWN = 5  # differences that a reason names

Candidate = tuple[str, Bundle]  # generation and bundle


def differences(folder: Path, wanted: Bundle) -> tuple[str, ...]:
    """What runs otherwise than `wanted`, published in `folder`, in words; () when all is equal. Raises `NotRunning`, `EngineRefused`."""
    runtime = Runtime(folder)
    running = runtime.look()
    return (*_members(running, wanted), *_files(runtime, folder, wanted, _names(wanted)))


class Observer:
    """Looks at the HAProxy of one application again and again; keeps what was compared already and the counters of workers before.

    One look at a time: whoever else asks waits for it.
    """

    def __init__(self, clock: Callable[[], float] = time.time, ticks: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock  # seconds since the epoch
        self._ticks = ticks  # seconds, monotonic
        self._flows = status.Flows()
        self._one = threading.Lock()
        self._totals = status.Totals()
        self._operational: dict[str, str] = {}
        self._worker: tuple[str, str] | None = None
        self._kinds: Mapping[str, str] = {}  # of this worker's maps and lists
        self._alike: dict[str, str] = {}  # map or certificate → content it was found to hold
        self._turn: list[str] = []
        self._held: dict[tuple[str, str], tuple[str, float]] = {}  # condition and object → reason, since

    def observe(self, folder: Path, candidates: Sequence[Candidate], reaps: Callable[[], bool] = lambda: True) -> Observed:
        """What it serves and how it is; never raises. `candidates`: the published bundle first, then others whose files are kept.

        `reaps`: whether members that left are taken away now; not while a change is under way, which may want them back.
        """
        with self._one:
            try:
                return self._look(folder, candidates, reaps)
            except GurneyError as error:
                return Observed(False, None, None, error.message)

    def _look(self, folder: Path, candidates: Sequence[Candidate], reaps: Callable[[], bool]) -> Observed:
        runtime = Runtime(folder)
        running = runtime.look()
        workers = _workers(Master(folder))
        generation, why = self._generation(runtime, folder, running, candidates, reaps)
        told: dict[str, Any] = {"generation": generation, "workers": workers}
        if candidates:
            shown = next((bundle for key, bundle in candidates if key == generation), candidates[0][1])
            told |= status.status(shown, running, self._totals, self._operational)
            self._operational.update(status.operational(told))
            for name, rate in self._flows.of(told["services"], self._ticks()):
                told["services"][name]["bytes_per_second"] = rate
            told["conditions"] = self._conditions(conditions.conditions(shown, told, root=conditions.runs_as_root(workers["current"])))
        return Observed(True, generation, told, why)

    def _conditions(self, found: Iterable[conditions.Found]) -> list[dict[str, Any]]:
        now, before, self._held = self._clock(), self._held, {}
        for code, object_, reason in found:
            self._held[code, object_] = (reason, before[code, object_][1] if (code, object_) in before else now)
        return [{"code": code, "object": name, "reason": reason, "since": since} for (code, name), (reason, since) in self._held.items()]

    def _generation(
        self, runtime: Runtime, folder: Path, running: Running, candidates: Sequence[Candidate], reaps: Callable[[], bool]
    ) -> tuple[str | None, str]:
        why = "nothing is published"
        for number, (generation, bundle) in enumerate(candidates):
            found = _members(running, bundle)
            if not found and number == 0 and reaps():
                changes.reap(runtime, running, bundle)
            if not found:
                found = self._unlike(runtime, folder, running, candidates[0], bundle)
            if not found:
                return generation, ""
            if number == 0:
                why = _in_words(found)
        return None, why

    def _unlike(self, runtime: Runtime, folder: Path, running: Running, published: Candidate, bundle: Bundle) -> tuple[str, ...]:
        """Maps and certificates. Another bundle than the published one is compared whole: that is rare, while a change is under way."""
        if bundle is not published[1]:
            if bundle.materials != published[1].materials:
                return ("its certificates are other ones",)
            return _files(runtime, folder, bundle, bundle.maps)
        if running.worker != self._worker:
            self._worker, self._alike, self._kinds = running.worker, {}, maps.kinds(runtime)
        content = {name: bundle.files[name] for name in bundle.maps} | {name: bundle.materials[name] for name in bundle.swappable}
        fresh = [name for name, text in content.items() if self._alike.get(name) != text]
        if not self._turn:
            self._turn = list(content)
        now = dict.fromkeys((*fresh, *(name for name in self._turn[:A_LOOK] if name in content)))
        self._turn = self._turn[A_LOOK:]
        wrong = _unequal(runtime, folder, bundle, list(now), self._kinds)
        self._alike = {name: text for name, text in content.items() if name not in wrong}
        return tuple(_file_words(name) for name in wrong)


def _members(running: Running, bundle: Bundle) -> tuple[str, ...]:
    if running.shape != bundle.shape:
        return (f"HAProxy serves shape {running.shape[:12] or 'without a name'}, published is {bundle.shape[:12]}",)
    closed = [one.listener for one in bundle.frontends if one.name not in running.frontends or running.frontends[one.name].status != "OPEN"]
    words = [f"nobody listens on {listener}" for listener in closed]
    return tuple(dict.fromkeys((*words, *(one.text for one in servers.differences(running, bundle) if one.text))))


def _names(bundle: Bundle) -> tuple[str, ...]:
    return (*bundle.maps, *bundle.swappable)


def _files(runtime: Runtime, folder: Path, bundle: Bundle, names: Sequence[str]) -> tuple[str, ...]:
    kinds = maps.kinds(runtime) if bundle.maps else {}
    return tuple(_file_words(name) for name in _unequal(runtime, folder, bundle, names, kinds))


def _unequal(runtime: Runtime, folder: Path, bundle: Bundle, names: Sequence[str], kinds: Mapping[str, str]) -> tuple[str, ...]:
    changing = frozenset(bundle.maps)
    found = tuple(maps.differing(runtime, [name for name in names if name in changing], bundle.files, kinds))
    return found + certificates.differing(runtime, folder, [name for name in names if name not in changing])


def _file_words(name: str) -> str:
    return f"HAProxy holds another {name} than the file"


def _in_words(found: Sequence[str]) -> str:
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def _workers(master: Master) -> dict[str, Any]:
    found: Workers = master.workers()
    return {
        "master": found.master,
        "current": found.current.pid if found.current is not None else None,
        "old": [{"pid": one.pid, "since": one.since, "sessions": master.connections(one.pid)} for one in found.old],
    }
