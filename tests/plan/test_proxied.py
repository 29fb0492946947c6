"""What changes about services of http and tcp, as a person reads it; a field nobody shows would be a change nobody sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from gurney.config.document import Application
from gurney.config.proxied import MemberTls, ProxyMember, ProxyPool, ProxyService, ServiceTls
from gurney.config.served import Listen
from gurney.plan.difference import differences
from tests.sim.drawn import Drawn, One, processes

HERE = processes({"web": Drawn({"site": One((Listen("", 80),))}, {"m1": 100, "m2": 100})})["web", "haproxy"].application
TLS = ServiceTls(("a.pem",), None, "none", None, ("h2",), None, None)
MEMBER_TLS = MemberTls("system", None, None)


def there() -> Application:
    assert HERE is not None
    return HERE


def service(**changes: Any) -> Application:
    one: ProxyService = replace(there().proxied["site"], **changes)
    return replace(there(), proxied={"site": one})


def pool(**changes: Any) -> Application:
    one: ProxyPool = replace(there().proxied_pools["pool"], **changes)
    return replace(there(), proxied_pools={"pool": one})


def member(**changes: Any) -> Application:
    members = there().proxied_pools["pool"].members
    one: ProxyMember = replace(members["m1"], **changes)
    return pool(members={**members, "m1": one})


def said(before: Application, after: Application) -> list[str]:
    return [str(one).removeprefix("applications.web.") for one in differences(before, after)]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (service(listen=(Listen("", 81),)), "services.site.listen: *:80 → *:81"),
        (service(hosts=("a.example", "*.b.example")), "services.site.hosts: * → a.example, *.b.example"),
        (service(accept_from=("10.0.0.0/8",)), "services.site.accept_from: everyone → 10.0.0.0/8"),
        (service(tls=TLS), "services.site.tls: none → certificate a.pem"),
        (pool(balance="source"), "pools.pool.balance: least-load → source"),
        (pool(panic=30), "pools.pool.panic: 0% → 30%"),
        (pool(fallback_page="sorry.html"), "pools.pool.fallback.page: none → sorry.html"),
        (member(weight=7), "pools.pool.members.m1.weight: 100 → 7"),
        (member(override="drain"), "pools.pool.members.m1: override none → drain"),
        (member(host="10.0.9.9"), "pools.pool.members.m1.address: 10.0.2.1:8080 → 10.0.9.9:8080"),
        (member(tls=MEMBER_TLS), "pools.pool.members.m1.tls: none → verified by system"),
    ],
)
def test_a_difference_is_one_line_with_its_path(after: Application, words: str) -> None:
    assert said(there(), after) == [words]


def test_what_comes_and_goes_is_one_line(  # whole services, pools, members, applications
) -> None:
    bare = replace(there(), proxied={}, proxied_pools={})
    assert said(bare, there()) == [
        "services.site: service added: http on *:80, 1 rule",
        "pools.pool: pool added: least-load over 10.0.2.1:8080, 10.0.2.1:8080",
    ]
    assert said(there(), bare) == ["services.site: service removed", "pools.pool: pool removed"]
    assert [str(one) for one in differences(None, there())] == ["applications.web: added: 1 service, 1 pool, 2 members"]


def test_every_field_that_can_differ_is_said() -> None:
    """A field added to the types of what HAProxy carries must be added to the plan too."""
    site, portal = there().proxied["site"], there().proxied_pools["pool"]
    first = portal.members["m1"]
    variants = [service(**{name: value}) for name, value in _others(site)]
    variants += [service(limits=replace(site.limits, **{name: value})) for name, value in _others(site.limits)]
    variants += [service(rules=(replace(site.rules[0], **{name: value}),)) for name, value in _others(site.rules[0])]
    variants += [pool(**{name: value}) for name, value in _others(portal)]
    variants += [pool(persist=replace(portal.persist, **{name: value})) for name, value in _others(portal.persist)]
    variants += [pool(queue=replace(portal.queue, **{name: value})) for name, value in _others(portal.queue)]
    variants += [member(**{name: value}) for name, value in _others(first)]
    variants += [member(check=replace(first.check, **{name: value})) for name, value in _others(first.check)]
    assert len(variants) >= 40
    for variant in variants:
        assert differences(there(), variant), variant
    with_tls, member_tls = service(tls=TLS), member(tls=MEMBER_TLS)
    for name, value in _others(TLS):
        assert differences(with_tls, service(tls=replace(TLS, **{name: value}))), name
    for name, value in _others(MEMBER_TLS):
        assert differences(member_tls, member(tls=replace(MEMBER_TLS, **{name: value}))), name


def _others(node: Any) -> Iterator[tuple[str, Any]]:
    """Every field of its own with another value."""
    skipped = ("name", "path", "members", "rules", "check", "limits", "persist", "queue", "match", "tls")
    for item in fields(node):
        if item.name in skipped and not (item.name == "path" and type(node).__name__ == "ProxyCheck"):
            continue
        value = getattr(node, item.name)
        yield (
            item.name,
            value + 1 if isinstance(value, int) else (7 if item.name.endswith("_ms") or item.name in _NUMBERS else _other(value)),
        )


_NUMBERS = ("body", "redirect_from", "max_in_flight")


def _other(value: Any) -> Any:
    if not isinstance(value, tuple):
        return "other"
    if value and isinstance(value[0], Listen):
        return (Listen("", 9),)
    return ((500, 500),) if value and isinstance(value[0], tuple) else ("other",)
