"""Lint: each rule bites on what it is for and on nothing beside it; faults elsewhere keep it silent."""

from __future__ import annotations

import pytest

from gurney.config.reader import read
from tests.config.documents import with_pool, with_service, with_web, with_web_pool


def lint(text: str) -> list[str]:
    """The lint codes of a document, in file order."""
    return [fault.code for fault in read(text).faults if fault.code.startswith("GRN-L")]


def two(first: str, second: str) -> str:
    """Two applications with a listener each."""
    application = "  {name}:\n    services: {{s: {{protocol: dicom, listen: {listen}}}}}\n    pools: {{p: [A@10.0.0.1:104]}}\n"
    return "gurney: 1\napplications:\n" + application.format(name="a", listen=first) + application.format(name="b", listen=second)


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("104", "104", True),
        ("104", "105", False),
        ("104", "10.0.0.2:104", True),
        ("10.0.0.2:104", "104", True),
        ("10.0.0.2:104", "10.0.0.3:104", False),
        ("10.0.0.2:104", "10.0.0.2:104", True),
        ("0.0.0.0:104", "10.0.0.2:104", True),
        ("10.0.0.2:104", "0.0.0.0:104", True),
        ("0.0.0.0:104", "'[fd00::2]:104'", False),
        ("'[::]:104'", "'[fd00::2]:104'", True),
        ("'[fd00::2]:104'", "'[::]:104'", True),
        ("'[::]:104'", "0.0.0.0:104", False),
        ("'[::]:104'", "104", True),
        ("'[fd00::2]:104'", "'[FD00:0::2]:104'", True),
    ],
)
def test_one_address_has_one_listener(first: str, second: str, clash: bool) -> None:
    assert lint(two(first, second)) == (["GRN-L004"] if clash else [])


@pytest.mark.parametrize(
    ("member", "circle"),
    [
        ("A@127.0.0.1:11112", True),
        ("A@localhost:11112", True),
        ("'A@[::1]:11112'", True),
        ("A@127.0.0.1:11113", False),
        ("A@10.0.0.1:11112", False),
    ],
)
def test_a_member_is_not_its_own_service(member: str, circle: bool) -> None:
    assert lint(with_pool(f"[{member}]")) == (["GRN-L006"] if circle else [])


def test_another_applications_listener_may_be_a_member() -> None:
    chained = two("104", "105").replace("A@10.0.0.1:104", "A@127.0.0.1:105", 1)
    assert lint(chained) == []


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ("[{pool: archive}]", []),
        ("[{match: {modality: CT}, pool: archive}, {pool: archive}]", []),
        ("[{match: {modality: CT}, pool: archive}]", ["GRN-L002"]),
        ("[{pool: archive}, {match: {modality: CT}, pool: archive}]", ["GRN-L001"]),
        ("[{pool: archive}, {pool: archive}]", ["GRN-L001"]),
        ("[{match: {modality: [CT, MR]}, pool: archive}, {match: {modality: [MR, CT]}, pool: archive}, {pool: archive}]", ["GRN-L003"]),
        ("[{match: {modality: CT}, pool: archive}, {match: {modality: CT, station: A}, pool: archive}, {pool: archive}]", []),
        ("[{match: {called_ae: 'P*'}, pool: archive}, {pool: archive}]", []),
        ("[{match: {called_ae: 'X*'}, pool: archive}, {pool: archive}]", ["GRN-L011"]),
        ("[{match: {listener: '*:11112'}, pool: archive}, {pool: archive}]", []),
        ("[{match: {listener: '*:1'}, pool: archive}, {pool: archive}]", ["GRN-L012"]),
        ("[{match: {request: echo}, pool: archive}, {pool: archive}]", ["GRN-L013"]),
        ("[{match: {request: [echo, store]}, pool: archive}, {pool: archive}]", []),
    ],
)
def test_rules(rules: str, found: list[str]) -> None:
    assert lint(with_service(f"ae_title: PACS, rules: {rules}")) == found


