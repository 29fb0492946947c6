"""The one place for which line of the document each part of a route table comes from.

A table path is written as in complaints about route.json: `pools.archive.members[0].weight`. Members are an array there and have
names in the document; values that a pool gives its members (check, weight, site) point at the member, where the document may say
them too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from gurney.balance.table import Table
from gurney.config.document import Member, Pool, Rule, Service

_INSIDE = ("name", "path", "rules", "members", "override")  # no key of the document, or walked on their own


def of_table(made: Table) -> Mapping[str, str]:
    """Table path → document path, for every node and every key of a node."""
    return dict(_of_table(made))


def _of_table(made: Table) -> Iterator[tuple[str, str]]:
    for name, service in made.services.items():
        yield from _of_node(f"services.{name}", service)
        for at, rule in enumerate(service.rules):
            yield from _of_node(f"services.{name}.rules[{at}]", rule)
    for name, pool in made.pools.items():
        yield from _of_node(f"pools.{name}", pool)
        for at, member in enumerate(pool.members.values()):
            yield from _of_node(f"pools.{name}.members[{at}]", member)


def _of_node(path: str, node: Service | Rule | Pool | Member) -> Iterator[tuple[str, str]]:
    yield path, node.path
    for item in fields(node):
        if item.name not in _INSIDE:
            yield f"{path}.{item.name}", f"{node.path}.{_KEYS.get(item.name, item.name)}"


_KEYS: Mapping[str, str] = {"host": "address", "interval_ms": "interval", "timeout_ms": "timeout"}  # where the document has another key
