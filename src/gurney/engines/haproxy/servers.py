"""The one place for members at run time: what differs between the servers that run and those of a bundle, and the commands that mend it.

Pure: the same comparison is what observation says in words and what a change carries out, so a change that was cut off is completed by
comparing again. What HAProxy 2.8.25 does, tried:
- `add server` leaves it in maintenance without checks. `enable health` comes before `state ready`: then it counts as up and one failed
  check takes it out; the other way round its checks begin in an odd state (`UP -1/3`).
- `del server` wants maintenance and no connection, an idle one included; those HAProxy closes within seconds (pool-purge-delay). Until
  then the server is *leaving*: in maintenance with weight 0 and a mark in its maxconn, which tells it from a disabled member whoever
  looks, and with which options it was made, so that it can come back while it still has connections.
- A server's options cannot be changed nor read back: a member whose options differ needs a reload.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gurney.compile.haproxy.bundle import CONFIGURATION, Backend, Bundle, Server
from gurney.engines.haproxy import commands
from gurney.engines.haproxy.commands import Command, Verb
from gurney.engines.haproxy.running import Row, Running
from gurney.errors import InputRefused

NAMELESS = "MAINT (resolution)"  # its name has no address
ADD, SET, OUT, REMOVE = range(4)  # in this order: make before break
_MARK = 1 << 30  # as maxconn: no limit anybody sets; more than that is the digest of the options


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that runs otherwise than the bundle says.

    `text` says what is so and what is wanted ("": nothing that is seen), `done` what was done when `commands` were carried out. Without
    commands: only a reload mends it. `order`: one of ADD, SET, OUT (into maintenance), REMOVE. `server`: backend, server, id, where its
    stick entries are to be cleared.
    """

    text: str
    done: str
    order: int
    commands: tuple[Command, ...]
    server: tuple[str, str, str] | None = None
    replaces: bool = False  # `commands` begin with a `del server` that may be refused while there are sessions


@dataclass(frozen=True, slots=True)
class Leaving:
    """A server that is in the bundle no more and still has connections, or only waits to be deleted."""

    backend: str
    server: str
    address: str
    sessions: int


def differences(running: Running, bundle: Bundle, before: Bundle | None = None) -> tuple[Difference, ...]:
    """What differs, in the order in which it is to be mended. `before`: the bundle that knows the options of what goes, if there is one."""
    found: list[Difference] = []
    known = {(backend.name, server.name): server for backend in (before.backends if before else ()) for server in backend.servers}
    for backend in bundle.backends:
        rows = running.servers.get(backend.name)
        if rows is None:
            found.append(Difference(f"HAProxy has no backend {backend.name} for pool '{backend.pool}'", "", ADD, ()))
            continue
        for server in backend.servers:
            row = rows.get(server.name)
            if row is None:
                found.append(_missing(backend, server))
            elif not _as_wanted(server, row):
                found += _differing(backend, server, row)
        found += _foreign(backend, rows, known)
    return tuple(sorted(found, key=lambda one: one.order))


def leaving(running: Running, bundle: Bundle) -> tuple[Leaving, ...]:
    """What the bundle has no more and takes nothing new."""
    found = []
    for backend in bundle.backends:
        known = {server.name for server in backend.servers}
        for name, row in running.servers.get(backend.name, {}).items():
            if name not in known and marked(row) and commands.named(name):
                found.append(Leaving(backend.name, name, row.addr, row.number("scur")))
    return tuple(found)


def reap(one: Leaving) -> Command:
    """The command that ends it, refused while it has connections."""
    return commands.on_server(Verb.DELETE, one.backend, one.server)


def flush(one: Leaving) -> tuple[Command, ...]:
    """The commands that close its idle connections: HAProxy does that when maintenance begins."""
    return commands.on_server(Verb.DRAIN, one.backend, one.server), commands.on_server(Verb.MAINTENANCE, one.backend, one.server)


def out(row: Row) -> bool:
    """Whether it is in maintenance by our word, or the one whose checks it follows is; `MAINT (resolution)` is not."""
    return row.status == "MAINT" or row.status.startswith("MAINT (via ")