@pytest.mark.parametrize(
    ("pool", "found"),
    [
        ("{members: {a: 'A@10.0.0.1:104', b: 'A@10.0.0.1:104'}}", ["GRN-L007"]),
        ("{members: {a: 'A@10.0.0.1:104', b: 'B@10.0.0.1:104'}}", []),
        ("{check: {kind: tcp, expect_contexts: [['1.2', '1.3']]}, members: ['A@10.0.0.1:104']}", ["GRN-L008"]),
        ("{check: {kind: tcp, expect_contexts: []}, members: ['A@10.0.0.1:104']}", []),
        ("{balance: failover, members: [{address: 'A@10.0.0.1:104', weight: 100}]}", ["GRN-L009"]),
        ("{balance: failover, members: ['A@10.0.0.1:104']}", []),
    ],
)
def test_pools(pool: str, found: list[str]) -> None:
    assert lint(with_pool(pool)) == found


def test_limits_and_senders() -> None:
    assert lint(with_service("limits: {associations_per_ae: 300}")) == ["GRN-L010"]
    assert lint(with_service("limits: {associations: 8}")) == []  # what was not written is not complained about
    assert lint(with_service("accept_from: [ct1.lan, CT1, CT1, CT1]")) == ["GRN-L015", "GRN-L016"]


def test_a_pool_only_a_later_service_leads_to_is_not_called_unused() -> None:
    text = with_service("rules: [{pool: archive, copy_to: [vna]}]") + "      vna: [VNA@10.0.0.31:104]\n      idle: [IDLE@10.0.0.32:104]\n"
    assert lint(text) == []  # `copy_to` may name any pool: judged again when it is gone
    assert lint(text.replace(", copy_to: [vna]", "")) == ["GRN-L005", "GRN-L005"]


def web(*services: str) -> str:
    """Services of one application, each with its keys, that lead to one pool."""
    lines = "".join(f"      s{number}: {{rules: [{{pool: p}}], {keys}}}\n" for number, keys in enumerate(services, 1))
    return f"gurney: 1\napplications:\n  a:\n    services:\n{lines}    pools: {{p: [10.9.0.1:80], q: [A@10.9.0.2:104]}}\n"


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("protocol: http, listen: 80, hosts: [a.org]", "protocol: http, listen: 80, hosts: [b.org]", []),
        ("protocol: http, listen: 80, hosts: [a.org]", "protocol: http, listen: 80", []),
        ("protocol: http, listen: 80, base: /a", "protocol: http, listen: 80, base: /a/b", []),
        ("protocol: http, listen: 80", "protocol: http, listen: 80", ["GRN-L018"]),
        ("protocol: http, listen: 80, hosts: [a.org, b.org]", "protocol: http, listen: 80, hosts: [B.org]", ["GRN-L018"]),
        ("protocol: http, listen: 80, hosts: ['*.a.org']", "protocol: http, listen: 80, hosts: [x.a.org]", []),
        ("protocol: http, listen: 80", "protocol: http, listen: 10.0.0.1:80", ["GRN-L004"]),
        ("protocol: http, listen: 80", "protocol: tcp, listen: 80", ["GRN-L004"]),
        ("protocol: tcp, listen: 80", "protocol: tcp, listen: 80", ["GRN-L018"]),
        ("protocol: tcp, listen: 80", "protocol: tcp, listen: 81", []),
        (
            "protocol: tcp, listen: 80, hosts: [a.org], tls: {certificate: a.pem}",
            "protocol: tcp, listen: 80, hosts: [b.org], tls: {certificate: b.pem}",
            [],
        ),
        ("protocol: http, listen: 80, hosts: [a.org]", "protocol: http, listen: 80, tls: {certificate: a.pem}", ["GRN-L019"]),
        ("protocol: http, listen: 80, hosts: [a.org], limits: {body: 1MiB}", "protocol: http, listen: 80", []),
        ("protocol: http, listen: 80, hosts: [a.org], limits: {idle: 1s}", "protocol: http, listen: 80", ["GRN-L019"]),
        ("protocol: http, listen: 80, hosts: [a.org], accept_from: 10.0.0.1", "protocol: http, listen: 80", []),
        ("protocol: http, listen: 80, hosts: [a.org], accept_proxy_from: 10.0.0.1", "protocol: http, listen: 80", ["GRN-L019"]),
        ("protocol: http, listen: 443, tls: {certificate: a.pem, redirect_from: 80}", "protocol: http, listen: 80", ["GRN-L004"]),
        ("protocol: http, listen: 80", "protocol: http, listen: 443, tls: {certificate: a.pem, redirect_from: 80}", ["GRN-L004"]),
        ("protocol: http, listen: 443, tls: {certificate: a.pem, redirect_from: 443}", "protocol: http, listen: 80", ["GRN-L004"]),
        (
            "protocol: http, listen: 443, hosts: [a.org], tls: {certificate: a.pem, redirect_from: 80}",
            "protocol: http, listen: 443, tls: {certificate: a.pem, redirect_from: 80}",
            [],
        ),
        (
            "protocol: http, listen: 443, hosts: [a.org], tls: {certificate: a.pem, redirect_from: 80}",
            "protocol: http, listen: 444, hosts: [b.org], tls: {certificate: a.pem, redirect_from: 80}",
            [],
        ),
        (
            "protocol: http, listen: 443, tls: {certificate: a.pem, redirect_from: 80}",
            "protocol: http, listen: 444, tls: {certificate: a.pem, redirect_from: 80}",
            ["GRN-L020"],
        ),
    ],
)
def test_who_may_share_a_listener(first: str, second: str, found: list[str]) -> None:
    text = (
        web(first, second)
        if "tcp" in second and "tcp" in first
        else web(first, second).replace("pool: p}], protocol: tcp", "pool: t}], protocol: tcp")
    )
    text = text.replace("pools: {p:", "pools: {t: [10.9.0.3:80], p:")
    assert [code for code in lint(text) if code != "GRN-L005"] == found


