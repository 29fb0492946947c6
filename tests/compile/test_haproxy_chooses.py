"""What the real HAProxy chooses is what `balance.proxied.explain` says, for requests of every kind."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.balance import proxied
from gurney.config.proxied import ProxyTable
from tests.compile.carried import Answer, Running, compiled, document, members, request, serving
from tests.ports import free_ports

pytestmark = pytest.mark.live
REQUESTS = 300
POOLS = ("reads", "writes", "files", "beta", "portal")
DOCUMENT = """
gurney: 1
applications:
  web:
    services:
      portal:
        protocol: http
        listen: "127.0.0.1:{listen}"
        accept_proxy_from: [127.0.0.0/8]
        hosts: [portal.example.org, "*.clinic.example.org"]
        rules:
          - {{match: {{method: [POST, "P?T"]}}, pool: writes}}
          - {{match: {{path: [/, /api, "/static/*", "*.css", "*/images/*", "/a?c", "/x*y*z"]}}, pool: files}}
          - {{match: {{"header:x-tenant": [north, "south east", "#1", "a*b?c*", 'q"\\$]{{;']}}, pool: beta}}
          - {{match: {{network: [10.0.0.0/8, "2001:db8::/32"], host: "*.ward.clinic.example.org"}}, pool: reads}}
          - {{match: {{header: {{x-any: "*"}}, network: 192.0.2.7}}, pool: reads}}
          - {{pool: portal}}
      fhir:
        protocol: http
        listen: "127.0.0.1:{listen}"
        accept_proxy_from: [127.0.0.0/8]
        hosts: [portal.example.org, api.example.org]
        base: /fhir
        accept_from: [10.0.0.0/8, 192.0.2.0/24]
        rules:
          - {{match: {{path: ["/", "/Patient*"]}}, pool: reads}}
          - {{match: {{path: "*/Binary/?"}}, pool: files}}
          - {{pool: writes}}
      deep: {{protocol: http, listen: "127.0.0.1:{listen}", accept_proxy_from: [127.0.0.0/8], base: /fhir/deep, rules: [{{pool: beta}}]}}
      ward:
        protocol: http
        listen: "127.0.0.1:{listen}"
        accept_proxy_from: [127.0.0.0/8]
        hosts: ["*.ward.clinic.example.org"]
        base: /w
        rules: [{{match: {{path: "/?*"}}, pool: files}}, {{pool: beta}}]
    pools:
      reads: {{check: {{interval: 200ms}}, members: ["127.0.0.1:{reads}"]}}
      writes: {{check: {{interval: 200ms}}, members: ["127.0.0.1:{writes}"]}}
      files: {{check: {{interval: 200ms}}, members: ["127.0.0.1:{files}"]}}
      beta: {{check: {{interval: 200ms}}, members: ["127.0.0.1:{beta}"]}}
      portal: {{check: {{interval: 200ms}}, members: ["127.0.0.1:{portal}"]}}
