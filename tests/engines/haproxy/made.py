"""Bundles for the tests of what happens at run time: one pool `web` in `be_web`, optionally with a panic twin, of one service `www`."""

from __future__ import annotations

from dataclasses import dataclass

from gurney.compile.haproxy.bundle import Backend, Bundle, Frontend, Server
from gurney.config.proxied import Persist, ProxyCheck, ProxyLimits, ProxyMember, ProxyPool, ProxyService, ProxyTable, Queue
from gurney.config.served import Listen, Rule

SHAPE = "7f3a0c"
CHECK = ProxyCheck("http", 500, 500, 2, 3)


@dataclass(frozen=True)
class Member:
    """A member as the document has it; `override`: drain | disable | None."""

    port: int
    weight: int = 100
    override: str | None = None
    maxconn: int = 10
    host: str = "127.0.0.1"


def number(name: str) -> int:
    """The explicit id of a server, the same wherever it stands."""
    return 1000 + sum(ord(letter) * 31**at for at, letter in enumerate(name)) % 100_000


def options(name: str) -> str:
    return f"id {number(name)} check inter 500ms rise 2 fall 3 slowstart 2s"


def server(name: str, one: Member, *, checked: bool = True) -> Server:
    weight = 0 if one.override == "drain" else one.weight
    check = options(name) if checked else f"id {number(name)}"
    arguments = f"{check} weight {weight} maxconn {one.maxconn}" if one.host[0].isdigit() else None
    disabled = one.override == "disable"
    return Server(f"s_{name}", f"{one.host}:{one.port}", weight, disabled, one.maxconn, arguments, f"web/{name}", f"pools.web.{name}")


def bundle(
    members: dict[str, Member],
    *,
    shape: str = SHAPE,
    port: int = 18081,
    maps: dict[str, str] | None = None,
    certificates: dict[str, str] | None = None,
    twin: bool = True,
    resizable: bool = True,
) -> Bundle:
    """`certificates`: name in the bundle → digest."""
    listen = Listen("127.0.0.1", port)
    service = ProxyService(
        "www", "services.www", "http", (listen,), ("*",), "/", None, (), (), (), (Rule("last", "r", {}, "web"),),
        ProxyLimits(5000, 10_000, None, 60_000),
    )  # fmt: skip
    pool = ProxyPool(
        "web", "pools.web", "http", "least-load", Persist(), 10, Queue(100, 5000), 2000, 30 if twin else 0, None, None, None,
        {
            name: ProxyMember(name, f"pools.web.{name}", one.host, one.port, one.weight, None, CHECK, None, "none", one.override)
            for name, one in members.items()
        },
    )  # fmt: skip
    backends = [Backend("be_web", "web", resizable, tuple(server(name, one) for name, one in members.items()))]
    if twin:
        unchecked = tuple(server(name, one, checked=False) for name, one in members.items())
        backends.append(Backend("be_web_panic", "web", resizable, unchecked))
    return Bundle(
        table=ProxyTable("portal", {"www": service}, {"web": pool}),
        shape=shape,
        files={"haproxy.cfg": "", **(maps or {})},
        maps=tuple(maps or ()),
        materials=dict(certificates or {}),
        swappable=tuple(certificates or ()),
        frontends=(Frontend("fe_web", f"127.0.0.1:{port}", listen, ("www",)),),
        backends=tuple(backends),
        lines=(),
        granted=(),
        names={},
    )
