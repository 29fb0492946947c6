"""The one place for making random good documents of http and tcp: every key there is, in combinations nobody thought of."""

from __future__ import annotations

import json
import random
from typing import Any

NETWORKS = ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "127.0.0.0/8")
HOSTS = ("a.example.org", "*.b.example.org", "10.1.1.1", "c.example.org")
PATHS = ("/a*", "*b", "*c*", "/d?e*f", "*", "/", "/plain")
HEADERS = ("v w", "#", "*", "a*b*c", "x?", 'q"\\$]{;')


def document(chance: random.Random) -> str:
    """A document with one application, `web`, as text; it may still be refused for what does not go together."""
    protocols = {f"p{at}": chance.choice(("http", "http", "tcp")) for at in range(chance.randint(1, 6))}
    services: dict[str, Any] = {}
    for at in range(chance.randint(1, 6)):
        protocol = chance.choice(list(protocols.values()))
        pools = [name for name, of in protocols.items() if of == protocol]
        services[f"s{at}"] = _service(chance, protocol, 20_000 + at, pools)
    pools_made = {name: _pool(chance, name, protocols) for name in protocols}
    return json.dumps({"gurney": "1", "applications": {"web": {"services": services, "pools": pools_made}}}, indent=1)


def _some(chance: random.Random, among: tuple[str, ...]) -> list[str]:
    return chance.sample(among, chance.randint(1, len(among)))


def _service(chance: random.Random, protocol: str, port: int, pools: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {"protocol": protocol, "listen": [str(port), f"127.0.0.1:{port + 500}"][: chance.randint(1, 2)]}
    if chance.random() < 0.5:
        made["tls"] = _tls(chance, protocol, port)
    if (protocol == "http" or "tls" in made) and chance.random() < 0.6:
        made["hosts"] = _some(chance, HOSTS)
    if protocol == "http" and chance.random() < 0.4:
        made["base"] = chance.choice(("/x", "/x/y", "/a%20b", "/q~(1)"))
    for key in ("accept_from", "accept_proxy_from", *(("trust_forwarded_from",) if protocol == "http" else ())):
        if chance.random() < 0.3:
            made[key] = _some(chance, NETWORKS)
    if chance.random() < 0.4:
        made["limits"] = {"connections": str(chance.randint(1, 9_000)), "idle": chance.choice(("1s", "90s", "1h"))}
        if protocol == "http":
            made["limits"]["body"] = chance.choice(("none", "1KiB", "3GiB"))
    rules = [{"match": _match(chance, protocol), "pool": chance.choice(pools)} for _ in range(chance.randint(0, 3))]
    return {**made, "rules": [*rules, {"pool": chance.choice(pools)}]}


def _tls(chance: random.Random, protocol: str, port: int) -> dict[str, Any]:
    made: dict[str, Any] = {"certificate": chance.choice((["a.pem", "b.pem"], "a.pem"))}
    if chance.random() < 0.5:
        made |= {"client_ca": "ca.pem", "client": chance.choice(("optional", "required"))}
        if chance.random() < 0.5:
            made["crl"] = "revoked.pem"
    if protocol == "http" and chance.random() < 0.5:
        made |= {"hsts": "1y", "redirect_from": str(port + 1_000)}
    return made


def _match(chance: random.Random, protocol: str) -> dict[str, Any]:
    facts = {"method": ("GET", "P?T"), "path": PATHS, "header:x-one": HEADERS, "header:x-two": HEADERS} if protocol == "http" else {}
    made: dict[str, Any] = {fact: _some(chance, values) for fact, values in facts.items() if chance.random() < 0.4}
    return made or {"network": _some(chance, NETWORKS)}


def _pool(chance: random.Random, name: str, protocols: dict[str, str]) -> dict[str, Any]:
    http = protocols[name] == "http"
    balances = ("least-load", "round-robin", "random", "failover", "source", *(("uri", "header:x-y") if http else ()))
    persists: tuple[Any, ...] = ("source", *(("cookie", {"by": "cookie", "for": "1h", "then": "source"}) if http else ()))
    made: dict[str, Any] = {
        "balance": chance.choice(balances),
        "members": {f"m{at}": _member(chance, at) for at in range(chance.randint(1, 4))},
    }
    others: dict[str, tuple[Any, ...]] = {
        "persist": persists,
        "max_in_flight": ("none", "5"),
        "queue": ({"most": "3", "wait": "200ms"},),
        "slow_start": ("0s", "10s"),
        "panic": ("0%", "50%", "100%"),
        "check": ({"kind": "tcp", "interval": "1s"}, {"kind": "http", "path": "/q(1)", "host": "h.example.org", "expect": ["2xx", "404"]}),
        "tls": ({"server_name": "m.example.org"}, {"ca": "ca.pem", "server_name": "m.example.org", "certificate": "c.pem"}),
    }
    made |= {key: chance.choice(values) for key, values in others.items() if chance.random() < 0.4}
    later = [other for other, protocol in protocols.items() if other > name and protocol == protocols[name]]
    if later and chance.random() < 0.3:
        made["fallback"] = chance.choice(later)
    elif http and chance.random() < 0.3:
        made["fallback"] = {"page": "sorry.html"}
    return made


def _member(chance: random.Random, at: int) -> Any:
    return chance.choice(
        (
            f"10.0.0.{at}:80",
            f"[2001:db8::{at}]:80",
            f"m{at}.example.org:80",
            {"address": f"10.0.1.{at}:81", "weight": "7", "proxy": chance.choice(("v1", "v2"))},
            {"address": f"10.0.2.{at}:82", "check": {"kind": "tcp", "interval": "3s"}},
        )
    )
