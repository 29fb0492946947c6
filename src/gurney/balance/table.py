"""The one place for the route table: what a route process knows of its application, as typed data and as canonical JSON.

`route.json` is this table written by `dump`; its sha256 is the generation. `load` validates the whole of it and raises
`InputRefused` naming the path of what is wrong. Members, pools, rules and checks are the document's own types: one vocabulary
from the operator's file to the traffic path.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gurney.balance import codec, policy
from gurney.balance.facts import canonical
from gurney.balance.members import BALANCES, overridden
from gurney.config import words
from gurney.config.document import Member, Pool, Service
from gurney.config.materials import of_route
from gurney.errors import InputRefused

FORMAT = 2  # of route.json; a newer one is refused


@dataclass(frozen=True, slots=True)
class Table:
    """One application as its route process sees it: services with rules, pools with members, overrides merged in.

    `materials` are the files their `tls` name: kind, name as written → SHA-256 (hex) of what it is to hold, by which it lies in the
    application's folder. A revision thus brings its certificates back, and a renewed one is another table.
    """

    application: str
    services: Mapping[str, Service]
    pools: Mapping[str, Pool]
    materials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def dump(table: Table) -> bytes:
    """The table as canonical JSON: ASCII, sorted keys, one space of indent, a final newline. Equal tables give equal bytes."""
    body = {"format": FORMAT, **codec.encode(table)}
    return json.dumps(body, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"


def generation(data: bytes) -> str:
    """The generation of a route.json: the sha256 of its bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def load(data: bytes) -> Table:
    """The table written in `data`. Raises `InputRefused` naming the path of the first thing that is wrong and how many follow."""
    body = _parsed(data)
    if not isinstance(body, dict):
        raise InputRefused("route.json: must be an object")
    if body.get("format") != FORMAT or isinstance(body["format"], bool):
        hint = "start a route process of the version that wrote it"
        raise InputRefused(f"route.json: format: this version reads format {FORMAT}", hint=hint)
    faults = codec.Faults()
    table = codec.decode(Table, {key: value for key, value in body.items() if key != "format"}, faults)
    if table is not None:
        for path, what in _unsound(table):
            faults.add(path, what)
    if faults.found or table is None:
        path, what = faults.found[0]
        more = f" ({len(faults.found) - 1} more)" if len(faults.found) > 1 else ""
        raise InputRefused(f"route.json: {path} {what}{more}")
    return table


def _parsed(data: bytes) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise InputRefused("route.json: a key is there twice")
        return found

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as fault:
        raise InputRefused("route.json: is not JSON") from fault


_WORDS: Mapping[str, tuple[str, ...]] = {
    "protocol": words.ROUTE_PROTOCOLS,
    "delivery": words.DELIVERIES,
    "echo": words.ECHOES,
    "non_patient": words.NON_PATIENTS,
    "duplicates": words.DUPLICATES,
    "digest": words.DIGESTS,
}

Unsound = Iterator[tuple[str, str]]
_DIGEST = re.compile(r"[0-9a-f]{64}")


def _unsound(table: Table) -> Unsound:
    """Everything that is well formed but means nothing: (path, what)."""
    for name, service in table.services.items():
        yield from _unsound_service(f"services.{name}", name, service, table.pools)
    for name, pool in table.pools.items():
        path = f"pools.{name}"
        if pool.name != name:
            yield f"{path}.name", "differs from its key"
        if pool.balance not in BALANCES:
            yield f"{path}.balance", "is no balance of this version"
        if pool.keep not in words.KEEPS:
            yield f"{path}.keep", f"must be {' or '.join(words.KEEPS)}"
        for row, action in pool.statuses.items():
            if not policy.is_row(row) or action not in policy.ACTIONS:
                yield f"{path}.statuses.{row}", "is no row of the status policy"
        if not pool.members:
            yield f"{path}.members", "must not be empty"
        for at, member in enumerate(pool.members.values()):
            yield from _unsound_member(f"{path}.members[{at}]", member)
    yield from _unsound_materials(table)


