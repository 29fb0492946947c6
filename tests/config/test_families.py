"""Whose a pool is, and which protocol a service is read as, before either is judged."""

from __future__ import annotations

import pytest

from gurney.config.document import Application
from gurney.config.families import conflict, leads, pool_protocol, protocol_of
from gurney.config.faults import Faults
from gurney.config.reader import read
from gurney.config.tree import Entries, Node, grow


def node(text: str) -> Node:
    """The node of a text in flow style."""
    found = grow(text, Faults("x"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("service", "protocol"),
    [
        ("{protocol: http}", "http"),
        ("{protocol: fhir}", "fhir"),
        ("{protocol: HTTP}", "http"),
        ("{protocol: htp}", "http"),
        ("{protocol: dcom}", "dicom"),
        ("{protocol: x}", "dicom"),
        ("{protocol: x, hosts: [a], base: /}", "http"),
        ("{hosts: [a]}", "http"),
        ("{ae_title: A}", "dicom"),
        ("{}", "dicom"),
        ("{protocol: [http], base: /}", "http"),
        ("[]", "dicom"),
    ],
)
def test_the_protocol_a_service_is_read_as(service: str, protocol: str) -> None:
    assert protocol_of(node(service)) == protocol


def _protocols(services: str, pools: str) -> dict[str, str]:
    services_node, pools_node = node(services), node(pools)
    assert isinstance(pools_node, Entries)
    led = leads(services_node, pools_node)
    return {key.text: pool_protocol(key.text, value, led, services_node) for key, value in pools_node.pairs}


def test_a_pool_is_of_those_who_lead_to_it() -> None:
    services = "{w: {protocol: http, rules: [{pool: a}]}, t: {protocol: tcp, rules: [{pool: b}]}, d: {protocol: dicom, rules: [{pool: c}]}}"
    assert _protocols(services, "{a: [], b: [], c: []}") == {"a": "http", "b": "tcp", "c": "dicom"}


def test_a_fallback_is_of_the_pool_it_stands_in_for() -> None:
    services = "{t: {protocol: tcp, rules: [{pool: a}]}, d: {protocol: dicom, rules: [{pool: e}]}}"
    pools = "{a: {fallback: b}, b: {fallback: c}, c: {fallback: a}, e: []}"
    assert _protocols(services, pools) == {"a": "tcp", "b": "tcp", "c": "tcp", "e": "dicom"}


def test_without_rules_the_only_pool_is_meant() -> None:
    assert _protocols("{t: {protocol: tcp}}", "{a: []}") == {"a": "tcp"}


def test_what_only_later_services_lead_to_is_not_read() -> None:
    services = "{h: {protocol: hl7, rules: [{pool: a, copy_to: [b]}]}, w: {protocol: http, rules: [{pool: b}]}}"
    assert _protocols(services, "{a: [], b: []}") == {"a": "later", "b": "http"}
    assert _protocols("{h: {protocol: hl7, rules: [{pool: a}]}}", "{a: [], b: []}") == {"a": "later", "b": "later"}


@pytest.mark.parametrize(
    ("pool", "protocol"),
    [
        ("[]", "dicom"),
        ("{members: []}", "dicom"),
        ("{statuses: {}}", "dicom"),
        ("{persist: cookie}", "http"),
        ("{check: {kind: http}, keep: study}", "http"),
        ("{check: {kind: dicom-echo}, persist: cookie}", "dicom"),
        ("{check: {kind: tcp}, panic: 30%}", "http"),
    ],
)
def test_a_pool_nothing_leads_to_is_what_it_looks_like(pool: str, protocol: str) -> None:
    services = "{w: {protocol: http, rules: [{pool: x}]}, d: {protocol: dicom, rules: [{pool: y}]}}"
    assert _protocols(services, f"{{p: {pool}}}") == {"p": protocol}


def test_a_look_never_brings_a_protocol_the_application_does_not_speak() -> None:
    for pool in ("[]", "{check: {kind: dicom-echo}}", "{statuses: {}}"):
        assert _protocols("{w: {protocol: http, rules: [{pool: x}]}}", f"{{p: {pool}}}") == {"p": "http"}
    assert _protocols("{d: {protocol: dicom, rules: [{pool: x}]}}", "{p: {check: {kind: http}}}") == {"p": "dicom"}


def test_two_protocols_at_one_pool_are_a_conflict_and_a_guess_is_none() -> None:
    def said(services: str) -> str | None:
        return conflict(leads(node(services), node("{a: []}")).get("a", {}))

    assert said("{w: {protocol: http, rules: [{pool: a}]}, t: {protocol: tcp, rules: [{pool: a}]}}") == (
        "service 'w' (http) and service 't' (tcp)"
    )
    assert said("{w: {protocol: http, rules: [{pool: a}]}, t: {protocol: x, rules: [{pool: a}]}}") is None
    assert said("{w: {protocol: http, rules: [{pool: a}]}, h: {protocol: hl7, rules: [{pool: a}]}}") is None


def test_each_stands_where_who_carries_it_looks() -> None:
    text = """gurney: 1
applications:
  mixed:
    services:
      web: {protocol: http, listen: 80, rules: [{pool: web}]}
      db: {protocol: tcp, listen: 5432, rules: [{pool: db}]}
      store: {protocol: dicom, listen: 104, rules: [{pool: archive}]}
    pools: {web: [10.0.0.1:80], db: [10.0.0.2:5432], archive: [A@10.0.0.3:104]}
"""
    document = read(text).document
    assert document is not None
    found: Application = document.applications["mixed"]
    assert (list(found.services), list(found.pools)) == (["store"], ["archive"])
    assert (list(found.proxied), list(found.proxied_pools)) == (["web", "db"], ["web", "db"])
    assert {pool.name: pool.protocol for pool in found.proxied_pools.values()} == {"web": "http", "db": "tcp"}
