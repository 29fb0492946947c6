"""The one place for what `gurney status` says: the document's members with what the engines tell of them, conditions beside.

Each engine tells of the services and pools it carries; an application's status is those put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gurney.compile.route import listener_name
from gurney.config.addresses import spell_target
from gurney.config.document import Application, Document, Member, Service
from gurney.config.overrides import Override
from gurney.config.proxied import ProxyMember, ProxyService
from gurney.control.conditions import when
from gurney.control.control import Control
from gurney.control.decide import pools_of
from gurney.engines.engine import Observed, Process
from gurney.plan.shown import the
from gurney.plan.steps import Key

UNSEEN = Observed(False, None, None, "it was not asked yet")
_OF_ENGINES = ("ok", "services", "pools", "conditions", "generation", "pid", "since", "checked", "workers")


def status(control: Control, observed: Mapping[Key, Observed], processes: Iterable[Process]) -> dict[str, Any]:
    """The whole status as JSON. An engine that is missing in `observed` is silent."""
    decision = control.decision
    document = decision.document if decision is not None else Document(1, {}, {})
    running = {process.name: process for process in processes}
    revision = control.revision
    further = [one for seen in observed.values() if seen.status is not None for one in _list(seen.status.get("conditions"))]
    return {
        "revision": revision.as_json() if revision is not None else None,
        "node": control.node,
        "applications": {name: _application(name, control, observed, running) for name in document.applications},
        "overrides": [_override(one) for one in control.overrides.values()],
        "conditions": control.conditions.as_json(further),
    }


def _application(name: str, control: Control, observed: Mapping[Key, Observed], running: Mapping[str, Process]) -> dict[str, Any]:
    wanted = control.decision.processes if control.decision is not None else {}
    keys = dict.fromkeys(key for key in (*wanted, *control.serving) if key[0] == name)
    seen = {key: observed.get(key, UNSEEN) for key in keys}
    services: dict[str, Any] = {}
    pools: dict[str, Any] = {}
    further: dict[str, Any] = {}
    for key in keys:
        told = seen[key].status or {}
        carried = wanted[key].application if key in wanted else None
        if carried is not None:
            silent = "not taken up yet" if seen[key].status is not None else f"{the(wanted[key].program)} does not answer"
            services.update(_services(carried, _mapping(told.get("services"))))
            pools.update(_pools(carried, control.overrides, _mapping(told.get("pools")), silent))
        further.update({word: value for word, value in told.items() if word not in _OF_ENGINES})
    return {
        "engines": {key[1]: _engine(key, control, seen[key], running) for key in keys},
        "checked": all(bool((one.status or {}).get("checked")) for one in seen.values()),
        "services": services,
        "pools": pools,
        **further,
    }


def _engine(key: Key, control: Control, seen: Observed, running: Mapping[str, Process]) -> dict[str, Any]:
    application, name = key
    engine = control.engines[name]
    process = running.get(engine.process(application))
    content = control.decision.wanted.get(key) if control.decision is not None else None
    wanted = engine.generation(content) if content is not None else None
    workers = (seen.status or {}).get("workers")
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
        **({"workers": workers} if isinstance(workers, Mapping) else {}),
    }


def _services(carried: Application, told: Mapping[str, Any]) -> dict[str, Any]:
    every: list[Service | ProxyService] = [*carried.services.values(), *carried.proxied.values()]
    return {
        one.name: {
            "protocol": one.protocol,
            "listen": [listener_name(listen) for listen in one.listen],
            **_words_of(one),
            "accepting": False,
            **_mapping(told.get(one.name)),
        }
        for one in every
    }


def _words_of(service: Service | ProxyService) -> dict[str, Any]:
    """What the document says of a service that a person looks for in its status."""
    if isinstance(service, Service):
        return {"delivery": service.delivery, "ae_title": service.ae_title}
    return {"hosts": list(service.hosts), "base": service.base, "tls": service.tls is not None}


def _pools(carried: Application, overrides: Mapping[str, Override], told: Mapping[str, Any], silent: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pool in pools_of(carried):
        of_pool = _mapping(told.get(pool.name))
        said = _mapping(of_pool.get("members"))
        members: Mapping[str, Member | ProxyMember] = pool.members
        found[pool.name] = {
            **{word: value for word, value in of_pool.items() if isinstance(word, str)},
            "balance": pool.balance,
            "members": {
                name: _member(member, overrides.get(f"{carried.name}/{pool.name}/{name}"), _mapping(said.get(name)), silent)
                for name, member in members.items()
            },
        }
    return found


def _member(member: Member | ProxyMember, override: Override | None, told: Mapping[str, Any], silent: str) -> dict[str, Any]:
    """The three words of architecture §2, and what else is known. A member nobody tells of is down: nothing reaches it."""
    name = member.ae_title if isinstance(member, Member) else None
    return {
        "address": f"{name + '@' if name else ''}{spell_target(member.host, member.port)}",
        "weight": member.weight,
        **(told or {"operational": "down", "why": silent}),
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
