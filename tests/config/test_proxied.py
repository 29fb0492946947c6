"""What a document of http and tcp means: every default, every key, short and long forms."""

from __future__ import annotations

from gurney.config import limits
from gurney.config.document import Application
from gurney.config.proxied import (
    MemberTls,
    Persist,
    ProxyCheck,
    ProxyLimits,
    ProxyMember,
    ProxyPool,
    ProxyService,
    Queue,
    ServiceTls,
)
from gurney.config.reader import read
from gurney.config.served import Listen, Rule
from tests.config.documents import PORTAL, with_web, with_web_pool


def portal(text: str = PORTAL) -> Application:
    """The application `portal` of a document without errors."""
    reading = read(text)
    assert reading.document is not None, "\n".join(map(str, reading.faults))
    return reading.document.applications["portal"]


def web(fragment: str) -> ProxyService:
    """The http service with a fragment among its keys."""
    return portal(with_web(fragment)).proxied["web"]


def pages(fragment: str, protocol: str = "http") -> ProxyPool:
    """The pool that is a fragment."""
    return portal(with_web_pool(fragment, protocol)).proxied_pools["pages"]


def test_the_smallest_http_service_gets_every_default() -> None:
    found = portal(with_web("accept_from: 10.0.0.0/8"))
    path = "applications.portal.services.web"
    assert found.proxied["web"] == ProxyService(
        name="web",
        path=path,
        protocol="http",
        listen=(Listen("", 8080),),
        hosts=("*",),
        base="/",
        tls=None,
        accept_from=("10.0.0.0/8",),
        accept_proxy_from=(),
        trust_forwarded_from=(),
        rules=(Rule("rule-1", path, {}, "pages"),),
        limits=ProxyLimits(5000, 10_000, None, 60_000),
    )
    check = ProxyCheck("http", 2000, 2000, 2, 3, "/", None, ((200, 399),))
    under = "applications.portal.pools.pages"
    member = ProxyMember("10.0.3.1:8080", f"{under}.members.10.0.3.1:8080", "10.0.3.1", 8080, 100, None, check, None, "none")
    assert found.proxied_pools["pages"] == ProxyPool(
        name="pages",
        path=under,
        protocol="http",
        balance="least-load",
        persist=Persist("none", 1_800_000, "none"),
        max_in_flight=200,
        queue=Queue(1000, 5000),
        slow_start_ms=30_000,
        panic=30,
        fallback=None,
        fallback_page=None,
        site=None,
        members={"10.0.3.1:8080": member},
    )


def test_the_defaults_of_tcp_differ_where_they_must() -> None:
    found = portal(with_web_pool("[10.0.3.1:8080]", "tcp"))
    pool, service = found.proxied_pools["pages"], found.proxied["web"]
    assert (pool.protocol, pool.max_in_flight, pool.balance) == ("tcp", None, "least-load")
    assert next(iter(pool.members.values())).check.kind == "tcp"
    assert (service.limits.idle_ms, service.hosts, service.tls) == (3_600_000, ("*",), None)


def test_all_keys_of_a_service_are_read() -> None:
    found = portal().proxied["web"]
    assert found.listen == (Listen("", 443), Listen("fd00::2", 8443))
    assert (found.hosts, found.base) == (("portal.example.org", "*.north.example.org"), "/portal/v1")
    assert found.tls == ServiceTls(
        certificates=("tls/portal.pem", "tls/north.pem"),
        client_ca="tls/staff.pem",
        client="optional",
        crl="tls/revoked.pem",
        alpn=("http/1.1",),
        hsts_ms=365 * 86_400_000,
        redirect_from=80,
    )
    assert found.accept_from == ("10.0.0.0/8", "fd00::/8")
    assert (found.accept_proxy_from, found.trust_forwarded_from) == (("10.0.0.2/32",), ("10.0.0.2/32",))
    assert found.limits == ProxyLimits(800, 5_000, 64 * limits.MIB, 120_000)
    assert found.rules[0].name == "api" and found.rules[0].match == {
        "method": ("GET", "POST"),
        "path": ("/api/*", "*.json"),
        "host": ("*.north.example.org",),
        "network": ("10.0.0.31/32",),
        "header:x-tenant": ("north",),
        "header:accept-language": ("en*", "d?"),
    }


