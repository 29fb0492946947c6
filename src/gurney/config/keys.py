"""The one place for the keys of gurney.yaml: what each kind of mapping may hold, what it means, its default.

The reader refuses what is not here, the JSON Schema and the reference are made from it. What depends on the protocol has a table for each
(`service.dicom`, `service.http`); what stands before the dot is what a person calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gurney.config import dicom_keys, proxied_keys
from gurney.config.key import Key, later

__all__ = ["KINDS", "Key", "has", "owners", "protocol", "title"]

DOCUMENT = (
    Key("gurney", "version", "the document's version: 1", required=True),
    Key("sites", "sites", "the places with their jurisdiction and nodes; omitted: one node at one site"),
    Key("applications", "applications", "the clinical systems, each with its own balancer", required=True),
)
SITE = (
    Key("jurisdiction", "jurisdiction", "whose law applies there: ISO 3166, GB or US-CA", required=True),
    Key("cloud", "name", "the provider, where the site is a cloud region"),
    Key("nodes", "nodes", "the machines that run Gurney there: name to address"),
)
APPLICATION = (
    Key("services", "services", "what senders reach", required=True),
    Key("pools", "pools", "where it goes: interchangeable members under one name", required=True),
    Key("limits", "application_limits", "defaults of the services' limits"),
    *later("spool"),
)

KINDS: Mapping[str, tuple[Key, ...]] = {
    "document": DOCUMENT,
    "site": SITE,
    "application": APPLICATION,
    "limits": tuple(replace(key, default=None) for key in (*dicom_keys.LIMITS, *proxied_keys.HTTP_LIMITS)),
    "service.dicom": dicom_keys.SERVICE,
    "tls.dicom": dicom_keys.TLS,
    "limits.dicom": dicom_keys.LIMITS,
    "rule.dicom": dicom_keys.RULE,
    "pool.dicom": dicom_keys.POOL,
    "member.dicom": dicom_keys.MEMBER,
    "check.dicom": dicom_keys.CHECK,
    "service.http": proxied_keys.HTTP_SERVICE,
    "tls.http": proxied_keys.HTTP_TLS,
    "limits.http": proxied_keys.HTTP_LIMITS,
    "rule.http": proxied_keys.HTTP_RULE,
    "pool.http": proxied_keys.HTTP_POOL,
    "persist.http": proxied_keys.HTTP_PERSIST,
    "fallback.http": proxied_keys.FALLBACK,
    "member.http": proxied_keys.HTTP_MEMBER,
    "check.http": proxied_keys.HTTP_CHECK,
    "service.tcp": proxied_keys.TCP_SERVICE,
    "tls.tcp": proxied_keys.TCP_TLS,
    "limits.tcp": proxied_keys.TCP_LIMITS,
    "rule.tcp": proxied_keys.TCP_RULE,
    "pool.tcp": proxied_keys.TCP_POOL,
    "persist.tcp": proxied_keys.TCP_PERSIST,
    "member.tcp": proxied_keys.TCP_MEMBER,
    "check.tcp": proxied_keys.TCP_CHECK,
    "queue": proxied_keys.QUEUE,
    "member_tls": proxied_keys.MEMBER_TLS,
}


def title(kind: str) -> str:
    """What a person calls a mapping of this kind: `service.http` -> `service`."""
    return kind.partition(".")[0]


def protocol(kind: str) -> str:
    """The protocol whose table `kind` is, or "" for what every protocol shares."""
    return kind.partition(".")[2]


def owners(kind: str, name: str, *, later: bool) -> tuple[str, ...]:
    """The other protocols whose mappings of this kind have the key: `service.http`, `ae_title` -> (`dicom`,); `later` ones or not."""

    def has_it(other: str, table: tuple[Key, ...]) -> bool:
        return other != kind and title(other) == title(kind) and any(key.name == name and key.later == later for key in table)

    return tuple(protocol(other) for other, table in KINDS.items() if protocol(other) and has_it(other, table))


def has(called: str, of: str, name: str) -> bool:
    """Whether mappings that are `called` so have a key: those of the protocol `of`, of any where it is ""."""
    return any(
        key.name == name
        for kind, table in KINDS.items()
        if title(kind) == called and (not of or protocol(kind) in ("", of))
        for key in table
    )