def marked(row: Row) -> bool:
    """Whether it was taken out by us for good. A server that is just being added is in maintenance too, and without the mark."""
    return out(row) and row.uweight == "0" and row.number("slim") >= _MARK


def mark(server: Server | None) -> int:
    """The maxconn of a leaving server: which options it has; without them none that any server has."""
    made = options(server) if server is not None else None
    if made is None:
        return _MARK
    return _MARK + 1 + int.from_bytes(hashlib.sha256(repr(made).encode()).digest()[:3])


def reload_reason(before: Bundle, after: Bundle) -> str | None:
    """Why bundles of the same shape still need a reload; None when the runtime socket can carry the change out."""
    if before.shape != after.shape:
        return "what HAProxy reads at its start differs"
    if before.materials != after.materials:
        changed = [name for name in after.materials if before.materials.get(name) != after.materials[name]]
        if before.materials.keys() != after.materials.keys() or not set(changed) <= set(after.swappable):
            return "a file that cannot be swapped at run time differs"
    if {name: text for name, text in before.files.items() if name not in (CONFIGURATION, *before.maps)} != {
        name: text for name, text in after.files.items() if name not in (CONFIGURATION, *after.maps)
    }:
        return "a file that is no map differs"
    known = {backend.name: {server.name: server for server in backend.servers} for backend in before.backends}
    for backend in after.backends:
        reason = _reason(backend, known.get(backend.name, {}))
        if reason is not None:
            return reason
    return None


def _reason(backend: Backend, before: Mapping[str, Server]) -> str | None:
    names = {server.name for server in backend.servers}
    if not backend.resizable and names != before.keys():
        return f"members of pool '{backend.pool}' cannot come and go at run time"
    for server in backend.servers:
        old = before.get(server.name)
        if old is None:
            if server.arguments is None or _spelled(server.address) is None:
                return f"member {server.member} cannot be added at run time"
        elif old.arguments != server.arguments and options(old) != options(server):
            return f"the options of member {server.member} differ"
        elif old.address != server.address and (_spelled(old.address) is None or _spelled(server.address) is None):
            return f"member {server.member} is given by a name"
    return None


def options(server: Server) -> tuple[tuple[str, ...], ...] | None:
    """The options that cannot be changed at run time, in order; None when it cannot be added at run time at all."""
    if server.arguments is None:
        return None
    try:
        return tuple(pair for pair in commands.pairs(server.arguments) if pair[0] not in ("weight", "maxconn", "disabled", "enabled"))
    except InputRefused:
        return None


def _missing(backend: Backend, server: Server) -> Difference:
    text = f"member {server.member} is missing"
    if not backend.resizable or server.arguments is None or _spelled(server.address) is None:
        return Difference(text, "", ADD, ())
    return Difference(text, f"{server.member} added", ADD, _added(backend, server))


def _added(backend: Backend, server: Server) -> tuple[Command, ...]:
    arguments = server.arguments or ""
    found = [commands.add(backend.name, server.name, server.address, arguments)]
    found += [commands.on_server(Verb.WEIGHT, backend.name, server.name, server.weight)]
    if server.maxconn:
        found += [commands.on_server(Verb.MAXCONN, backend.name, server.name, server.maxconn)]
    if _checked(server):
        found += [commands.on_server(Verb.HEALTH, backend.name, server.name)]
    if not server.disabled:
        found += [commands.on_server(Verb.READY, backend.name, server.name)]
    return tuple(found)


def _as_wanted(server: Server, row: Row) -> bool:
    """Whether nothing differs, as far as that is seen without a closer look: this is asked of every server each second."""
    at = row.addr == server.address and row.uweight == str(server.weight) and (row.slim or "0") == str(server.maxconn)
    return at and row.status not in ("DRAIN", NAMELESS) and out(row) == server.disabled