def test_all_keys_of_pools_and_members_are_read() -> None:
    pool = portal().proxied_pools["pages"]
    assert (pool.balance, pool.persist, pool.max_in_flight) == ("header:x-session", Persist("cookie", 3_600_000, "source"), 50)
    assert (pool.queue, pool.slow_start_ms, pool.panic, pool.fallback, pool.site) == (Queue(10, 500), 0, 50, "sorry", "london")
    one, two = pool.members.values()
    tls = MemberTls("tls/inside.pem", "pages.example.org", "tls/us.pem")
    check = ProxyCheck("http", 500, 1000, 1, 5, "/health", "portal.example.org", ((200, 299), (301, 302)))
    assert (one.weight, one.site, one.tls, one.check, one.proxy) == (60, "london", tls, check, "none")
    assert (two.host, two.port, two.weight, two.proxy) == ("pages-2.example.org", 8443, 20, "v2")
    assert two.tls == MemberTls("system", "pages.example.org", "tls/us.pem")  # what is left out is the pool's
    assert two.check == ProxyCheck("http", 500, 1000, 1, 2, "/two", "portal.example.org", ((200, 299), (301, 302)))
    pools = portal().proxied_pools
    assert (pools["sorry"].fallback_page, pools["sorry"].fallback) == ("pages/sorry.html", None)
    assert (pools["api"].max_in_flight, pools["api"].persist.kind, list(pools["api"].members)) == (
        None,
        "cookie",
        ["10.0.3.4:80", "[fd00::4]:80"],
    )
    records = pools["records"]
    assert (records.protocol, records.balance, records.persist, records.queue) == (
        "tcp",
        "failover",
        Persist("none", 10_000),
        Queue(5, 5000),
    )
    assert {member.check.kind for member in records.members.values()} == {"http"}  # a tcp pool may be asked over http


def test_an_applications_limits_are_its_services_defaults() -> None:
    proxied = portal().proxied
    assert (proxied["web"].limits.connections, proxied["plain"].limits.connections, proxied["records"].limits.connections) == (
        800,
        800,
        100,
    )
    assert proxied["plain"].limits.idle_ms == limits.TCP_IDLE_MS  # nothing was said of idle
    assert portal().services["store"].limits.associations == 64
    both = PORTAL.replace("limits: {connections: 800,", "limits: {connections: 800, idle: 5m, body: 1MiB,")
    assert portal(both).proxied["plain"].limits.idle_ms == 300_000
    assert portal(both).proxied["images"].limits.body is None  # `none` is an answer, not a key left out


def test_short_and_long_forms_mean_the_same() -> None:
    assert pages("[10.0.3.1:8080]") == pages("{members: [{address: 10.0.3.1, port: 8080, weight: 100}], balance: least-load}")
    assert pages("{persist: cookie, members: [10.0.3.1:8080]}") == pages("{persist: {by: cookie}, members: [10.0.3.1:8080]}")
    nested = web("rules: [{match: {header: {X-A: a}, path: [/x]}, pool: pages}, {pool: pages}]")
    flat = web('rules: [{match: {path: /x, "header:x-a": [a]}, pool: pages}, {pool: pages}]')
    assert nested.rules[0].match == flat.rules[0].match == {"path": ("/x",), "header:x-a": ("a",)}
    assert web("tls: {certificate: a.pem}").tls == web("tls: {certificate: [a.pem], alpn: [h2, http/1.1]}").tls
    assert web("hosts: A.example.org").hosts == web("hosts: [a.example.org]").hosts


def test_client_certificates_are_required_where_there_is_a_ca() -> None:
    tls = web("tls: {certificate: a.pem, client_ca: ca.pem}").tls
    assert tls is not None and (tls.client, tls.alpn) == ("required", ("h2", "http/1.1"))
    tls = web("tls: {certificate: a.pem}").tls
    assert tls is not None and (tls.client, tls.client_ca, tls.crl, tls.hsts_ms, tls.redirect_from) == ("none", None, None, None, None)


def test_none_is_none() -> None:
    assert pages("{max_in_flight: none, members: [10.0.3.1:8080]}").max_in_flight is None
    assert pages("{max_in_flight: 7, members: [10.0.3.1:8080]}", "tcp").max_in_flight == 7
    assert web("limits: {body: none}").limits.body is None


def test_marks_lead_from_paths_to_lines() -> None:
    marks, lines = read(PORTAL).marks, PORTAL.splitlines()
    for path, word in (
        ("applications.portal.services.web.tls.client_ca", "client_ca:"),
        ("applications.portal.services.web.rules[0]", "name: api"),
        ("applications.portal.pools.pages.members.two.tls", "tls:"),
        ("applications.portal.pools.records.members.10.0.4.2:5432", "{address"),
        ("applications.portal.pools.sorry.fallback.page", "page:"),
    ):
        line, column = marks[path]
        assert lines[line - 1][column - 1 :].startswith(word), path
