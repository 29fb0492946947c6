"""The one place for how an http or tcp service, its rule and its pool are chosen, and for explaining it.

HAProxy chooses; `compile` writes its choice from `places` and rules in this order, so what is said here is what is done there:
host before base (the exact name, then the longest `*.name`, then `*`), the longest base of those, the first rule whose every fact fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gurney.balance.networks import holds, plain
from gurney.config.glob import fits
from gurney.config.proxied import ProxyPool, ProxyService, ProxyTable
from gurney.config.served import Rule
from gurney.errors import InputRefused, NotFound

EVERY = "*"
FACTS = ("method", "path", "host", "network")  # and header:NAME
Places = Mapping[str, Mapping[str, str]]  # host glob → base → service


def places(services: Iterable[ProxyService]) -> Places:
    """Of services that share a listener: for every host glob among them, the bases served there and by which service.

    A service of a wider glob serves what no service of a narrower one has a base for.
    """
    by_glob: dict[str, dict[str, str]] = {}
    for service in services:
        for glob in service.hosts:
            by_glob.setdefault(glob, {}).setdefault(service.base, service.name)
    return {glob: _merged(glob, by_glob) for glob in by_glob}


def _merged(glob: str, by_glob: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for wider in _wider(glob):
        narrower = set(found)
        for base, service in by_glob.get(wider, {}).items():
            if narrower.isdisjoint(_above(base)):
                found.setdefault(base, service)
    return found


def _wider(glob: str) -> list[str]:
    """The glob and every one that fits all it fits, narrowest first."""
    if glob == EVERY:
        return [EVERY]
    labels = glob.removeprefix("*.").split(".")
    return [glob, *(f"*.{'.'.join(labels[at:])}" for at in range(1, len(labels))), EVERY]


def _above(base: str) -> list[str]:
    """The base and every base it lies below."""
    parts = [part for part in base.split("/") if part]
    return ["/", *("/" + "/".join(parts[: at + 1]) for at in range(len(parts)))]


def glob_of(found: Places, host: str | None) -> str | None:
    """The narrowest host glob that fits `host`; None when there is none."""
    for glob in _wider(host) if host else [EVERY]:
        if glob in found:
            return glob
    return None


def service_at(found: Places, host: str | None, path: str) -> str | None:
    """The service for a request: the longest base that `path` is or lies below."""
    glob = glob_of(found, host)
    bases = found[glob] if glob is not None else {}
    return next((bases[base] for base in reversed(_above(path)) if base in bases), None)


def explain(
    table: ProxyTable, service: str, facts: Mapping[str, str], views: Mapping[str, Mapping[str, tuple[str, str]]] | None = None
) -> dict[str, Any]:
    """What happens to a request with `facts` (method, path, host, network, header:NAME; the path is the whole one) at `service`.

    `views`: by pool and member (operational: up, down or full, why), as in the status; a member without one counts as up. The keys of the
    answer are those of `balance.explain`; `chosen` is the member where only one can take it. `NotFound` for an unknown service,
    `InputRefused` for a name that is no fact.
    """
    asked = table.services.get(service)
    if asked is None:
        raise NotFound(f"application '{table.application}' has no service '{service}'")
    given = {_fact(name): _folded(_fact(name), value) for name, value in facts.items()}
    answer: dict[str, Any] = {
        "application": table.application, "service": service, "facts": dict(given), "missing": [], "passed": [], "rule": None, "pool": None,
        "balance": None, "key": None, "pin": None, "members": [], "chosen": None, "repin": False, "last_resort": False, "wait": False,
    }  # fmt: skip
    against = _refused(table, asked, given)
    if against is not None:
        answer["passed"] = [{"rule": "", "why": against}]
        return answer
    for rule in asked.rules:
        why = _speaks_against(asked, rule, given, answer["missing"])
        if why is None:
            return answer | {"rule": rule.name} | _members(table, table.pools[rule.pool], views or {})
        answer["passed"].append({"rule": rule.name, "why": why})
    return answer


def _fact(name: str) -> str:
    lowered = name.lower()
    if lowered in FACTS or (lowered.startswith("header:") and lowered != "header:"):
        return lowered
    raise InputRefused(f"'{name}' is no fact", hint=f"one of {', '.join(FACTS)} or header:NAME")


def _folded(fact: str, value: str) -> str:
    if fact == "method":
        return value.upper()
    if fact == "host":
        return value.lower().rstrip(".")
    return plain(value) if fact == "network" else value


def _refused(table: ProxyTable, asked: ProxyService, facts: Mapping[str, str]) -> str | None:
    """Why the service itself does not take the request: another host or base, a sender that is not admitted."""
    shared = [other for other in table.services.values() if set(other.listen) & set(asked.listen) and other.protocol == asked.protocol]
    host, path = facts.get("host"), facts.get("path")
    if host is not None or path is not None:
        globs = asked.hosts if host is None else (host,)
        found = places(shared)
        taken = [service_at(found, None if glob == EVERY else glob, path or asked.base) for glob in globs]
        if asked.name not in taken:
            other = next((name for name in taken if name is not None), None)
            return f"service {other} takes it: by host and base" if other else "no service has this host and base"
    network = facts.get("network")
    if network is not None and asked.accept_from and not any(holds(one, network) for one in asked.accept_from):
        return "accept_from does not hold the address"
    return None


def _speaks_against(asked: ProxyService, rule: Rule, facts: Mapping[str, str], missing: list[str]) -> str | None:
    """Why `rule` does not match, naming facts and globs, never values; None if it does."""
    for fact, globs in rule.match.items():
        value = facts.get(fact)
        if value is None:
            if fact not in missing:
                missing.append(fact)
            return f"{fact} is missing"
        if fact == "path":
            value = below(asked.base, value)
        if not any(holds(glob, value) if fact == "network" else fits(glob, value) for glob in globs):
            return f"{fact} does not fit {' or '.join(globs)}"
    return None


def below(base: str, path: str) -> str:
    """The path after the base; the base alone is `/`."""
    return path if base == "/" else path.removeprefix(base) or "/"


def _members(table: ProxyTable, pool: ProxyPool, views: Mapping[str, Mapping[str, tuple[str, str]]]) -> dict[str, Any]:
    """The pool that serves (a fallback where nobody is usable), and why each of its members can or cannot take the request."""
    seen: set[str] = set()
    while True:
        seen.add(pool.name)
        states = {name: _state(pool, name, views) for name in pool.members}
        usable = [name for name, (able, _) in states.items() if able]
        if usable or pool.fallback is None or pool.fallback in seen:
            break
        pool = table.pools[pool.fallback]
    enabled = [name for name, member in pool.members.items() if member.override not in ("disable", "drain")]
    total = sum(member.override != "disable" for member in pool.members.values())
    panic = len(usable) < pool.usable_wanted(total) and not (pool.fallback_page is not None and not usable)
    able = enabled if panic else usable[:1] if pool.balance == "failover" else usable
    return {
        "pool": pool.name,
        "balance": pool.balance,
        "members": [
            {"member": name, "why": f"{why} (panic: used all the same)" if panic and name in enabled else why}
            for name, (_, why) in states.items()
        ],
        "chosen": able[0] if len(able) == 1 else None,
        "last_resort": panic,
    }


def _state(pool: ProxyPool, name: str, views: Mapping[str, Mapping[str, tuple[str, str]]]) -> tuple[bool, str]:
    member = pool.members[name]
    operational, why = views.get(pool.name, {}).get(name, ("up", ""))
    if member.override == "disable":
        return False, "disabled"
    if member.override == "drain":
        return False, "drained: takes nobody new"
    if operational == "down":
        return False, f"down: {why}" if why else "down"
    return True, f"{operational}: {why}" if why else operational
