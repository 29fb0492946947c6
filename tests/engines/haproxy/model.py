"""A worker of HAProxy as far as members go, in memory: takes the commands, refuses what 2.8.25 refuses, tells what runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from gurney.compile.haproxy.bundle import Bundle
from gurney.engines.haproxy.commands import Command, Verb
from gurney.engines.haproxy.running import FRONTEND, SERVER, Row, Running


@dataclass
class Standing:
    """One server as it stands. `checks`: whether its checks run."""

    addr: str
    sid: str
    weight: int = 1
    maxconn: int = 0
    maintenance: bool = True
    drained: bool = False
    configured: bool = False
    checks: bool = False
    connections: int = 0
    options: tuple[str, ...] = ()


@dataclass
class Worker:
    """What one worker holds."""

    shape: str = ""
    servers: dict[str, dict[str, Standing]] = field(default_factory=dict)
    frontends: tuple[str, ...] = ("fe_web",)
    said: list[str] = field(default_factory=list)

    def start(self, bundle: Bundle) -> None:
        """As a worker that read this bundle's configuration."""
        self.shape = bundle.shape
        self.servers = {
            backend.name: {
                server.name: Standing(
                    server.address,
                    (server.arguments or "id 0").split()[1],
                    server.weight,
                    server.maxconn,
                    server.disabled,
                    configured="check" in (server.arguments or ""),
                    checks="check" in (server.arguments or ""),
                    options=tuple((server.arguments or "").split()),
                )
                for server in backend.servers
            }
            for backend in bundle.backends
        }

    def do(self, command: Command) -> str:
        """The answer, as HAProxy words it."""
        self.said.append(command.text)
        backend, name, *rest = command.arguments
        rows = self.servers.get(backend)
        if rows is None:
            return "No such backend.\n\n"
        if command.verb is Verb.ADD:
            return self._add(rows, name, rest)
        one = rows.get(name)
        if one is None:
            return "No such server.\n\n"
        match command.verb:
            case Verb.WEIGHT:
                one.weight = int(rest[0])
            case Verb.MAXCONN:
                one.maxconn = int(rest[0])
            case Verb.ADDRESS:
                host = f"[{rest[0]}]" if ":" in rest[0] else rest[0]
                one.addr = f"{host}:{rest[1]}"
                return "IP changed from 'x' to 'y' by 'stats socket command'\n\n"
            case Verb.READY:
                one.maintenance = one.drained = False
            case Verb.MAINTENANCE:
                one.maintenance = True
            case Verb.DRAIN:
                one.maintenance, one.drained = False, True
            case Verb.HEALTH:
                if not one.configured:
                    return "Health check was not configured on this server, cannot enable.\n\n"
                one.checks = True
            case Verb.DELETE:
                return self._delete(rows, name, one)
            case other:
                raise AssertionError(other)
        return "\n"

    def _add(self, rows: dict[str, Standing], name: str, rest: list[str]) -> str:
        if name in rows:
            return "Already exists a server with the same name in backend.\n\n"
        options = tuple(rest[1:])
        sid = options[options.index("id") + 1] if "id" in options else "1"
        weight = options[options.index("weight") + 1] if "weight" in options else "1"
        rows[name] = Standing(rest[0], sid, int(weight), configured="check" in options, options=options)
        return "New server registered.\n\n"

    def _delete(self, rows: dict[str, Standing], name: str, one: Standing) -> str:
        if not one.maintenance:
            return "Only servers in maintenance mode can be deleted.\n\n"
        if one.connections:
            return "Server still has connections attached to it, cannot remove it.\n\n"
        del rows[name]
        return "Server deleted.\n\n"

    def look(self) -> Running:
        """`show info` and `show stat`."""
        blank = Row(*("" for _ in Row._fields))
        servers = {
            backend: {
                name: blank._replace(
                    pxname=backend,
                    svname=name,
                    type=SERVER,
                    addr=one.addr,
                    uweight=str(one.weight),
                    slim=str(one.maxconn) if one.maxconn else "",
                    status="MAINT" if one.maintenance else "DRAIN" if one.drained else "UP" if one.checks else "no check",
                    scur=str(one.connections),
                    sid=one.sid,
                )
                for name, one in rows.items()
            }
            for backend, rows in self.servers.items()
        }
        frontends = {name: blank._replace(pxname=name, svname="FRONTEND", type=FRONTEND, status="OPEN") for name in self.frontends}
        info = {"description": self.shape, "Pid": "1", "Start_time_sec": "1", "Stopping": "0"}
        return Running(info, frontends, {}, servers)
