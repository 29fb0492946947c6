"""The one place for choosing a service by host and base in HAProxy's words: maps from hosts to services, or to sites and their bases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gurney.balance.proxied import EVERY, places
from gurney.compile.haproxy.lists import file_of
from gurney.compile.haproxy.rules import Desk, found, refused, var
from gurney.compile.haproxy.tree import Call, Host, Line, Made, MapKey, Sample, UrlPath, Word, call, sample
from gurney.config.proxied import ProxyService

MISDIRECTED, NOT_FOUND = 421, 404


def is_needed(services: Sequence[ProxyService]) -> bool:
    """False where one service takes every request of its listener."""
    return len(services) > 1 or services[0].hosts != (EVERY,) or services[0].base != "/"


def names_host(services: Sequence[ProxyService]) -> bool:
    """Whether anything asks for the host."""
    return is_needed(services) or any("host" in rule.match for service in services for rule in service.rules)


def host(desk: Desk) -> Line:
    """`txn.host`: Host without its port and a last dot, or the SNI; in lower case."""
    if desk.protocol == "tcp":
        return desk.act("set-var(txn.host)", sample(call("ssl_fc_sni"), call("lower")))
    whole = (call("req.fhdr", Word("host")), call("host_only"), call("rtrim", Word(".")), call("lower"))
    return desk.act("set-var(txn.host)", Sample(whole))


def choose(desk: Desk, fe: Made, services: Sequence[ProxyService], tls: bool) -> list[Line]:
    """`txn.service`; what no service takes is refused: another host with 421 (404 in clear), another path with 404."""
    served = places(services)
    of = {service.name: desk.named.made("v", service.path) for service in services}
    unknown = refused(desk, MISDIRECTED if tls else NOT_FOUND, "No service here has this host.", found("service", negated=True))
    if all(tuple(bases) == ("/",) for bases in served.values()):
        return [*_by_host(desk, fe, "service", {glob: of[bases["/"]] for glob, bases in served.items()}), *_unless_all(served, unknown)]
    sites = {glob: desk.named.made("h", f"{fe.name} {glob}") for glob in served}
    entries = [(MapKey(sites[glob], path=UrlPath(base)), of[service]) for glob, bases in served.items() for base, service in bases.items()]
    bases_map = desk.files.map(file_of(fe, "bases"), entries)
    whole = (var("site"), call("concat", Word(""), Word("txn.path"), Word("/")), call("map_beg", bases_map))
    nowhere = refused(desk, MISDIRECTED if tls else NOT_FOUND, "No service here has this host.", found("site", negated=True))
    return [
        *_by_host(desk, fe, "site", sites),
        *_unless_all(served, nowhere),
        desk.act("set-var(txn.path)", sample(call("path"))),
        desk.act("set-var(txn.service)", Sample(whole)),
        refused(desk, NOT_FOUND, "No service here has this path.", found("service", negated=True)),
    ]


def _unless_all(served: Mapping[str, object], line: Line) -> list[Line]:
    """The refusal, where some host is no one's."""
    return [] if EVERY in served else [line]


def _by_host(desk: Desk, fe: Made, target: str, chosen: Mapping[str, Made]) -> list[Line]:
    """`txn.TARGET` by `txn.host`: the exact name, then the longest ending, then what every host gets."""
    exact = [(Host(glob), made) for glob, made in chosen.items() if glob != EVERY and not glob.startswith("*.")]
    endings = sorted((glob for glob in chosen if glob.startswith("*.")), key=lambda glob: (-len(glob), glob))
    every: tuple[Made, ...] = (chosen[EVERY],) if EVERY in chosen else ()
    tables: list[Call] = []
    if exact or not endings:
        default = () if endings else every
        tables.append(call("map_str", desk.files.map(file_of(fe, "hosts"), exact), *default))
    if endings:
        entries = [(MapKey(None, host=Host(glob.removeprefix("*."))), chosen[glob]) for glob in endings]
        tables.append(call("map_end", desk.files.map(file_of(fe, "domains"), entries), *every))
    lines = [desk.act(f"set-var(txn.{target})", sample(var("host"), tables[0]))]
    lines += [desk.act(f"set-var(txn.{target})", sample(var("host"), table), Word("unless"), found(target)) for table in tables[1:]]
    if every:  # a request without a host at all
        lines.append(desk.act(f"set-var(txn.{target})", sample(call("str", every[0])), Word("unless"), found(target)))
    return lines
