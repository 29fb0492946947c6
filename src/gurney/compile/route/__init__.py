"""Compiling an application into its route process's table: `compiler`, the way back to the document: `paths`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gurney.balance import members, table
from gurney.balance.explain import explain
from gurney.compile.route.compiler import Compiled, compile, listener_name, listeners
from gurney.compile.target import Ground, Target
from gurney.config.document import Application, Document
from gurney.errors import NotFound
from gurney.plan.steps import Process

__all__ = ["TARGET", "Compiled", "Route", "compile", "listener_name", "listeners"]


class Route:
    """The compiler for the route process, as `control` knows every compiler."""

    name = "route"

    def compile(self, document: Document, application: str, ground: Ground) -> bytes | None:
        """The route table of `application`, written down; None when it has no service for the route process."""
        found = document.applications.get(application)
        if found is None:
            raise NotFound(f"the document has no application '{application}'")
        return compile(document, application, ground.materials).bytes if found.services else None

    def process(self, content: bytes) -> Process:
        """What a plan needs to know of a route process that serves `content`. Raises `InputRefused` when it is of another version."""
        made = table.load(content)
        application = Application(made.application, f"applications.{made.application}", made.services, made.pools)
        return Process(application, table.generation(content), listeners(made))

    def explain(self, content: bytes, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """What the table alone says: every member up, nothing pinned."""
        made = table.load(content)
        views = {
            pool.name: {member.name: members.View(member, cap=member.max_associations) for member in pool.members.values()}
            for pool in made.pools.values()
        }
        return explain(made, service, facts, views).as_json()


TARGET: Target = Route()
