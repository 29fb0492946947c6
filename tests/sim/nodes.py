"""A node without a machine: addresses, processes and reloads as strict as the real ones, and engines that act on them.

What an engine is given is a name here; `contents` says what it stands for. Faults are asked for by number: the nth thing an engine is
asked to do fails, before it did anything or after it did everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gurney.engines.engine import Observed
from gurney.errors import EngineRefused
from gurney.plan.steps import Key, Listener, Process, overlap


@dataclass
class Kept:
    """A process that runs: what it serves, what it listens on, its sessions by service, how many of its sessions a reload left behind."""

    content: bytes
    bound: tuple[Listener, ...]
    sessions: dict[str, int]
    behind: int = 0
    processes: int = 1


class Refused(EngineRefused):
    """An engine refused because this test wanted it to."""


@dataclass
class Node:
    """What runs, and what ended by what was done. `contents`: what every content stands for."""

    contents: Mapping[bytes, Process]
    running: dict[Key, Kept] = field(default_factory=dict)
    ended: int = 0  # sessions
    asked: int = 0
    fail_at: int | None = None
    fail_after: bool = False

    def take(self, state: Mapping[Key, bytes]) -> Node:
        """Everything of `state` runs, with two sessions on each service."""
        for key, content in state.items():
            process = self.contents[content]
            self.running[key] = Kept(content, process.listeners, dict.fromkeys(services(process), 2))
        return self

    def free(self, key: Key, wanted: Sequence[Listener], *, own: bool) -> None:
        """Raises unless nobody listens there; `own`: what the process itself holds stands in the way too."""
        for one in wanted:
            for other, kept in self.running.items():
                if (own or other != key) and any(overlap(one, at) for at in kept.bound):
                    raise EngineRefused(f"{key}: cannot bind {one[0]}: {other} listens there")

    def serves(self, key: Key, service: str) -> bool:
        """True if a client gets through to the service now."""
        kept = self.running.get(key)
        if kept is None or service not in services(self.contents[kept.content]):
            return False
        return any(at in kept.bound for at in listens(self.contents[kept.content], service))

    def state(self) -> dict[Key, tuple[bytes, frozenset[Listener]]]:
        """What is served and listened on, by engine."""
        return {key: (kept.content, frozenset(kept.bound)) for key, kept in self.running.items()}

    def sessions(self) -> dict[Key, dict[str, int]]:
        """What is open, as a plan is told it."""
        return {key: dict(kept.sessions) for key, kept in self.running.items()}


def services(process: Process) -> tuple[str, ...]:
    """The services a process serves."""
    assert process.application is not None
    return (*process.application.services, *process.application.proxied)


def listens(process: Process, service: str) -> tuple[Listener, ...]:
    """Where one of them listens."""
    assert process.application is not None
    found = process.application.services.get(service) or process.application.proxied[service]
    return tuple((f"{one.host or '*'}:{one.port}", one.host, one.port) for one in found.listen)


class Simulated:
    """An engine of a `Node`. `by_load`: it binds and lets go by what it loads, as HAProxy does; else the guard does it."""

    def __init__(self, node: Node, name: str, *, by_load: bool) -> None:
        self.name = name
        self._node = node
        self._by_load = by_load

    def start(self, application: str, content: bytes, listeners: Sequence[Listener]) -> None:
        with _Deed(self._node):
            key = (application, self.name)
            assert key not in self._node.running, f"{key} runs already"
            self._node.free(key, listeners, own=True)
            process = self._node.contents[content]
            self._node.running[key] = Kept(content, tuple(listeners), dict.fromkeys(services(process), 2))

    def listen(self, application: str, listeners: Sequence[Listener]) -> None:
        with _Deed(self._node):
            kept = self._node.running[application, self.name]
            if self._by_load:  # it only knows the listeners of what it serves
                listeners = [one for one in self._node.contents[kept.content].listeners if one in listeners]
            new = [one for one in listeners if one not in kept.bound]
            self._node.free((application, self.name), new, own=not self._by_load)
            kept.bound = tuple(listeners)

    def load(self, application: str, content: bytes) -> None:
        with _Deed(self._node):
            self._load((application, self.name), content)

    def _load(self, key: Key, content: bytes) -> None:
        kept, process = self._node.running[key], self._node.contents[content]
        before = self._node.contents[kept.content]
        if self._by_load:
            self._node.free(key, [one for one in process.listeners if one not in kept.bound], own=False)
            if process.shape != before.shape or set(kept.bound) != set(process.listeners):
                self._leave_behind(kept)
            kept.bound = process.listeners
        else:
            gone = [name for name in kept.sessions if name not in services(process)]
            self._node.ended += sum(kept.sessions.pop(name) for name in gone)
        kept.content = content
        for name in services(process):
            kept.sessions.setdefault(name, 0)

    def _leave_behind(self, kept: Kept) -> None:
        kept.behind += sum(kept.sessions.values())
        kept.sessions = dict.fromkeys(kept.sessions, 0)
        kept.processes += 1

    def stop(self, application: str, within: float) -> None:
        with _Deed(self._node):
            self._stop((application, self.name))

    def _stop(self, key: Key) -> None:
        kept = self._node.running.pop(key, None)
        if kept is not None:
            self._node.ended += sum(kept.sessions.values()) + kept.behind

    def back(self, application: str, good: bytes | None) -> None:
        key = (application, self.name)
        if good is None:
            self._stop(key)
            return
        process = self._node.contents[good]
        kept = self._node.running.get(key)
        held = kept.bound if kept is not None else ()
        self._node.free(key, [one for one in process.listeners if one not in held], own=not self._by_load)
        if kept is None:
            self._node.running[key] = Kept(good, process.listeners, dict.fromkeys(services(process), 0))
            return
        kept.bound = process.listeners
        self._load(key, good)

    def published(self, application: str) -> bytes | None:
        kept = self._node.running.get((application, self.name))
        return kept.content if kept is not None else None

    def process(self, application: str) -> str:
        return f"{application}.{self.name}"

    def application(self, process: str) -> str | None:
        name, _, engine = process.rpartition(".")
        return name if engine == self.name else None

    def generation(self, content: bytes) -> str:
        return str(self._node.contents[content].generation)

    def check(self, application: str, content: bytes) -> None:
        pass

    def keep(self, application: str, content: bytes) -> None:
        pass

    def observe(self, application: str) -> Observed:
        return Observed(True, None, None)

    def explain(self, application: str, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        return {}


class _Deed:
    """One thing an engine is asked to do; it may fail by the node's wish."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __enter__(self) -> None:
        self._node.asked += 1
        if self._node.asked == self._node.fail_at and not self._node.fail_after:
            raise Refused("refused before anything was done")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._node.asked == self._node.fail_at and self._node.fail_after:
            raise Refused("refused after everything was done")
