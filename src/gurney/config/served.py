"""The one place for what services of every protocol have: an address to listen on, rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listen:
    """One listening address; `host` is "" for every address of the node (IPv4 and, where there is one, IPv6)."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Rule:
    """`match` maps a fact to globs, any of which may fit; all facts must. An empty match always fits."""

    name: str
    path: str
    match: Mapping[str, tuple[str, ...]]
    pool: str
    urgency: str = "routine"  # critical | routine | bulk