def _unsound_materials(table: Table) -> Unsound:
    for kind, held in table.materials.items():
        for name, digest in held.items():
            if _DIGEST.fullmatch(digest) is None:
                yield f"materials.{kind}.{name}", "must be a SHA-256 in hex"
    for one in of_route(table.services.values(), table.pools.values()):
        if one.name not in table.materials.get(one.kind, {}):
            yield f"materials.{one.kind}", f"has no '{one.name}'"
    for name, service in table.services.items():
        if service.tls is not None and service.tls.suites not in words.SUITES:
            yield f"services.{name}.tls.suites", f"must be {' or '.join(words.SUITES)}"
        if service.tls is not None and not service.tls.certificates:
            yield f"services.{name}.tls.certificates", "must not be empty"


def _unsound_service(path: str, name: str, service: Service, pools: Mapping[str, Pool]) -> Unsound:
    if service.name != name:
        yield f"{path}.name", "differs from its key"
    if not service.listen:
        yield f"{path}.listen", "must not be empty"
    for at, listen in enumerate(service.listen):
        yield from _out_of_range(f"{path}.listen[{at}].port", listen.port, 1, 65_535)
    for word, known in _WORDS.items():
        if getattr(service, word) not in known:
            yield f"{path}.{word}", f"must be {' or '.join(known)}"
    for at, peer in enumerate(service.accept_from):
        if peer.network is not None and not _canonical_network(peer.network):
            yield f"{path}.accept_from[{at}].network", "must be a canonical network"
    if not service.rules:
        yield f"{path}.rules", "must not be empty"
    for at, rule in enumerate(service.rules):
        if rule.pool not in pools:
            yield f"{path}.rules[{at}].pool", f"'{rule.pool}' is not defined"
        if rule.urgency not in words.URGENCIES:
            yield f"{path}.rules[{at}].urgency", f"must be {' or '.join(words.URGENCIES)}"
        for fact, globs in rule.match.items():
            yield from _unsound_match(f"{path}.rules[{at}].match.{fact}", fact, globs)
    yield from _out_of_range(f"{path}.replay_limit", service.replay_limit, 0, 1 << 63)
    limits = service.limits
    for word in ("associations", "associations_per_address", "associations_per_ae", "unassociated", "unassociated_per_address"):
        yield from _out_of_range(f"{path}.limits.{word}", getattr(limits, word), 1, 1 << 31)
    if limits.max_object is not None:
        yield from _out_of_range(f"{path}.limits.max_object", limits.max_object, 1, 1 << 63)


def _unsound_match(path: str, fact: str, globs: tuple[str, ...]) -> Unsound:
    if not globs:
        yield path, "must not be empty"
    try:
        canonical(fact)
    except InputRefused as fault:
        yield path, fault.message


def _unsound_member(path: str, member: Member) -> Unsound:
    if not member.host:
        yield f"{path}.host", "must not be empty"
    yield from _out_of_range(f"{path}.port", member.port, 1, 65_535)
    yield from _out_of_range(f"{path}.weight", member.weight, 1, 256)
    yield from _out_of_range(f"{path}.max_associations", member.max_associations, 1, 1 << 16)
    yield from _out_of_range(f"{path}.max_bytes", member.max_bytes, 1, 1 << 63)
    if member.rate is not None:
        yield from _out_of_range(f"{path}.rate", member.rate, 1, 1 << 31)
    check = member.check
    if check.kind not in words.CHECK_KINDS:
        yield f"{path}.check.kind", f"must be {' or '.join(words.CHECK_KINDS)}"
    for word in ("interval_ms", "timeout_ms", "rise", "fall"):
        yield from _out_of_range(f"{path}.check.{word}", getattr(check, word), 1, 1 << 31)
    try:
        overridden(member)
    except ValueError as fault:
        yield f"{path}.override", str(fault)


def _out_of_range(path: str, value: int, least: int, most: int) -> Unsound:
    if not least <= value <= most:
        yield path, f"must be {least} to {most}"


def _canonical_network(text: str) -> bool:
    try:
        return str(ipaddress.ip_network(text)) == text
    except ValueError:
        return False
