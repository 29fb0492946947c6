"""The one place for which protocol a service speaks and whose a pool is: read loosely off the tree, before either is judged.

A pool belongs to the protocol of the services that lead to it, by a rule or through another pool's `fallback`. One that nothing leads to
is taken for what its keys look like.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from gurney.config import keys, limits, words
from gurney.config.faults import printable
from gurney.config.tree import Entries, Items, Node, Scalar

_KNOWN = (*words.PROTOCOLS, *words.PROTOCOLS_LATER)
Leads = dict[str, dict[str, str]]  # pool -> protocol -> who leads to it, in words


def child(node: Node | None, name: str) -> Node | None:
    """The value under a key of a mapping, or None."""
    if isinstance(node, Entries):
        return next((value for key, value in node.pairs if key.text == name), None)
    return None


def protocol_of(node: Node | None) -> str:
    """The protocol a service is read as: the word it names, also of a later version, else the nearest, else what its keys look like."""
    found = child(node, "protocol")
    named = found.text if isinstance(found, Scalar) and found.sound else ""
    if named in _KNOWN:
        return named
    near = difflib.get_close_matches(named.lower(), words.PROTOCOLS, n=1) if len(named) <= limits.SHOWN_CHARACTERS else []
    return near[0] if near else _looks_like(node, "service", words.PROTOCOLS)


def leads(services: Node | None, pools: Node | None) -> Leads:
    """Who leads to each pool that a service names; `later` stands for all protocols of a later version.

    A service whose protocol is a guess has no say where another has.
    """
    found: Leads = {}
    listed = services.pairs if isinstance(services, Entries) else ()
    defined = [key.text for key, _ in pools.pairs] if isinstance(pools, Entries) else []
    for key, node in sorted(listed, key=lambda pair: not _is_sure(pair[1])):
        protocol = protocol_of(node)
        protocol = "later" if protocol in words.PROTOCOLS_LATER else protocol
        named = list(_named_by_rules(node)) or (defined if len(defined) == 1 and child(node, "rules") is None else [])
        for pool in named:
            if _is_sure(node) or pool not in found:
                found.setdefault(pool, {}).setdefault(protocol, f"service '{printable(key.text)}' ({protocol})")
    _follow_fallbacks(found, pools)
    return found


def _is_sure(node: Node) -> bool:
    """Whether a service names a protocol there is."""
    found = child(node, "protocol")
    return isinstance(found, Scalar) and found.text in _KNOWN


def pool_protocol(name: str, node: Node, led: Leads, services: Node | None) -> str:
    """The protocol a pool is read as; `later` when only services of a later version lead to it."""
    by = [protocol for protocol in led.get(name, {}) if protocol != "later"]
    if by:
        return by[0]
    if name in led:
        return "later"
    spoken = [protocol_of(value) for _, value in services.pairs] if isinstance(services, Entries) else []
    now = [protocol for protocol in words.PROTOCOLS if protocol in spoken]
    if not now and spoken:
        return "later"
    return _pool_looks_like(node, tuple(now) or words.PROTOCOLS[:1])


def _named_by_rules(service: Node) -> Iterator[str]:
    listed = child(service, "rules")
    for rule in listed.items if isinstance(listed, Items) else ():
        for key in ("pool", "copy_to"):
            value = child(rule, key)
            for item in value.items if isinstance(value, Items) else (value,):
                if isinstance(item, Scalar) and item.sound:
                    yield item.text


def _follow_fallbacks(found: Leads, pools: Node | None) -> None:
    """A pool's fallback belongs to the protocol of that pool."""
    backed = {key.text: child(node, "fallback") for key, node in pools.pairs} if isinstance(pools, Entries) else {}
    waiting = list(found)
    while waiting:
        pool = waiting.pop()
        fallback = backed.get(pool)
        if not isinstance(fallback, Scalar) or not fallback.sound:
            continue
        for protocol in found[pool]:
            theirs = found.setdefault(fallback.text, {})
            if protocol not in theirs:
                theirs[protocol] = f"the fallback of pool '{printable(pool)}' ({protocol})"
                waiting.append(fallback.text)


def _looks_like(node: Node | None, title: str, among: tuple[str, ...]) -> str:
    """The protocol whose table has most of a mapping's keys; the first of `among` when that says nothing."""
    names = [key.text for key, _ in node.pairs] if isinstance(node, Entries) else []

    def known(protocol: str) -> int:
        table = {key.name for key in keys.KINDS[f"{title}.{protocol}"]}
        return sum(name in table for name in names)

    return max(among, key=known)


def _pool_looks_like(node: Node, among: tuple[str, ...]) -> str:
    """A pool that nothing leads to: by the kind of its check, else by its keys."""
    kind = child(child(node, "check"), "kind")
    meant = ""
    if isinstance(kind, Scalar):
        meant = "http" if kind.text == "http" else "dicom" if kind.text.startswith("dicom-") else ""
    return meant if meant in among else _looks_like(node, "pool", among)


def conflict(by: Mapping[str, str]) -> str | None:
    """Two who lead to one pool from different protocols of this version, in words; None when all agree."""
    now = [who for protocol, who in by.items() if protocol != "later"]
    return " and ".join(now[:2]) if len(now) > 1 else None
