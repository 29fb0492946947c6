"""The one place for conditions that follow from the document and from what the engines say, not from an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gurney.config.document import Document, Service
from gurney.config.overrides import Override
from gurney.config.proxied import ProxyPool
from gurney.control.conditions import (
    ACCEPTS_EVERYONE,
    CHECK_IS_WEAK,
    ENGINE_SILENT,
    LEGACY_TLS,
    MEMBER_DOWN,
    OVERRIDE_UNUSED,
    PLAIN_LISTENER,
    POOL_DOWN,
    Condition,
)
from gurney.control.decide import pools_of
from gurney.engines.engine import Observed
from gurney.plan.steps import Key


def of_document(document: Document, overrides: Mapping[str, Override]) -> Iterator[Condition]:
    """What the document itself leaves open."""
    members = set()
    for application in document.applications.values():
        for service in application.services.values():
            yield from _of_dicom(service, f"{application.name}/{service.name}")
        for proxied in application.proxied.values():
            if proxied.tls is None and not proxied.accept_from:
                yield Condition(
                    PLAIN_LISTENER, "neither tls nor accept_from: whoever reaches the port is served", f"{application.name}/{proxied.name}"
                )
        for pool in pools_of(application):
            for member in pool.members.values():
                object_ = f"{application.name}/{pool.name}/{member.name}"
                members.add(object_)
                if member.check.kind == "tcp" and not (isinstance(pool, ProxyPool) and pool.protocol == "tcp"):
                    yield Condition(CHECK_IS_WEAK, "checked by connecting only (tcp): a hung program survives that", object_)
    for override in overrides.values():
        if override.object not in members:
            yield Condition(
                OVERRIDE_UNUSED, f"the document has no such member; `gurney enable {override.object}` forgets it", override.object
            )


def _of_dicom(service: Service, object_: str) -> Iterator[Condition]:
    mutual = service.tls is not None and service.tls.client_ca is not None
    if not service.accept_from and not mutual:
        yield Condition(ACCEPTS_EVERYONE, "no accept_from: whoever reaches the port may send", object_)
    elif service.tls is None and any(peer.network is None for peer in service.accept_from):
        yield Condition(PLAIN_LISTENER, "no tls, and an accept_from that names no network: a name is all a sender needs", object_)
    if service.tls is not None and service.tls.suites == "legacy":
        yield Condition(LEGACY_TLS, "tls: suites: legacy admits TLS 1.0, TLS 1.1 and retired suites", object_)


def of_engines(observed: Mapping[Key, Observed], process: Callable[[Key], str]) -> Iterator[Condition]:
    """What each engine says of what it carries. `process` names an engine's process."""
    for key, seen in observed.items():
        application = key[0]
        if seen.status is None:
            yield Condition(ENGINE_SILENT, seen.why or "it does not answer", process(key))
            continue
        for name, pool in _mappings(seen.status.get("pools")):
            up = 0
            for member, state in _mappings(pool.get("members")):
                if state.get("operational") == "down":
                    yield Condition(MEMBER_DOWN, str(state.get("why") or "down"), f"{application}/{name}/{member}")
                elif state.get("override") != "disable":
                    up += 1
            if not up:
                yield Condition(POOL_DOWN, "no member is up", f"{application}/{name}")


def _mappings(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    return [(key, one) for key, one in value.items() if isinstance(one, Mapping)] if isinstance(value, Mapping) else []