"""
HOSTS = (
    "portal.example.org", "PORTAL.example.org.", "portal.example.org:8443", "a.clinic.example.org", "b.ward.clinic.example.org",
    "clinic.example.org", "api.example.org", "other.example.org", "x.api.example.org", "ward.clinic.example.org",
)  # fmt: skip
PATHS = (
    "/", "/api", "/api/", "/static/", "/static/x.png", "/x/style.css", "/style.csss", "/y/images/z", "/images/", "/abc", "/abbc", "/xayaz",
    "/xyz", "/xzy", "/fhir", "/fhir/", "/fhirx", "/fhir/Patient/1", "/fhir/Patients", "/fhir/x/Binary/1", "/fhir/Binary/12", "/fhir/deep",
    "/fhir/deep/x", "/fhir/deeper", "/w", "/w/x", "/q?a=/api", "/a%2Fc", "//api", "/static",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PAT", "DELETE", "get")
SOURCES = ("10.1.2.3", "192.0.2.7", "192.0.2.8", "203.0.113.9", "2001:db8::5", "2001:db9::5")
TENANTS = (None, "north", "North", "south east", "southeast", "#1", "axbyc", "abc", "a-b-cd", 'q"\\$]{;', "northx")


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, int, dict[int, str], ProxyTable]]:
    """A running HAProxy, its port, the pools by the port of their member, and the table it was compiled from."""
    listen, *ports = free_ports(1 + len(POOLS))
    text = DOCUMENT.format(listen=listen, **dict(zip(POOLS, ports, strict=True)))
    application = document(text).applications["web"]
    table = ProxyTable("web", application.proxied, application.proxied_pools)
    folder = tmp_path_factory.mktemp("front")
    with members(ports, folder / "origin"), serving(compiled(text), folder / "front") as running:
        yield running, listen, dict(zip(ports, POOLS, strict=True)), table


def expected(table: ProxyTable, facts: dict[str, str]) -> tuple[int, str | None]:
    """The status and the pool by our own words."""
    host = facts["host"].lower().rstrip(".").partition(":")[0].rstrip(".")
    found = proxied.places(table.services.values())
    service = proxied.service_at(found, host, facts["path"])
    if service is None:
        return 404, None
    said = proxied.explain(table, service, {**facts, "host": host})
    if said["pool"] is None:
        return (403 if said["passed"] and "accept_from" in said["passed"][-1]["why"] else 404), None
    return 200, said["pool"]


def asked(listen: int, facts: dict[str, str], target: str) -> Answer:
    lines = [f"{facts['method']} {target} HTTP/1.1", f"Host: {facts['host']}"]
    lines += [f"{name.removeprefix('header:')}: {value}" for name, value in facts.items() if name.startswith("header:")]
    if facts["method"] not in ("GET", "HEAD", "DELETE", "get"):
        lines.append("Content-Length: 0")
    return request(listen, lines, source=facts["network"])


def test_the_choice_is_the_one_explained(front: tuple[Running, int, dict[int, str], ProxyTable]) -> None:
    _, listen, pools, table = front
    chance = random.Random(4)
    seen: set[tuple[int, str | None]] = set()
    for _ in range(REQUESTS):
        target = chance.choice(PATHS)
        facts = {
            "method": chance.choice(METHODS[:6]),
            "host": chance.choice(HOSTS),
            "path": target.partition("?")[0],
            "network": chance.choice(SOURCES),
        }
        tenant = chance.choice(TENANTS)
        if tenant is not None:
            facts["header:x-tenant"] = tenant
        if chance.random() < 0.3:
            facts["header:x-any"] = "1"
        wanted = expected(table, facts)
        answer = asked(listen, facts, target)
        pool = wanted[1] if facts["method"] == "HEAD" and answer.status == 200 else pools.get(answer.port or 0)
        assert (answer.status, pool) == wanted, (facts, target)
        seen.add(wanted)
    assert {pool for _, pool in seen} >= set(POOLS)
    assert {status for status, _ in seen} == {200, 403, 404}


def test_what_a_header_says_twice_counts(front: tuple[Running, int, dict[int, str], ProxyTable]) -> None:
    """Any of a header's lines may fit."""
    _, listen, pools, _ = front
    lines = ["GET /zzz HTTP/1.1", "Host: portal.example.org", "X-Tenant: none", "X-Tenant: north"]
    assert pools[request(listen, lines, source="203.0.113.9").port or 0] == "beta"


def test_the_log_names_service_and_rule_and_no_value(front: tuple[Running, int, dict[int, str], ProxyTable]) -> None:
    running, listen, _, _ = front
    request(listen, ["GET /canary-path?canary=query HTTP/1.1", "Host: portal.example.org", "X-Tenant: canary-value"], source="203.0.113.9")
    said = running.command("show events logs")
    assert "canary" not in said
    names = running.bundle.names
    assert any(f'"rule":"{name}"' in said for name, path in names.items() if path.endswith("services.portal.rules[5]"))
    assert any(f'"service":"{name}"' in said for name, path in names.items() if path.endswith("services.portal"))


def test_the_loaded_process_is_the_bundle(front: tuple[Running, int, dict[int, str], ProxyTable]) -> None:
    """reliability §5: what the engine lists equals what was compiled: proxies, servers, addresses."""
    running, listen, _, _ = front
    rows = [line.split(",") for line in running.command("show stat").splitlines() if line and not line.startswith("#")]
    assert {row[0] for row in rows if row[1] == "FRONTEND"} == {one.name for one in running.bundle.frontends}
    wanted = {(back.name, server.name) for back in running.bundle.backends for server in back.servers}
    assert {(row[0], row[1]) for row in rows if row[1] not in ("FRONTEND", "BACKEND")} == wanted
    sockets = running.command("show cli sockets")
    assert f"description: {running.bundle.shape}" in running.command("show info")
    assert str(listen) not in sockets


def test_every_line_of_the_file_that_has_a_place_names_one_of_the_document(front: tuple[Running, int, dict[int, str], ProxyTable]) -> None:
    running = front[0]
    places = {path for path in running.bundle.lines if path}
    assert all(path.startswith("applications.web.") for path in places)
    assert Path(running.folder / "current/haproxy.cfg").read_text().count("\n") == len(running.bundle.lines)