def test_a_listener_is_said_where_it_stands_in_the_file() -> None:
    """HAProxy's services are looked at after the route process's, yet the later in the file is the one that clashes."""
    text = web("protocol: http, listen: 104", "protocol: dicom, listen: 104").replace(
        "pool: p}], protocol: dicom", "pool: q}], protocol: dicom"
    )
    (fault,) = [fault for fault in read(text).faults if fault.severity == "error"]
    assert (fault.code, fault.line) == ("GRN-L004", 6)


@pytest.mark.parametrize(
    ("member", "circle"),
    [("127.0.0.1:8080", True), ("localhost:8080", True), ("'[::1]:8080'", True), ("127.0.0.1:8081", False), ("10.0.0.1:8080", False)],
)
def test_a_member_of_haproxys_is_not_its_own_service(member: str, circle: bool) -> None:
    assert lint(with_web_pool(f"[{member}]")) == (["GRN-L006"] if circle else [])


@pytest.mark.parametrize(
    ("pool", "found"),
    [
        ("{members: {a: '10.0.0.1:80', b: '10.0.0.1:80'}}", ["GRN-L007"]),
        ("{balance: failover, members: [{address: '10.0.0.1:80', weight: 100}]}", ["GRN-L009"]),
        ("{fallback: pages, members: ['10.0.0.1:80']}", ["GRN-L021"]),
        ("{fallback: {page: sorry.html}, members: ['10.0.0.1:80']}", []),
        ("{balance: source, persist: source, members: ['10.0.0.1:80']}", ["GRN-L023"]),
        ("{balance: source, persist: {by: cookie, then: source}, members: ['10.0.0.1:80']}", ["GRN-L023"]),
        ("{balance: uri, persist: source, members: ['10.0.0.1:80']}", []),
        ("{max_in_flight: none, queue: {most: 5}, members: ['10.0.0.1:80']}", ["GRN-L023"]),
        ("{queue: {most: 5}, members: ['10.0.0.1:80']}", []),
        ("{tls: {}, members: ['10.0.0.1:80']}", ["GRN-L024"]),
        ("{tls: {}, members: ['a.org:80']}", []),
        ("{tls: {server_name: a.org}, members: ['10.0.0.1:80', '[fd00::1]:80']}", []),
        ("{tls: {}, members: [{address: '[fd00::1]:80', tls: {server_name: a.org}}]}", []),
        ("{tls: {ca: x.pem, certificate: x.pem}, members: ['a.org:80']}", ["GRN-L025"]),
        ("{tls: {ca: x.pem, certificate: y.pem}, fallback: {page: z.html}, members: ['a.org:80']}", []),
    ],
)
def test_pools_of_haproxy(pool: str, found: list[str]) -> None:
    assert lint(with_web_pool(pool)) == found


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ("[{match: {path: /a}, pool: pages}]", ["GRN-L002"]),
        ("[{pool: pages}, {match: {path: /a}, pool: pages}]", ["GRN-L001"]),
        ("[{match: {method: get}, pool: pages}, {match: {method: GET}, pool: pages}, {pool: pages}]", ["GRN-L003"]),
        ("[{match: {host: a.example.org}, pool: pages}, {pool: pages}]", []),
        ("[{match: {host: '*.example.org'}, pool: pages}, {pool: pages}]", []),
        ("[{match: {host: x.north.example.org}, pool: pages}, {pool: pages}]", []),
        ("[{match: {host: 'x*'}, pool: pages}, {pool: pages}]", []),  # two wildcards are not looked into
        ("[{match: {host: b.example.org}, pool: pages}, {pool: pages}]", ["GRN-L022"]),
    ],
)
def test_rules_of_http(rules: str, found: list[str]) -> None:
    assert lint(with_web(f"hosts: [a.example.org, '*.north.example.org'], rules: {rules}")) == found


