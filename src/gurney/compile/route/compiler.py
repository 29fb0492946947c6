"""The one place for compiling an application into its route process's table: route.json, its generation and its listeners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gurney.balance import table
from gurney.balance.table import Table
from gurney.compile.route.paths import of_table
from gurney.config.addresses import spell_target
from gurney.config.document import Application, Document, Listen
from gurney.config.materials import of_route
from gurney.config.proxied import Material
from gurney.errors import LocalError, NotFound


@dataclass(frozen=True, slots=True)
class Compiled:
    """What one application's route process is given.

    `listeners` are (name, host, port), each once, in order of name; `paths` maps each table path (`pools.archive.members[0].weight`)
    to the document path it comes from.
    """

    bytes: bytes
    generation: str
    listeners: tuple[tuple[str, str, int], ...]
    paths: Mapping[str, str]

    def document_path(self, table_path: str) -> str | None:
        """The document path of the nearest node at or above `table_path`; None if there is none."""
        at = table_path
        while at:
            if at in self.paths:
                return self.paths[at]
            at = at[: max(at.rfind("."), at.rfind("["), 0)]
        return None

    def table_paths(self, document_path: str) -> tuple[str, ...]:
        """Every table path that comes from `document_path` itself."""
        return tuple(path for path, origin in self.paths.items() if origin == document_path)


def compile(document: Document, application: str, materials: Mapping[str, Material] | None = None) -> Compiled:
    """The route table of `application` in `document`, overrides already laid over it.

    `materials` are the files the document names, by name as written. Equal applications with equal files give equal bytes, whatever
    else stands in the document. `NotFound` when the document has no such application;
    `LocalError` when the table would be refused by its own reader, which is a defect of ours.
    """
    found = document.applications.get(application)
    if found is None:
        raise NotFound(f"the document has no application '{application}'")
    made = Table(found.name, found.services, found.pools, _held(found, materials or {}))
    data = table.dump(made)
    if table.load(data) != made:
        raise LocalError(f"the route table of '{application}' does not read back as it was written")
    return Compiled(data, table.generation(data), listeners(made), of_table(made))


def _held(found: Application, materials: Mapping[str, Material]) -> Mapping[str, Mapping[str, str]]:
    """The digests of the files this application's own `tls` name, by kind and name."""
    held: dict[str, dict[str, str]] = {}
    for one in of_route(found.services.values(), found.pools.values()):
        material = materials.get(one.name)
        if material is None or material.kind != one.kind:
            raise LocalError(f"a {one.kind} the document names was not read")
        held.setdefault(one.kind, {})[one.name] = material.digest
    return held


def listeners(made: Table) -> tuple[tuple[str, str, int], ...]:
    """(name, host, port) of everything the route process listens on, each once, in order of name."""
    found = {listener_name(listen): (listen.host, listen.port) for service in made.services.values() for listen in service.listen}
    return tuple((name, *found[name]) for name in sorted(found))


def listener_name(listen: Listen) -> str:
    """How guard, route process and the fact `listener` call it: `HOST:PORT`, `*:PORT` for every address, IPv6 in brackets."""
    return spell_target(listen.host or "*", listen.port)
