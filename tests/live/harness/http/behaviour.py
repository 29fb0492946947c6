"""The one place for what a member of the HTTP harness may be told to do; the defaults are a well-behaved server."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Site:
    """One listener of a member program.

    `mode`: normal | slow (`seconds` before each answer) | status (`status`) | hang (no answer) | rst (at the request) | cut (FIN after
    `after` bytes of the answer) | drop (FIN without a byte) | refuse (RST at accept) | deaf (SYNs are lost) | die (SIGKILL to the whole
    program after `after` bytes). `only`: the mode holds for targets that begin so; all others are answered normally.
    `kind`: http | tcp (each line is answered as `NAME:line`). `proxy`: connections begin with a PROXY v1/v2 header.
    `certificate`, `ca`: PEM files for TLS and for client certificates. `size`: bytes of each answer's body beside its text.
    """

    name: str
    port: int
    kind: str = "http"
    host: str = "127.0.0.1"
    mode: str = "normal"
    seconds: float = 10.0
    status: int = 500
    after: int = 0
    only: str = ""
    proxy: bool = False
    certificate: str | None = None
    ca: str | None = None
    size: int = 0

    def changed(self, **changes: Any) -> Site:
        return replace(self, **changes)


def as_json(sites: list[Site]) -> str:
    return json.dumps([asdict(s) for s in sites])


def from_json(text: str) -> list[Site]:
    return [Site(**s) for s in json.loads(text)]
