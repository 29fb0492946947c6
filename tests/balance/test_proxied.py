"""How a service of http or tcp, its rule and its pool are chosen, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from gurney.balance.proxied import below, explain, glob_of, places, service_at
from gurney.config.document import Document
from gurney.config.overrides import Override, lay
from gurney.config.proxied import ProxyTable
from gurney.config.reader import read
from gurney.errors import InputRefused, NotFound

DOCUMENT = """
gurney: 1
applications:
  web:
    services:
      portal:
        protocol: http
        listen: 8080
        hosts: [portal.example.org, "*.clinic.example.org"]
        accept_from: [10.0.0.0/8]
        rules:
          - {name: writes, match: {method: [POST, "P?T"]}, pool: writes}
          - {name: north, match: {"header:x-tenant": "n*", network: 10.1.0.0/16}, pool: beta}
          - {name: rest, pool: main}
      ward: {protocol: http, listen: 8080, hosts: ["*.ward.clinic.example.org"], base: /w, rules: [{pool: main}]}
      fhir:
        protocol: http
        listen: 8080
        hosts: [portal.example.org]
        base: /fhir
        rules: [{name: patients, match: {path: ["/", "/Patient*"]}, pool: beta}, {pool: main}]
      any: {protocol: http, listen: 8080, base: /fhir/deep, rules: [{pool: beta}]}
      else: {protocol: http, listen: 8081, rules: [{pool: order}]}
      many: {protocol: http, listen: 8082, rules: [{pool: long}]}
      raw: {protocol: tcp, listen: 9000, rules: [{name: near, match: {network: 10.0.0.0/8}, pool: raw}, {pool: raw}]}
    pools:
      main: {fallback: beta, members: {a: "10.0.2.1:80", b: "10.0.2.2:80", c: "10.0.2.3:80", d: "10.0.2.4:80"}}
      beta: {panic: 60%, fallback: {page: sorry.html}, members: {x: "10.0.3.1:80", y: "10.0.3.2:80"}}
      writes: {panic: 0%, members: {w: "10.0.4.1:80"}}
      order: {balance: failover, members: {first: "10.0.5.1:80", second: "10.0.5.2:80"}}
      long:
        balance: failover
        panic: 90%
        members: {a: "10.0.7.1:80", b: "10.0.7.2:80", c: "10.0.7.3:80", d: "10.0.7.4:80", e: "10.0.7.5:80"}
      raw: ["10.0.6.1:9000"]