def test_a_pool_that_stands_in_for_a_used_one_is_used() -> None:
    text = with_web_pool("{fallback: second, members: ['10.0.0.1:80']}").replace("listen: 8080", "listen: 8080, rules: [{pool: pages}]")
    more = "      second: {fallback: third, members: ['10.0.0.2:80']}\n      third: [10.0.0.3:80]\n"
    assert lint(text + more) == []
    assert lint(text + more + "      fourth: {fallback: third, members: ['10.0.0.4:80']}\n") == ["GRN-L005"]


def test_networks_that_are_there_twice() -> None:
    keys = "accept_from: [10.0.0.1, 10.0.0.1/32], accept_proxy_from: [10.0.0.0/8, 10.0.0.0/8], trust_forwarded_from: [10.0.0.2, 10.0.0.2]"
    assert lint(with_web(keys)) == ["GRN-L015"] * 3


def test_a_circle_is_said_once_and_only_where_it_is() -> None:
    pools = {"a": "b", "b": "c", "c": "a", "d": "a", "e": "f"}
    lines = "".join(f"      {name}: {{fallback: {back}, members: ['10.0.0.{at}:80']}}\n" for at, (name, back) in enumerate(pools.items()))
    rules = ", ".join(f"{{match: {{path: /{name}}}, pool: {name}}}" for name in pools)
    text = with_web(f"rules: [{rules}, {{pool: pages}}]") + lines + "      f: ['10.0.0.9:80']\n"
    (fault,) = read(text).errors
    assert (fault.code, fault.message) == ("GRN-L021", "pool 'a' falls back to itself: a → b → c → a")


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ("trust_forwarded_from: [10.0.0.0/8]", []),
        ("trust_forwarded_from: [10.0.0.0/8, 0.0.0.0/0]", ["GRN-L026"]),
        ("accept_proxy_from: '::/0', trust_forwarded_from: 0.0.0.0/0", ["GRN-L026", "GRN-L026"]),
        ("accept_from: 0.0.0.0/0", []),
        ("base: /fhir, rules: [{match: {path: /fhir/*}, pool: pages}, {pool: pages}]", ["GRN-L027"]),
        ("base: /fhir, rules: [{match: {path: [/x, /fhir]}, pool: pages}, {pool: pages}]", ["GRN-L027"]),
        ("base: /fhir, rules: [{match: {path: /fhirish/*}, pool: pages}, {pool: pages}]", []),
        ("base: /fhir, rules: [{match: {path: /Patient/*}, pool: pages}, {pool: pages}]", []),
        ("rules: [{match: {path: /fhir/*}, pool: pages}, {pool: pages}]", []),
    ],
)
def test_services_of_http(keys: str, found: list[str]) -> None:
    assert lint(with_web(keys)) == found