def _differing(backend: Backend, server: Server, row: Row) -> Iterator[Difference]:
    at = (backend.name, server.name)
    if marked(row) and row.number("slim") != mark(server):
        # It was leaving and is wanted again with other options: a new one takes its name, if it is free by now.
        text = f"member {server.member} is leaving"
        mended = (commands.on_server(Verb.DELETE, *at), *_added(backend, server)) if _missing(backend, server).commands else ()
        yield Difference(text, f"{server.member} added", ADD, mended, replaces=True)
        return
    wanted = _spelled(server.address)
    if wanted is not None and row.addr and _spelled(row.addr) != wanted:
        host, port = wanted
        changed = (commands.on_server(Verb.ADDRESS, *at, host, port),)
        yield Difference(
            f"member {server.member} has address {row.addr}, wanted is {server.address}",
            f"{server.member} at {server.address}",
            SET,
            changed,
        )
    if row.number("uweight") != server.weight:
        text = f"member {server.member} has weight {row.uweight}, wanted is {server.weight}"
        yield Difference(text, _weighed(server), SET, (commands.on_server(Verb.WEIGHT, *at, server.weight),))
    if row.number("slim") != server.maxconn:
        text = f"member {server.member} takes {row.slim or 'any number'} at once, wanted is {server.maxconn or 'any number'}"
        yield Difference(text, f"{server.member} takes {server.maxconn} at once", SET, (_maxconn(at, server),))
    yield from _standing(at, server, row)


def _standing(at: tuple[str, str], server: Server, row: Row) -> Iterator[Difference]:
    ready = commands.on_server(Verb.READY, *at)
    if row.status == NAMELESS:  # it hides whether it is disabled too; nothing reaches it, and what is wanted is said once more
        known = commands.on_server(Verb.MAINTENANCE, *at) if server.disabled else ready
        yield Difference("", "", SET, (known,))
    elif server.disabled and not out(row):
        text = f"member {server.member} is enabled, wanted is disabled"
        yield Difference(text, f"{server.member} disabled", OUT, (commands.on_server(Verb.MAINTENANCE, *at),), (*at, row.sid))
    elif not server.disabled and out(row):
        # `enable health` does nothing to checks that run; where an addition was cut off it is what is missing.
        health = (commands.on_server(Verb.HEALTH, *at),) if _checked(server) else ()
        yield Difference(f"member {server.member} is disabled, wanted is enabled", f"{server.member} enabled", SET, (*health, ready))
    elif row.status == "DRAIN":  # weight 0 shows as UP: this is `set server … state drain`, no word of ours
        yield Difference(f"member {server.member} was set to drain by hand", f"{server.member} enabled", SET, (ready,))


def _foreign(backend: Backend, rows: Mapping[str, Row], before: Mapping[tuple[str, str], Server]) -> Iterator[Difference]:
    known = {server.name for server in backend.servers}
    for name, row in rows.items():
        if name not in known and not marked(row):
            text = f"pool '{backend.pool}' has a member at {row.addr or 'no address'} ({backend.name}/{name}) that is not in the document"
            gone = before.get((backend.name, name))
            done = f"{gone.member if gone is not None else f'{backend.pool}: member at {row.addr}'} taken out"
            yield Difference(text, done, REMOVE, _out(backend, name, mark(gone)), (backend.name, name, row.sid))


def _out(backend: Backend, name: str, marked_: int) -> tuple[Command, ...]:
    """Taken out for good; nothing where only a reload can."""
    if not backend.resizable or not commands.named(name):
        return ()
    at = (backend.name, name)
    weight, maxconn = commands.on_server(Verb.WEIGHT, *at, 0), commands.on_server(Verb.MAXCONN, *at, marked_)
    return weight, maxconn, commands.on_server(Verb.MAINTENANCE, *at)


def _maxconn(at: tuple[str, str], server: Server) -> Command:
    return commands.on_server(Verb.MAXCONN, *at, server.maxconn)


def _weighed(server: Server) -> str:
    return f"{server.member} drains" if server.weight == 0 else f"{server.member} weight {server.weight}"


def _checked(server: Server) -> bool:
    return "check" in (server.arguments or "").split()


def _spelled(address: str) -> tuple[str, int] | None:
    """IP address and port; None for a host name."""
    host, _, port = address.rpartition(":")
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError:
        return None
