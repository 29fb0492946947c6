"""The one place for what `gurney status` says: the document's members with what the engines tell of them, conditions beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gurney.compile.route import listener_name
from gurney.config.addresses import spell_target
from gurney.config.document import Application, Document, Member, Pool
from gurney.config.overrides import Override
from gurney.control.conditions import when
from gurney.control.control import Control
from gurney.engines.engine import Observed, Process

SILENT = "the route process does not answer"


def status(control: Control, observed: Mapping[str, Observed], processes: Iterable[Process]) -> dict[str, Any]:
    """The whole status as JSON. `observed` is by application; an application that is missing there is silent."""
    decision = control.decision
    document = decision.document if decision is not None else Document(1, {}, {})
    running = {process.name: process for process in processes}
    revision = control.revision
    further = [one for seen in observed.values() if seen.status is not None for one in _list(seen.status.get("conditions"))]
    return {
        "revision": revision.as_json() if revision is not None else None,
        "node": control.node,
        "applications": {
            name: _application(application, control, observed.get(name, Observed(False, None, None, SILENT)), running)
            for name, application in document.applications.items()
        },
        "overrides": [_override(one) for one in control.overrides.values()],
        "conditions": control.conditions.as_json(further),
    }


def _application(application: Application, control: Control, seen: Observed, running: Mapping[str, Process]) -> dict[str, Any]:
    told: Mapping[str, Any] = seen.status or {}
    skip = ("ok", "services", "pools", "conditions", "generation", "pid", "since", "checked")
    return {
        "engines": {
            name: _engine(name, application.name, control, seen, running) for owner, name in control.serving if owner == application.name
        },
        "checked": bool(told.get("checked")),
        "services": {
            name: {
                "protocol": service.protocol,
                "delivery": service.delivery,
                "listen": [listener_name(one) for one in service.listen],
                "ae_title": service.ae_title,
                "accepting": False,
                **_mapping(_mapping(told.get("services")).get(name)),
            }
            for name, service in application.services.items()
        },
        "pools": {
            name: _pool(application.name, pool, control, seen, _mapping(_mapping(told.get("pools")).get(name)))
            for name, pool in application.pools.items()
        },
        **{key: value for key, value in told.items() if key not in skip},
    }


def _engine(name: str, application: str, control: Control, seen: Observed, running: Mapping[str, Process]) -> dict[str, Any]:
    engine = control.engines[name]
    process = running.get(engine.process(application))
    content = control.decision.wanted.get((application, name)) if control.decision is not None else None
    wanted = engine.generation(content) if content is not None else None
    return {
        "generation": seen.generation,
        "confirmed": wanted is not None and wanted == seen.generation,
        "pid": process.pid if process is not None else None,
        "state": process.state if process is not None else "unknown",
        "since": _when(process.since) if process is not None else None,
        "restarts": process.restarts if process is not None else None,
        "adopted": process.adopted if process is not None else None,
        "last_exit": process.last_exit if process is not None else None,
        "why": seen.why,
    }


def _pool(application: str, pool: Pool, control: Control, seen: Observed, told: Mapping[str, Any]) -> dict[str, Any]:
    members = _mapping(told.get("members"))
    return {
        "balance": pool.balance,
        "members": {
            name: _member(member, control.overrides.get(f"{application}/{pool.name}/{name}"), seen, _mapping(members.get(name)))
            for name, member in pool.members.items()
        },
    }


def _member(member: Member, override: Override | None, seen: Observed, told: Mapping[str, Any]) -> dict[str, Any]:
    """The three words of architecture §2, and what else is known. A member nobody tells of is down: nothing reaches it."""
    silent = {"operational": "down", "why": SILENT if seen.status is None else "not taken up yet"}
    return {
        "address": f"{member.ae_title + '@' if member.ae_title else ''}{spell_target(member.host, member.port)}",
        "weight": member.weight,
        **(told or silent),
        "configured": "enabled",
        "override": override.word if override is not None else None,
        "override_why": override.why if override is not None else None,
        "override_by": override.by if override is not None else None,
        "override_until": when(override.until) if override is not None and override.until is not None else None,
    }


def _override(one: Override) -> dict[str, Any]:
    return {
        "object": one.object,
        "word": one.word,
        "until": when(one.until) if one.until is not None else None,
        "why": one.why,
        "by": one.by,
        "since": when(one.since),
    }


def _when(seconds: float | None) -> str | None:
    return when(seconds) if seconds is not None else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
