"""The one place for what a load is told (`Group`) and what it says of itself (`Tally`)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Group:
    """`connections` clients that do the same. `kind`: http (requests one after another) | upgrade (101, then an echo) | lines (TCP).

    `close`: a new connection for each request. `pause`: seconds between two requests or lines of one connection. `tls`: a CA file, by
    which the answer's certificate is verified for the name `host`. `sources`: local addresses the connections take in turn.
    `cookie`: each connection keeps the cookies it is given.
    """

    name: str
    port: int
    kind: str = "http"
    connections: int = 16
    close: bool = False
    pause: float = 0.0
    host: str = "h.test"
    prefix: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    tls: str | None = None
    most: int = 0
    timeout: float = 10.0
    sources: tuple[str, ...] = ()
    cookie: bool = False
    unique: bool = True


@dataclass
class Tally:
    """What a group saw. `errors` by kind: refused reset closed timeout status-NNN body broken tls; `p50`, `p99` in milliseconds."""

    done: int = 0
    opened: int = 0
    standing: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    shares: dict[str, int] = field(default_factory=dict)
    p50: float = 0.0
    p99: float = 0.0
    first: list[str] = field(default_factory=list)
    moved: int = 0

    @property
    def failed(self) -> int:
        return sum(self.errors.values())


def as_json(groups: list[Group]) -> str:
    return json.dumps([asdict(g) for g in groups])


def from_json(text: str) -> list[Group]:
    lists = ("headers", "sources")
    return [
        Group(**{k: tuple(map(tuple, v)) if k == "headers" else tuple(v) if k in lists else v for k, v in g.items()})
        for g in json.loads(text)
    ]
