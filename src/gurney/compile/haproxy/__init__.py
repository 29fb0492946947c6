"""Compiling what HAProxy carries of an application into its bundle: `compiler`; the bundle itself: `bundle`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gurney.balance import proxied
from gurney.compile.haproxy import bundle, compiler
from gurney.compile.haproxy.bundle import Bundle, dump, generation, load
from gurney.compile.haproxy.frontends import listener_name
from gurney.compile.target import Ground, Target
from gurney.config.document import Application, Document
from gurney.plan.steps import Process

__all__ = ["TARGET", "Bundle", "Haproxy", "dump", "generation", "load"]


class Haproxy:
    """The compiler for HAProxy, as `control` knows every compiler."""

    name = "haproxy"

    def compile(self, document: Document, application: str, ground: Ground) -> bytes | None:
        """The bundle of `application`, written down; None when it has no service for HAProxy."""
        made = compiler.compile(document, application, ground)
        if made is None:
            return None
        data = bundle.dump(made)
        return data

    def process(self, content: bytes) -> Process:
        """What a plan needs to know of a HAProxy that serves `content`. Raises `InputRefused` when it is of another version."""
        made = bundle.load(content)
        table = made.table
        return Process(
            application=Application(table.application, f"applications.{table.application}", {}, {}, table.services, table.pools),
            generation=bundle.generation(content),
            listeners=tuple((listener_name(front.listen), front.listen.host, front.listen.port) for front in made.frontends),
            shape=made.shape,
            listeners_by_load=True,
            program="HAProxy",
            granted=made.granted,
        )

    def explain(self, content: bytes, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """What the bundle alone says: every member up."""
        return proxied.explain(bundle.load(content).table, service, facts)


TARGET: Target = Haproxy()
