"""A HAProxy without a process: an engine that binds, loads and answers as strictly as the real one, its files and its state in memory.

What it serves outlives a control process, as the guard's child does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gurney.compile import haproxy
from gurney.engines.engine import Listener, Observed
from gurney.errors import EngineRefused, NotRunning
from gurney.plan.steps import overlap


@dataclass
class Running:
    """One application's HAProxy: what it serves, what it listens on, how many processes it took and run-time changes it saw."""

    content: bytes
    listeners: tuple[Listener, ...]
    reloads: int = 0
    changes: int = 0
    old: int = 0  # processes of before that still carry sessions


@dataclass
class Machine:
    """What outlives control: the processes of every application. `refuse`: words of a complaint by application, with its document path."""

    running: dict[str, Running] = field(default_factory=dict)
    refuse: dict[str, tuple[str, str]] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    checked: bool = True
    down: dict[str, str] = field(default_factory=dict)  # "pool/member" -> why


class FakeProxy:
    """The engine. `steps` is what it was asked, in order."""

    name = "haproxy"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.steps: list[str] = []

    def process(self, application: str) -> str:
        return f"{application}.haproxy"

    def application(self, process: str) -> str | None:
        return process.removesuffix(".haproxy") if process.endswith(".haproxy") else None

    def generation(self, content: bytes) -> str:
        return haproxy.generation(content)

    def check(self, application: str, content: bytes) -> None:
        if application in self.machine.refuse:
            words, path = self.machine.refuse[application]
            raise EngineRefused(f"{application}: {words}", path=path)

    def start(self, application: str, content: bytes, listeners: Sequence[Listener]) -> None:
        self.steps.append(f"start {application}")
        self.check(application, content)
        self._free(application, listeners)
        self.machine.running[application] = Running(content, tuple(listeners))

    def listen(self, application: str, listeners: Sequence[Listener]) -> None:
        self.steps.append(f"listen {application}")
        there = self.machine.running[application]
        if not set(listeners) <= set(there.listeners):
            raise EngineRefused(f"{application}: HAProxy binds by its configuration")
        there.listeners = tuple(listeners)

    def load(self, application: str, content: bytes) -> None:
        self.steps.append(f"load {application}")
        self.check(application, content)
        there = self.machine.running[application]
        wanted = haproxy.TARGET.process(content)
        self._free(application, wanted.listeners)
        if wanted.shape == haproxy.TARGET.process(there.content).shape and set(there.listeners) == set(wanted.listeners):
            there.changes += 1
        else:
            there.reloads += 1
        there.content, there.listeners = content, wanted.listeners

    def back(self, application: str, good: bytes | None) -> None:
        self.steps.append(f"back {application}")
        if good is None:
            self.machine.running.pop(application, None)
            return
        listeners = haproxy.TARGET.process(good).listeners
        self._free(application, listeners)
        self.machine.running[application] = Running(good, listeners)

    def keep(self, application: str, content: bytes) -> None:
        self.steps.append(f"keep {application}")

    def stop(self, application: str, within: float) -> None:
        self.steps.append(f"stop {application}")
        self.machine.running.pop(application, None)

    def published(self, application: str) -> bytes | None:
        there = self.machine.running.get(application)
        return there.content if there is not None else None

    def observe(self, application: str) -> Observed:
        there = self.machine.running.get(application)
        if there is None:
            return Observed(False, None, None, "HAProxy does not answer")
        return Observed(True, haproxy.generation(there.content), self._status(there))

    def explain(self, application: str, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        if application not in self.machine.running:
            raise NotRunning("HAProxy does not answer")
        return {"service": service, "facts": dict(facts), "chosen": "web-1"}

    def _free(self, application: str, listeners: Sequence[Listener]) -> None:
        for one in listeners:
            held = [at for name, there in self.machine.running.items() if name != application for at in there.listeners]
            if one[2] in self.machine.taken or any(overlap(one, at) for at in held):
                raise EngineRefused(f"{application}: cannot bind {one[0]}: Address already in use")

    def _status(self, there: Running) -> dict[str, Any]:
        table = haproxy.load(there.content).table
        return {
            "checked": self.machine.checked,
            "services": {
                name: {"accepting": True, "sessions": 2, "sessions_total": 7, "requests_total": 5, "requests_per_second": 0.5}
                for name in table.services
            },
            "pools": {
                name: {
                    "balance": pool.balance,
                    "members": {
                        one: {
                            "operational": "down" if f"{name}/{one}" in self.machine.down else "up",
                            "why": self.machine.down.get(f"{name}/{one}", "L7OK 200 in 3 ms"),
                            "weight": member.weight,
                            "override": member.override,
                            "sessions": 1,
                            "cap": 200,
                            "queued": 0,
                            "requests_total": 5,
                            "failures_total": 0,
                        }
                        for one, member in pool.members.items()
                    },
                }
                for name, pool in table.pools.items()
            },
            "workers": {"current": 7, "old": [{"pid": 100 + at, "since": 1.0, "sessions": 3} for at in range(there.old)]},
            "conditions": [],
        }