"""


def document(overrides: dict[str, str] | None = None) -> Document:
    reading = read(DOCUMENT)
    assert reading.document is not None, [str(fault) for fault in reading.faults]
    return lay(reading.document, [Override(at, word, None, None, "test", 0.0) for at, word in (overrides or {}).items()])


def table(overrides: dict[str, str] | None = None) -> ProxyTable:
    web = document(overrides).applications["web"]
    return ProxyTable("web", web.proxied, web.proxied_pools)


TABLE = table()
SHARED = [service for service in TABLE.services.values() if service.listen[0].port == 8080]


@pytest.mark.parametrize(
    ("host", "path", "service"),
    [
        ("portal.example.org", "/", "portal"),
        ("portal.example.org", "/fhir", "fhir"),
        ("portal.example.org", "/fhir/", "fhir"),
        ("portal.example.org", "/fhir/Patient/1", "fhir"),
        ("portal.example.org", "/fhirx", "portal"),
        ("portal.example.org", "/fhir/deep", "fhir"),  # host before base: a wider host's longer base does not take it
        ("a.clinic.example.org", "/fhir/deep", "portal"),
        ("b.ward.clinic.example.org", "/w", "ward"),
        ("b.ward.clinic.example.org", "/wx", "portal"),  # what the narrower host has no base for is the wider one's
        ("clinic.example.org", "/", None),
        ("other.example.org", "/fhir/deep/x", "any"),
        ("other.example.org", "/fhir", None),
        (None, "/fhir/deep", "any"),
        (None, "/", None),
    ],
)
def test_a_service_is_found_by_host_then_by_base(host: str | None, path: str, service: str | None) -> None:
    assert service_at(places(SHARED), host, path) == service


def test_the_narrowest_host_counts() -> None:
    found = places(SHARED)
    assert glob_of(found, "b.ward.clinic.example.org") == "*.ward.clinic.example.org"
    assert glob_of(found, "ward.clinic.example.org") == "*.clinic.example.org"
    assert glob_of(found, "example.org") == "*"
    assert glob_of(places(SHARED[:1]), "example.org") is None


@pytest.mark.parametrize(
    ("base", "path", "fact"), [("/", "/a", "/a"), ("/fhir", "/fhir", "/"), ("/fhir", "/fhir/", "/"), ("/fhir", "/fhir/a", "/a")]
)
def test_path_facts_begin_after_the_base(base: str, path: str, fact: str) -> None:
    assert below(base, path) == fact


def said(service: str = "portal", views: Any = None, overrides: dict[str, str] | None = None, **facts: str) -> dict[str, Any]:
    given = {name.replace("_", ":", 1).replace("_", "-"): value for name, value in facts.items()}
    return explain(table(overrides), service, given, views)


def test_the_first_rule_whose_every_fact_fits_wins() -> None:
    assert said(method="put")["rule"] == "writes"
    assert said(method="GET", header_x_tenant="north", network="10.1.2.3")["rule"] == "north"
    other = said(method="GET", header_x_tenant="north", network="10.2.2.3")
    assert other["rule"] == "rest"
    assert other["passed"] == [
        {"rule": "writes", "why": "method does not fit POST or P?T"},
        {"rule": "north", "why": "network does not fit 10.1.0.0/16"},
    ]


def test_a_missing_fact_is_said_and_does_not_fit() -> None:
    answer = said(host="portal.example.org")
    assert answer["rule"] == "rest"
    assert answer["missing"] == ["method", "header:x-tenant"]
    assert [one["why"] for one in answer["passed"]] == ["method is missing", "header:x-tenant is missing"]


def test_the_path_of_a_rule_begins_after_the_base() -> None:
    assert said("fhir", path="/fhir")["rule"] == "patients"
    assert said("fhir", path="/fhir/Patient/7")["rule"] == "patients"
    assert said("fhir", path="/fhir/Observation")["rule"] != "patients"


def test_another_services_request_is_said() -> None:
    assert said(host="portal.example.org", path="/fhir/x")["passed"][0]["why"] == "service fhir takes it: by host and base"
    nobody = said("any", host="other.example.org", path="/")
    assert (nobody["rule"], nobody["pool"], nobody["passed"][0]["why"]) == (None, None, "no service has this host and base")


def test_who_is_not_admitted_reaches_no_rule() -> None:
    answer = said(network="192.0.2.1")
    assert (answer["rule"], answer["passed"]) == (None, [{"rule": "", "why": "accept_from does not hold the address"}])
    assert said(network="::ffff:10.1.2.3", method="GET", header_x_tenant="n")["rule"] == "north"


def down(*names: str) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(names, ("down", "Connection refused"))


def test_members_are_said_with_why() -> None:
    answer = said(method="GET", views={"main": down("a")}, overrides={"web/main/b": "drain", "web/main/c": "disable"})
    assert answer["members"] == [
        {"member": "a", "why": "down: Connection refused"},
        {"member": "b", "why": "drained: takes nobody new"},
        {"member": "c", "why": "disabled"},
        {"member": "d", "why": "up"},
    ]
    assert answer["chosen"] == "d"


def test_panic_uses_all_that_are_not_out_and_begins_below_its_share() -> None:
    one_of_two = said("any", host="x.org", path="/fhir/deep", views={"beta": down("x")})
    assert (one_of_two["last_resort"], one_of_two["chosen"]) == (True, None)  # 50 % is less than 60 %
    assert one_of_two["members"][0]["why"] == "down: Connection refused (panic: used all the same)"
    assert said(method="GET", views={"main": down("a", "b")})["last_resort"] is False  # 50 % is not less than 30 %
    assert said(method="GET", views={"main": down("a", "b", "c")})["last_resort"] is True


def test_with_nobody_usable_the_fallback_serves_and_a_page_needs_no_member() -> None:
    answer = said(method="GET", views={"main": down("a", "b", "c", "d")})
    assert (answer["pool"], answer["last_resort"]) == ("beta", False)
    page = said(method="GET", views={"main": down("a", "b", "c", "d"), "beta": down("x", "y")})
    assert (page["pool"], page["chosen"], page["last_resort"]) == ("beta", None, False)
    refused = said(method="POST", views={"writes": down("w")})
    assert (refused["pool"], refused["chosen"], refused["last_resort"]) == ("writes", None, False)


def test_failover_chooses_the_first_that_can() -> None:
    assert said("else")["chosen"] == "first"
    assert said("else", views={"order": down("first")})["chosen"] == "second"
    assert said("else", overrides={"web/order/first": "drain"})["chosen"] == "second"


def test_of_failover_one_member_is_enough_whatever_the_share() -> None:
    last = said("many", views={"long": down("a", "b", "c", "d")})
    assert (last["chosen"], last["last_resort"]) == ("e", False)  # 20 % is less than 90 %: elsewhere that were panic
    assert said("many", views={"long": down("a", "b", "c", "d", "e")})["last_resort"] is True


def test_tcp_has_rules_too() -> None:
    assert said("raw", network="10.0.0.1")["rule"] == "near"
    assert said("raw", network="192.0.2.1")["chosen"] == "10.0.6.1:9000"


def test_what_is_unknown_is_refused() -> None:
    with pytest.raises(NotFound):
        said("nobody")
    for name in ("query", "header", "header:"):
        with pytest.raises(InputRefused):
            explain(TABLE, "portal", {name: "x"})
