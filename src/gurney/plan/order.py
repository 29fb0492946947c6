"""The one place for the order in which a change is carried out.

Make before break, across engines and applications: what is new is started and bound before anything is loaded, a configuration is loaded
before listeners it no longer has are closed, what goes is stopped last. An engine whose listeners come and go with its configuration
(`Process.listeners_by_load`) binds and lets go in one `load`.

The one exception cannot be avoided: an address that someone else still listens on must be let go before it can be bound again. That
happens as late as possible, only for that address, the next step takes it over, and the step that lets go says so (`Step.gap`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gurney.plan import wording
from gurney.plan.compare import Difference
from gurney.plan.steps import Key, Listener, Plan, Process, Sessions, Step, changed, overlap


def plan(running: Mapping[Key, Process], wanted: Mapping[Key, Process], sessions: Sessions | None = None) -> Plan:
    """The steps from `running` to `wanted`; `sessions` says what is open now (not given: nothing is)."""
    steps = tuple(_Order(running, wanted, sessions or {}).steps())
    keys = dict.fromkeys((*wanted, *running))
    changes = tuple(change for key in keys for change in changed(running.get(key), wanted.get(key)))
    return Plan(steps, changes if steps else ())


class _Order:
    """The work of one `plan`; it keeps what each process listens on so far."""

    def __init__(self, running: Mapping[Key, Process], wanted: Mapping[Key, Process], sessions: Sessions) -> None:
        self._running = running
        self._wanted = wanted
        self._sessions = sessions
        self._bound: dict[Key, tuple[Listener, ...]] = {key: process.listeners for key, process in running.items()}
        self._left = {key: None for key in wanted if self._needs_work(key)}  # what is neither started nor loaded yet

    def steps(self) -> Iterator[Step]:
        """All of them, in order."""
        yield from self._forward()
        while self._left:
            key = self._next()
            yield from self._make_room(key)
            yield from self._advance(key)
            yield from self._forward()
        for key in self._wanted:
            yield from self._unbind(key)
        for key in list(self._bound):
            if key not in self._wanted:
                yield self._stop(key)

    # -- going forward ----------------------------------------------------------------------------------------------------------

    def _forward(self) -> Iterator[Step]:
        """Everything nothing stands in the way of: what is new first, then listeners, then configurations."""
        while True:
            before = len(self._left)
            for key in list(self._left):
                if key not in self._bound and not self._obstacles(key):
                    yield self._start(key)
            for key in list(self._left):
                yield from self._bind(key)
            for key in list(self._left):
                if key in self._bound and not self._obstacles(key) and not self._gives(key):
                    yield from self._load(key)
            if len(self._left) == before:
                return

    def _advance(self, key: Key) -> Iterator[Step]:
        """One of them, for which room was made."""
        if key not in self._bound:
            yield self._start(key)
            return
        yield from self._bind(key)
        yield from self._load(key)

    def _start(self, key: Key) -> Step:
        wanted = self._wanted[key]
        self._bound[key] = wanted.listeners
        del self._left[key]
        return self._step("start-application", key, wording.start(wanted), wanted.generation, changes=changed(None, wanted))

    def _bind(self, key: Key) -> Iterator[Step]:
        """What a process that is there is to listen on and may; one that binds by its configuration does that in `_load`."""
        if key not in self._bound or self._by_load(key):
            return
        new = tuple(listener for listener in self._missing(key) if not self._holders(listener))
        if new:
            self._bound[key] = (*self._bound[key], *new)
            yield self._step("bind", key, wording.bind(new), self._running[key].generation)

    def _load(self, key: Key) -> Iterator[Step]:
        before, after = self._running[key], self._wanted[key]
        del self._left[key]
        if before.generation == after.generation and not self._by_load(key):
            return  # it was only about listeners
        gap = self._gap(key, self._given(key))
        if self._by_load(key):
            self._bound[key] = after.listeners
        said = wording.load(before, after, self._sessions.get(key, {}))
        yield self._step("load", key, said.text, after.generation, cuts=said.cuts, changes=changed(before, after), gap=gap)

    # -- making room ------------------------------------------------------------------------------------------------------------

    def _next(self) -> Key:
        """The one room is made for first: one whose way is only barred by what is done with the address anyway, if there is one."""
        for key in self._left:
            if all(self._done_with(holder, key) for holder, _ in self._obstacles(key)):
                return key
        return next(iter(self._left))

    def _done_with(self, holder: Key, key: Key) -> bool:
        """True if `holder` loses nothing of what it is to serve when it lets go now."""
        if holder == key:
            return False
        if holder not in self._left:
            return True  # it goes, or has loaded what no longer listens there
        return self._by_load(holder) and not self._obstacles(holder)

    def _make_room(self, key: Key) -> Iterator[Step]:
        """Whoever listens where `key` is to, lets go."""
        for holder in dict.fromkeys(holder for holder, _ in self._obstacles(key)):
            held = tuple(dict.fromkeys(listener for other, listener in self._obstacles(key) if other == holder))
            if not held:
                continue  # what was done for the holder before freed it
            if holder not in self._wanted:
                yield self._stop(holder, self._gap(holder, held))
            elif holder in self._left and self._by_load(holder) and not self._obstacles(holder):
                yield from self._load(holder)
            else:
                yield self._let_go(holder, held)

    def _let_go(self, key: Key, held: tuple[Listener, ...]) -> Step:
        gap = self._gap(key, held)
        self._bound[key] = tuple(listener for listener in self._bound[key] if listener not in held)
        return self._step("unbind", key, wording.unbind(held), self._serves(key), gap=gap)

    def _gap(self, key: Key, held: Iterable[Listener]) -> tuple[str, ...]:
        """The names of those of `held` that something still waits for; `key` itself may, under another name."""
        waiting = [listener for other in self._left for listener in self._missing(other) if other != key or not self._by_load(key)]
        return tuple(listener[0] for listener in held if any(overlap(listener, wanted) for wanted in waiting))

    def _given(self, key: Key) -> tuple[Listener, ...]:
        """What a load lets go."""
        if not self._by_load(key):
            return ()
        kept = {listener[0] for listener in self._wanted[key].listeners}
        return tuple(listener for listener in self._bound[key] if listener[0] not in kept)

    def _gives(self, key: Key) -> bool:
        """True if its load lets go of what another waits for: it comes right before that one, not earlier."""
        return bool(self._gap(key, self._given(key)))

    # -- the end ----------------------------------------------------------------------------------------------------------------

    def _unbind(self, key: Key) -> Iterator[Step]:
        wanted = {listener[0] for listener in self._wanted[key].listeners}
        out = tuple(held for held in self._bound[key] if held[0] not in wanted)
        if out:
            self._bound[key] = tuple(held for held in self._bound[key] if held not in out)
            yield self._step("unbind", key, wording.unbind(out), self._serves(key))

    def _stop(self, key: Key, gap: tuple[str, ...] = ()) -> Step:
        there = self._running[key]
        del self._bound[key]
        said = wording.stop(there, self._sessions.get(key, {}))
        return self._step("stop-application", key, said.text, None, cuts=said.cuts, changes=changed(there, None), gap=gap)

    # -- what stands ------------------------------------------------------------------------------------------------------------

    def _needs_work(self, key: Key) -> bool:
        if key not in self._running or self._running[key].generation != self._wanted[key].generation:
            return True
        return bool(self._missing(key))

    def _by_load(self, key: Key) -> bool:
        return (self._wanted.get(key) or self._running[key]).listeners_by_load

    def _missing(self, key: Key) -> tuple[Listener, ...]:
        held = {listener[0] for listener in self._bound.get(key, ())}
        return tuple(listener for listener in self._wanted[key].listeners if listener[0] not in held)

    def _obstacles(self, key: Key) -> list[tuple[Key, Listener]]:
        """Who listens, on what, where `key` is to listen.

        What it holds itself is none where its load hands that over; what its holder is to keep is none either (nobody will let go of it:
        the node refuses such a plan, and the reader such a document).
        """
        own = key if self._by_load(key) else None
        return [found for listener in self._missing(key) for found in self._holders(listener) if found[0] != own]

    def _holders(self, listener: Listener) -> list[tuple[Key, Listener]]:
        return [
            (key, held) for key, bound in self._bound.items() for held in bound if overlap(listener, held) and not self._keeps(key, held)
        ]

    def _keeps(self, key: Key, held: Listener) -> bool:
        return key in self._wanted and any(listener[0] == held[0] for listener in self._wanted[key].listeners)

    def _serves(self, key: Key) -> str | None:
        return self._running[key].generation if key in self._left and key in self._running else self._wanted[key].generation

    def _step(
        self,
        kind: str,
        key: Key,
        detail: str,
        generation: str | None,
        *,
        cuts: int = 0,
        changes: tuple[Difference, ...] = (),
        gap: tuple[str, ...] = (),
    ) -> Step:
        text = detail + (wording.gap(gap) if gap else "")
        return Step(kind, *key, text, self._bound.get(key, ()), generation, cuts, changes, gap)
