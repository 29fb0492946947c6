"""The one place for the pure half of a change: overrides → compile → plan. It touches nothing and can be thrown away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gurney.compile import targets
from gurney.compile.target import Ground, Machine
from gurney.config.document import Application, Document, Listen, Pool
from gurney.config.overrides import Override, lay
from gurney.config.proxied import Material, ProxyPool
from gurney.control import node as nodes
from gurney.control.draft import Draft
from gurney.errors import GurneyError
from gurney.plan.order import plan
from gurney.plan.steps import Key, Listener, Process, Sessions, Step

Held = Mapping[Key, tuple[Listener, ...]]
UNKNOWN = b""  # content of an engine that runs while nobody can tell what it serves


@dataclass(frozen=True, slots=True)
class Decision:
    """What is wanted, and the way from what serves to it.

    `draft` is the document as it stands, `document` the same with the overrides laid over it, `wanted` each engine's whole configuration,
    `processes` what that makes of each engine.
    """

    draft: Draft
    document: Document
    node: str | None
    wanted: Mapping[Key, bytes]
    processes: Mapping[Key, Process]
    steps: tuple[Step, ...]

    def steps_as_json(self) -> list[dict[str, Any]]:
        """The steps in order: `text` for a person, `cuts` sessions."""
        return [step.as_json() for step in self.steps]

    def carrier(self, application: str, service: str) -> str | None:
        """The engine that carries this service; None when no engine does."""
        for (owner, engine), process in self.processes.items():
            if owner == application and process.application is not None and service in services_of(process.application):
                return engine
        return None


def services_of(application: Application) -> tuple[str, ...]:
    """The names of all its services, whoever carries them."""
    return (*application.services, *application.proxied)


def listens_of(application: Application) -> Iterator[tuple[str, Listen]]:
    """(document path, address) of everything it listens on, whoever carries it."""
    for service in application.services.values():
        yield from ((f"{service.path}.listen", listen) for listen in service.listen)
    for proxied in application.proxied.values():
        yield from ((f"{proxied.path}.listen", listen) for listen in proxied.listen)


def pools_of(application: Application) -> tuple[Pool | ProxyPool, ...]:
    """All its pools, whoever carries them."""
    return (*application.pools.values(), *application.proxied_pools.values())


def decide(
    draft: Draft,
    overrides: Iterable[Override],
    serving: Mapping[Key, bytes],
    *,
    node: str | None = None,
    hostname: str = "",
    sessions: Sessions | None = None,
    held: Held | None = None,
    machine: Callable[[str], Machine] = lambda application: Machine(),
    before: Decision | None = None,
) -> Decision:
    """From a sound document to a decision; `machine` tells what an application's engines may have, `before` saves reading anew what it
    knows. Raises `InputRefused` for the node.
    """
    chosen = nodes.choose(draft.document, node, hostname)
    document = lay(draft.document, overrides)
    wanted = compiled(document, draft.files, machine)
    known = Known(before)
    found = {key: known.process(key, content) for key, content in wanted.items()}
    return Decision(draft, document, chosen, wanted, found, _steps(serving, found, known, sessions, held))


def compiled(document: Document, files: Mapping[str, Material], machine: Callable[[str], Machine]) -> dict[Key, bytes]:
    """What each engine that an application needs is to be given."""
    wanted: dict[Key, bytes] = {}
    for application in document.applications:
        ground = Ground(machine(application), files)
        for target in targets():
            content = target.compile(document, application, ground)
            if content is not None:
                wanted[application, target.name] = content
    return wanted


def granted(processes: Mapping[Key, Process]) -> list[dict[str, str]]:
    """Which limits each engine was granted and why, in words."""
    return [
        {"application": application, "engine": engine, "text": text}
        for (application, engine), process in processes.items()
        for text in process.granted
    ]


def mending(serving: Mapping[Key, bytes], decision: Decision, held: Held) -> tuple[Step, ...]:
    """The ordered steps from what serves to what was decided; none where they are the same.

    `held` says of engines what they listen on where that is not what they serve: a change was cut short.
    """
    return _steps(serving, decision.processes, Known(decision), None, held)


def _steps(
    serving: Mapping[Key, bytes], goal: Mapping[Key, Process], known: Known, sessions: Sessions | None, held: Held | None
) -> tuple[Step, ...]:
    there = {key: _running(key, content, goal.get(key), known) for key, content in serving.items()}
    for key, listeners in (held or {}).items():
        if key in there:
            there[key] = replace(there[key], listeners=listeners)
    return plan(there, goal, sessions).steps


class Known:
    """Processes by what they serve, so that a large configuration is read once."""

    def __init__(self, before: Decision | None = None) -> None:
        self._found: dict[tuple[str, bytes], Process] = {}
        for key, content in (before.wanted if before is not None else {}).items():
            assert before is not None
            self._found[key[1], content] = before.processes[key]

    def process(self, key: Key, content: bytes) -> Process:
        """As `process_of`."""
        at = (key[1], content)
        if at not in self._found:
            self._found[at] = process_of(key, content)
        return self._found[at]


def held(serving: Mapping[Key, bytes], names: Mapping[Key, Sequence[str]]) -> Held:
    """What engines listen on by the names their guard has for it, where somebody binds for them."""
    found: dict[Key, tuple[Listener, ...]] = {}
    for key, listeners in names.items():
        if listeners and not _running(key, serving.get(key, UNKNOWN), None, Known()).listeners_by_load:
            found[key] = tuple(_listener(name) for name in listeners)
    return found


def _listener(name: str) -> Listener:
    """A listener by its name: `*:104`, `10.0.0.2:104`, `[2001:db8::2]:104`."""
    host, _, port = name.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    return name, "" if host == "*" else host, int(port)


def process_of(key: Key, content: bytes) -> Process:
    """What a plan knows of an engine that serves `content`. Raises `InputRefused` when it was written by another version."""
    return next(target for target in targets() if target.name == key[1]).process(content)


def _running(key: Key, content: bytes, wanted: Process | None, known: Known) -> Process:
    """An engine as it is; one that serves what nobody can tell, or what another version wrote, is loaded again, whatever it is."""
    try:
        if content != UNKNOWN:
            return known.process(key, content)
    except GurneyError:
        pass
    alike = wanted or Process(None, None, (), program=key[1])
    return replace(alike, application=None, generation=None, listeners=())
