"""The one place for what `plan` is told of a route process: what it serves, read back from its route.json, and what it is to serve."""

from __future__ import annotations

from gurney.balance import table
from gurney.compile.route.compiler import Compiled, listeners
from gurney.config.document import Application, Document
from gurney.errors import InputRefused
from gurney.plan.steps import Running, Wanted


def running(application: str, content: bytes | None) -> Running:
    """`application` serving `content`, its route.json; None or what cannot be read: nobody can tell what it serves."""
    try:
        made = table.load(content) if content else None
    except InputRefused:
        made = None
    if made is None or content is None:
        return Running(None, None, ())
    return Running(
        Application(application, f"applications.{application}", made.services, made.pools), table.generation(content), listeners(made)
    )


def wanted(document: Document, compiled: Compiled, application: str) -> Wanted:
    """`application` as `document` (overrides laid over it) wants it and as it was compiled."""
    return Wanted(document.applications[application], compiled.generation, compiled.listeners)
