"""The one place for the order in which a change is carried out, and for what each step cuts.

Make before break: what is new is started and bound before anything is loaded, a table is loaded before listeners it no longer has are
closed, applications that go are stopped last. The one exception cannot be avoided: an address that someone else still listens on must be
let go before it can be bound again. That happens as late as possible, only for that address, and the step says so.

A `load` swaps the table between objects and cuts nothing but the sessions of services that are no longer there. Closing a listener cuts
nothing: what it accepted lives on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gurney.config.document import Application
from gurney.plan import shown
from gurney.plan.difference import Difference, differences

Listener = tuple[str, str, int]  # name, host ("" for every address), port
Sessions = Mapping[str, Mapping[str, int]]  # open associations by application and service


@dataclass(frozen=True, slots=True)
class Running:
    """One application's route process as it is. `generation` and `application` are None when nobody can tell what it serves."""

    application: Application | None
    generation: str | None
    listeners: tuple[Listener, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One application's route process as it is to be."""

    application: Application
    generation: str
    listeners: tuple[Listener, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """One engine's process of one application, as it is or as it is to be; what a plan needs to know of it.

    `application` holds the part of the document it serves (None, as `generation`, when nobody can tell). `shape` is what cannot change
    without a new process of the engine (a reload); None: it never needs one. `listeners_by_load`: its listeners come and go with the
    configuration it loads, nobody binds them for it.
    """

    application: Application | None
    generation: str | None
    listeners: tuple[Listener, ...]
    shape: str | None = None
    listeners_by_load: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `kind`: start-application · bind · load · unbind · stop-application.

    `detail` is for people. `listeners` is the whole set the process has after the step, `generation` what it serves then. `cuts`: how
    many sessions end by it. `changes`: what a load changes in the document.
    """

    kind: str
    application: str
    detail: str
    listeners: tuple[Listener, ...]
    generation: str | None
    cuts: int = 0
    changes: tuple[Difference, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """JSON-ready; `text` holds the detail and, a line each, the changes."""
        return {
            "kind": self.kind,
            "application": self.application,
            "text": "\n".join((f"{self.application}: {self.detail}", *(f"     {change}" for change in self.changes))),
            "cuts": self.cuts,
            "generation": self.generation,
            "changes": [{"path": change.path, "text": change.text} for change in self.changes],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order; none when what runs is what is wanted."""

    steps: tuple[Step, ...] = ()
    changes: tuple[Difference, ...] = field(default=())

    @property
    def cuts(self) -> int:
        """How many sessions all steps end."""
        return sum(step.cuts for step in self.steps)


def plan(running: Mapping[str, Running], wanted: Mapping[str, Wanted], sessions: Sessions | None = None) -> Plan:
    """The steps from `running` to `wanted`, by application; `sessions` says what is open now (not given: nothing is)."""
    steps = tuple(_Planner(running, wanted, sessions or {}).steps())
    names = dict.fromkeys((*wanted, *running))
    changes = tuple(change for name in names for change in _changes(running.get(name), wanted.get(name)))
    return Plan(steps, changes if steps else ())


def overlap(one: Listener, other: Listener) -> bool:
    """True if both cannot be listened on at once: one port, and one address or one of them every address."""
    return one[2] == other[2] and (one[1] == other[1] or "" in (one[1], other[1]))


def _changes(before: Running | None, after: Wanted | None) -> tuple[Difference, ...]:
    if before is not None and before.application is None:
        return ()  # nobody can tell what it serves, so nobody can tell what changes
    return differences(before.application if before else None, after.application if after else None)


class _Planner:
    """The work of one `plan`; it keeps what each process listens on so far."""

    def __init__(self, running: Mapping[str, Running], wanted: Mapping[str, Wanted], sessions: Sessions) -> None:
        self._running = running
        self._wanted = wanted
        self._sessions = sessions
        self._bound = {name: process.listeners for name, process in running.items()}
        self._loaded: set[str] = set()
        self._freed = False  # whether addresses that stood in the way were let go
        self._blocked = {name for name in wanted if any(map(self._taken, self._missing(name)))}

    def steps(self) -> Iterator[Step]:
        """All of them, in order."""
        free = [name for name in self._wanted if name not in self._blocked]
        yield from (self._start(name) for name in free if name not in self._running)
        kept = [name for name in free if name in self._running]
        for name in kept:
            yield from self._bind(name)
        for name in kept:
            yield from self._load(name)
        for name in self._wanted:  # what does not wait for an address of its own may be bound beforehand
            if name in self._blocked and name in self._running:
                yield from self._bind(name)
        yield from self._let_go()
        self._freed = True
        for name in self._wanted:
            if name in self._blocked:
                yield from self._take_over(name)
        for name in self._wanted:
            yield from self._unbind(name)
        for name in list(self._bound):
            if name not in self._wanted:
                yield self._stop(name)

    def _missing(self, name: str) -> tuple[Listener, ...]:
        held = {listener[0] for listener in self._bound.get(name, ())}
        return tuple(listener for listener in self._wanted[name].listeners if listener[0] not in held)

    def _taken(self, listener: Listener) -> bool:
        """True if somebody listens where `listener` is to be bound."""
        return any(overlap(listener, held) for bound in self._bound.values() for held in bound)

    def _start(self, name: str) -> Step:
        wanted = self._wanted[name]
        self._bound[name] = wanted.listeners
        self._loaded.add(name)
        detail = f"start a route process listening on {_names(wanted.listeners)}"
        return Step("start-application", name, detail, wanted.listeners, wanted.generation, changes=differences(None, wanted.application))

    def _bind(self, name: str) -> Iterator[Step]:
        new = self._missing(name)
        if name in self._blocked and not self._freed:
            new = tuple(listener for listener in new if not self._taken(listener))
        if new:
            self._bound[name] = (*self._bound[name], *new)
            yield Step("bind", name, f"listen on {_names(new)}", self._bound[name], self._running[name].generation)

    def _load(self, name: str) -> Iterator[Step]:
        before, after = self._running[name], self._wanted[name]
        if before.generation == after.generation:
            return
        self._loaded.add(name)
        gone = [] if before.application is None else [at for at in before.application.services if at not in after.application.services]
        cuts = sum(self._sessions.get(name, {}).get(service, 0) for service in gone)
        changes = _changes(before, after)
        detail = "load the new route table between objects" if changes else "load the route table again"
        if cuts:
            detail += f"; {shown.count(cuts, 'session')} of {shown.names(gone)} end"
        yield Step("load", name, detail, self._bound[name], after.generation, cuts, changes)

    def _let_go(self) -> Iterator[Step]:
        """Close what stands where something is to be bound."""
        needed = [listener for name in self._wanted if name in self._blocked for listener in self._missing(name)]
        for name, bound in list(self._bound.items()):
            out = tuple(held for held in bound if any(overlap(held, listener) for listener in needed) and not self._wants(name, held))
            if not out:
                continue
            if name not in self._wanted:
                yield self._stop(name)
                continue
            self._bound[name] = tuple(held for held in bound if held not in out)
            detail = f"stop listening on {_names(out)}: it is bound anew in a moment"
            yield Step("unbind", name, detail, self._bound[name], self._serves(name))

    def _take_over(self, name: str) -> Iterator[Step]:
        if name not in self._running:
            yield self._start(name)
            return
        yield from self._bind(name)
        yield from self._load(name)

    def _unbind(self, name: str) -> Iterator[Step]:
        out = tuple(held for held in self._bound[name] if not self._wants(name, held))
        if out:
            self._bound[name] = tuple(held for held in self._bound[name] if held not in out)
            yield Step("unbind", name, f"stop listening on {_names(out)}", self._bound[name], self._serves(name))

    def _stop(self, name: str) -> Step:
        del self._bound[name]
        cuts = sum(self._sessions.get(name, {}).values())
        detail = "stop the route process"
        if cuts:
            detail += f"; {shown.count(cuts, 'session')} end"
        there = self._running[name].application
        return Step("stop-application", name, detail, (), None, cuts, differences(there, None))

    def _wants(self, name: str, held: Listener) -> bool:
        return name in self._wanted and any(listener[0] == held[0] for listener in self._wanted[name].listeners)

    def _serves(self, name: str) -> str | None:
        return self._wanted[name].generation if name in self._loaded or name not in self._running else self._running[name].generation


def _names(listeners: tuple[Listener, ...]) -> str:
    return shown.names([listener[0] for listener in listeners])
