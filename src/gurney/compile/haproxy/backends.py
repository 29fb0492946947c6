"""The one place for a pool's backend: balance, checks, queue and its servers."""

from __future__ import annotations

from dataclasses import dataclass

from gurney.compile.haproxy import servers
from gurney.compile.haproxy.bundle import Backend
from gurney.compile.haproxy.names import Ids, Names
from gurney.compile.haproxy.settings import said
from gurney.compile.haproxy.tree import Host, Int, Leaf, Line, Listed, Milliseconds, Section, UrlPath, Word, words
from gurney.config.proxied import ProxyPool


@dataclass(frozen=True, slots=True)
class Made:
    """A pool's sections and the typed values for them."""

    sections: tuple[Section, ...]
    backends: tuple[Backend, ...]


def pool(named: Names, made: ProxyPool) -> Made:
    """The backend of `made`."""
    name = named.made("be", made.path)
    ids = Ids()
    found = [servers.server(named, ids, made, member) for member in made.members.values()]
    uniform = len({server.options for server in found}) == 1
    resizable = uniform and all(server.server.arguments is not None for server in found)
    lines = [_balance(made), *_check(made), said("timeout queue", Milliseconds(made.queue.wait_ms), path=f"{made.path}.queue")]
    lines += [_masked(server, at, resizable) for at, server in enumerate(found)]
    section = Section(Line((Word("backend"), name), made.path), tuple(lines))
    return Made((section,), (Backend(name.name, made.name, resizable, tuple(server.server for server in found)),))


def _masked(server: servers.Made, at: int, resizable: bool) -> Line:
    """A server line as the shape sees it: in a resizable backend the options all servers share, once; else all but the wanted state."""
    if not resizable:
        return Line(server.line.leaves, server.line.path, server.fixed)
    return Line(server.line.leaves, server.line.path, server.options if at == 0 else ())


def _balance(made: ProxyPool) -> Line:
    words_ = {"round-robin": "roundrobin", "least-load": "leastconn", "random": "random(2)"}
    return said("balance", *words(words_[made.balance]), path=f"{made.path}.balance")


def _check(made: ProxyPool) -> list[Line]:
    check = next(iter(made.members.values())).check
    path = f"{made.path}.check"
    found = [said("timeout check", Milliseconds(check.timeout_ms), path=path)]
    if check.kind == "http":
        found += [
            said("option httpchk", path=path),
            said("http-check send meth GET uri", UrlPath(check.path), *words("ver HTTP/1.1 hdr Host"), *_host(made), path=path),
            said("http-check expect status", _statuses(check.expect), path=path),
        ]
    return found


def _host(made: ProxyPool) -> tuple[Leaf, ...]:
    check = next(iter(made.members.values())).check
    return (Host(check.host),) if check.host is not None else (Host("localhost"),)


def _statuses(ranges: tuple[tuple[int, int], ...]) -> Listed:
    """`200-399,401`."""
    return Listed(
        tuple(Int(low, 100, 599) if low == high else Listed((Int(low, 100, 599), Int(high, 100, 599)), "-") for low, high in ranges)
    )
