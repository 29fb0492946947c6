"""The one place for a listener's frontend."""

from __future__ import annotations

from gurney.compile.haproxy import settings
from gurney.compile.haproxy.bundle import Frontend
from gurney.compile.haproxy.names import Names
from gurney.compile.haproxy.settings import said
from gurney.compile.haproxy.tree import Address, Format, Header, Int, Leaf, Line, Milliseconds, Section, Term, Word, call, sample, words
from gurney.config.addresses import spell_target
from gurney.config.proxied import ProxyService, ProxyTable
from gurney.config.served import Listen


def listener_name(listen: Listen) -> str:
    """How a listener is called everywhere: `HOST:PORT`, `*:PORT` for every address, IPv6 in brackets."""
    return spell_target(listen.host or "*", listen.port)


def frontend(named: Names, table: ProxyTable, listen: Listen, services: tuple[ProxyService, ...]) -> tuple[Section, Frontend]:
    """The frontend of one listener."""
    name = named.made("fe", listener_name(listen))
    first = services[0]
    lines = [
        said("bind", *_bind(listen), path=f"{first.path}.listen"),
        said("maxconn", Int(sum(service.limits.connections for service in services), 1), path=f"{first.path}.limits"),
        said("timeout client", Milliseconds(max(service.limits.idle_ms for service in services)), path=f"{first.path}.limits"),
        Line((*words("http-request disable-l7-retry unless"), _method())),
        Line((*words("http-request set-header"), Header("X-Forwarded-For"), Format((sample(call("src")),)))),
        Line((Word("default_backend"), named.made("be", table.pools[first.rules[-1].pool].path)), first.path),
    ]
    made = Frontend(name.name, listener_name(listen), listen, tuple(service.name for service in services))
    return Section(Line((Word("frontend"), name), first.path), tuple(lines)), made


def _bind(listen: Listen) -> tuple[Leaf, ...]:
    at = Address(listen.host or "::", listen.port)
    return (at, *(() if listen.host else words("v4v6")), Word("tcp-ut"), Milliseconds(settings.TCP_UT_MS["http"]))


def _method() -> Term:
    return Term(sample(call("method")), words("-m str"), words("GET HEAD"))
