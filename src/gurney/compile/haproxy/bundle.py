"""The one place for the bundle: everything one application's HAProxy is given, as typed data and as canonical JSON.

The bundle's SHA-256 is the generation. HAProxy itself can only name what needs a reload: that part's digest is `shape`, and stands in the
configuration as the global `description`. The rest is changed through the runtime socket and confirmed by observation: members of resizable
backends, addresses, weights, limits, drained and disabled members, entries of maps and lists, contents of certificates, CAs and CRLs.

"The file equals the process" means: the same proxies, in them the same servers with the same address, weight, limit and maintenance, the
same entries, the same certificates. Two things cannot be seen and differ until the next reload: a server added at run time has no
`tcp-ut` (`add server` refuses it; TCP keepalive and `timeout server` remain), and the global `maxconn` keeps room for more members.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gurney.balance import codec
from gurney.config.proxied import ProxyTable
from gurney.config.served import Listen
from gurney.errors import InputRefused

FORMAT = 1  # of bundle.json; another one is refused
CONFIGURATION = "haproxy.cfg"
SERVE, PANIC, CHECKS = ROLES = ("serve", "panic", "checks")


@dataclass(frozen=True, slots=True)
class Server:
    """One server of one backend as it is to run.

    `name` comes from the member's path, so that another address, weight or limit leaves it the server it was; `weight` is 0 where it is
    drained, `disabled` where it is to be in maintenance, `maxconn` 0 where there is no limit. `arguments` are those of
    `add server BACKEND/NAME ADDRESS …`: the options of its line, all that the program takes there; None when it cannot be added at run time
    (a host name, a server that follows another's checks). `member` is POOL/MEMBER.
    """

    name: str
    address: str  # as in the file: 10.0.2.1:8080, [2001:db8::1]:8080, ehr.example.org:8080
    weight: int
    disabled: bool
    maxconn: int
    arguments: str | None
    member: str
    path: str  # of the document


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend. `pool` is the document's; a pool may have several.

    `resizable`: servers may be added and removed at run time. So it is where all servers have the same options; a failover pool is not,
    because its servers differ by their place.
    `role`: serve · panic (the same members without checks, used when too few are usable) · checks (serves nobody: members of the pool
    that are checked otherwise than its first follow their namesakes here).
    """

    name: str
    pool: str
    resizable: bool
    servers: tuple[Server, ...]
    role: str = SERVE


@dataclass(frozen=True, slots=True)
class Frontend:
    """One listening frontend and the services it serves. `listener` is HOST:PORT as `listener_name` spells it.

    `redirect`: it only sends their clients to https.
    """

    name: str
    listener: str
    listen: Listen
    services: tuple[str, ...]
    redirect: bool = False


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one application's HAProxy is given.

    `files`: relative name → text: `haproxy.cfg`, `maps/….map` (a key and a value a line), `maps/….list` (a value a line, read by `-f`),
    `lists/….txt` (crt-lists). Every file other than the configuration is named in it as `current/NAME`; run-time sockets and state files
    stand under `run/`; HAProxy's working folder holds both. `maps` are those of `files` whose entries change at run time.
    `materials`: relative name → digest of a file kept in the state (`certificates/c_….pem`), swapped at run time where `swappable` names
    it. `lines`: per line of `haproxy.cfg` (from 1) the document path it comes from ("" for lines of no one's). `granted` says in words
    which limits were granted and why. `names`: what each name in the files (and so in logs and statistics) was made from, a document path
    for services, rules, pools and members.
    """

    table: ProxyTable
    shape: str
    files: Mapping[str, str]
    maps: tuple[str, ...]
    materials: Mapping[str, str]
    swappable: tuple[str, ...]
    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]
    lines: tuple[str, ...]
    granted: tuple[str, ...]
    names: Mapping[str, str]


def dump(bundle: Bundle) -> bytes:
    """The bundle as canonical JSON: ASCII, sorted keys, no spaces, a final newline. Equal bundles give equal bytes."""
    body = {"format": FORMAT, **codec.encode(bundle)}  # not indented: that takes a second at 2,000 members
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"


def generation(data: bytes) -> str:
    """The generation of a bundle.json: the sha256 of its bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def load(data: bytes) -> Bundle:
    """The bundle written in `data`. Raises `InputRefused` naming the path of the first thing that is wrong and how many follow."""
    body = _parsed(data)
    if not isinstance(body, dict):
        raise InputRefused("bundle.json: must be an object")
    if body.get("format") != FORMAT or isinstance(body["format"], bool):
        raise InputRefused(f"bundle.json: format: this version reads format {FORMAT}", hint="apply the document again")
    faults = codec.Faults()
    bundle = codec.decode(Bundle, {key: value for key, value in body.items() if key != "format"}, faults)
    if bundle is None:
        path, what = faults.found[0]
        more = f" ({len(faults.found) - 1} more)" if len(faults.found) > 1 else ""
        raise InputRefused(f"bundle.json: {path} {what}{more}")
    return bundle


def _parsed(data: bytes) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise InputRefused("bundle.json: a key is there twice")
        return found

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as fault:
        raise InputRefused("bundle.json: is not JSON") from fault
