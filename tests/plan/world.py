"""A node that carries out steps: it binds, loads and stops as strictly as the real one, and can be cut after any step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gurney.config.document import Application, Listen
from gurney.plan import steps
from gurney.plan.steps import Key, Listener, Step, overlap

ROUTE = "route"


def listener(listen: Listen) -> Listener:
    return f"{listen.host or '*'}:{listen.port}", listen.host, listen.port


def listeners(application: Application) -> tuple[Listener, ...]:
    return tuple(sorted({listener(listen) for service in application.services.values() for listen in service.listen}))


@dataclass
class Process:
    """One route process: what it listens on and the application it serves."""

    bound: tuple[Listener, ...]
    application: Application


class World:
    """`known`: every application by its generation, as their files would be."""

    def __init__(self, applications: Mapping[str, Application], known: Mapping[str, Application], generations: Mapping[str, str]) -> None:
        self.processes = {name: Process(listeners(one), one) for name, one in applications.items()}
        self._known = known
        self._generations = {name: generation for name, generation in generations.items() if name in applications}

    def running(self) -> dict[Key, steps.Process]:
        return {(name, ROUTE): steps.Process(one.application, self._generations[name], one.bound) for name, one in self.processes.items()}

    def serves(self, application: str, service: str) -> bool:
        """True if a sender can get through to the service now."""
        process = self.processes.get(application)
        if process is None or service not in process.application.services:
            return False
        return any(listener(listen) in process.bound for listen in process.application.services[service].listen)

    def carry_out(self, step: Step) -> None:
        name = step.application
        match step.kind:
            case "start-application":
                assert name not in self.processes
                self._must_be_free(name, step.listeners)
                assert step.generation is not None
                self.processes[name] = Process(step.listeners, self._known[step.generation])
                self._generations[name] = step.generation
            case "bind":
                self._must_be_free(name, tuple(one for one in step.listeners if one not in self.processes[name].bound))
                assert set(self.processes[name].bound) < set(step.listeners)
                self.processes[name].bound = step.listeners
            case "load":
                assert step.generation is not None and step.listeners == self.processes[name].bound
                self.processes[name].application = self._known[step.generation]
                self._generations[name] = step.generation
            case "unbind":
                assert set(step.listeners) < set(self.processes[name].bound)
                self.processes[name].bound = step.listeners
            case "stop-application":
                del self.processes[name]
            case other:
                raise AssertionError(other)

    def _must_be_free(self, name: str, wanted: tuple[Listener, ...]) -> None:
        for one in wanted:
            for owner, process in self.processes.items():
                assert not any(overlap(one, held) for held in process.bound), f"{name} cannot bind {one[0]}: {owner} has it"

    def is_as(self, wanted: Mapping[Key, steps.Process]) -> bool:
        return {(name, ROUTE): (process.application, set(process.bound)) for name, process in self.processes.items()} == {
            key: (one.application, set(one.listeners)) for key, one in wanted.items()
        }
