"""The one place for the document's types: what a checked gurney.yaml is once every default has been filled in.

Frozen values without behaviour. Durations are whole milliseconds (`*_ms`), sizes are bytes. `path` fields hold the document path
(`applications.pacs.pools.archive.members.archive-1`), by which a complaint is mapped back to a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gurney.config.proxied import ListenerTls, MemberTls, ProxyPool, ProxyService
from gurney.config.served import Listen, Rule

__all__ = ["Application", "Check", "Document", "Limits", "Listen", "Member", "Peer", "Pool", "Rule", "Service", "Site"]


@dataclass(frozen=True, slots=True)
class Peer:
    """One entry of `accept_from`: a glob for the name and a network (CIDR, `None` = any); both must fit."""

    name: str  # glob over the AE title, "*" = any
    network: str | None  # canonical CIDR, e.g. "10.0.3.0/24", "10.0.0.31/32"


@dataclass(frozen=True, slots=True)
class Check:
    """An active health check: `kind` is a word of `config.words.CHECK_KINDS`."""

    kind: str
    interval_ms: int
    timeout_ms: int
    rise: int
    fall: int
    expect_contexts: tuple[tuple[str, str], ...] = ()  # (abstract syntax UID, transfer syntax UID)


@dataclass(frozen=True, slots=True)
class Member:
    """One destination. `override` is None, "drain", "disable" or "weight=N" once overrides are laid over."""

    name: str
    path: str
    host: str
    port: int
    ae_title: str | None  # called AE title sent to it; None = the sender's called AE title is passed on
    calling_ae: str | None  # None = the sender's calling AE title is passed on
    weight: int
    max_associations: int
    max_bytes: int
    rate: int | None  # objects a second, None = unlimited
    site: str | None
    check: Check
    override: str | None = None
    tls: MemberTls | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """Interchangeable members. `statuses` overrides rows of the status policy (`{"A9xx": "next"}`)."""

    name: str
    path: str
    balance: str
    keep: str  # study | patient | object
    site: str | None
    members: Mapping[str, Member]
    statuses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one service (dicom.md §8)."""

    associations: int
    associations_per_address: int
    associations_per_ae: int
    unassociated: int
    unassociated_per_address: int
    max_object: int | None


@dataclass(frozen=True, slots=True)
class Service:
    """One protocol on one or more listeners."""

    name: str
    path: str
    protocol: str
    listen: tuple[Listen, ...]
    ae_title: str | None
    accept_from: tuple[Peer, ...]  # empty = everyone
    delivery: str
    rules: tuple[Rule, ...]
    echo: str  # local | pool
    prefer: tuple[str, ...]  # transfer syntax UIDs
    non_patient: str
    duplicates: str
    digest: str
    replay_limit: int
    limits: Limits
    tls: ListenerTls | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """One clinical system and its dedicated balancer.

    `services` and `pools` are those of the route process, `proxied` and `proxied_pools` those HAProxy carries; a name stands in one of
    the two.
    """

    name: str
    path: str
    services: Mapping[str, Service]
    pools: Mapping[str, Pool]
    proxied: Mapping[str, ProxyService] = field(default_factory=dict)
    proxied_pools: Mapping[str, ProxyPool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """A place with a jurisdiction and the nodes that stand there (node name -> address)."""

    name: str
    jurisdiction: str
    cloud: str | None
    nodes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Document:
    """The whole wanted state: what `config.reader.read` returns when there is no fault."""

    version: int
    sites: Mapping[str, Site]
    applications: Mapping[str, Application]
