"""The one place for making legal applications of http and tcp with hypothesis: every key, short and long forms, whole ranges."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from gurney.config import limits, text, words

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,11}", fullmatch=True)
HOSTS = st.sampled_from(["a.example.org", "b.example.net", "X1", "xn--bcher-kva.example"])
PATHS = st.from_regex(r"(/[A-Za-z0-9._~!$&()*+,;=:@-]{1,6}(%2[0-9A-F])?){1,3}x", fullmatch=True)
FILES = st.from_regex(r"[a-z][a-z0-9_.@+=,() -]{0,8}x(/[a-z]{1,5}[.]pem)?", fullmatch=True)
HEADERS = st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True)
NETWORKS = st.ip_addresses(v=4).map(str) | st.sampled_from(["10.0.0.0/8", "fd00::/8", "0.0.0.0/0"])
MOMENTS = st.integers(limits.HTTP_SHORTEST_MS, limits.HTTP_LONGEST_MS).map(text.spell_duration)
LONG = st.integers(1, limits.PERSIST_LONGEST_MS // 1000).map(lambda seconds: text.spell_duration(seconds * 1000))
CHECK_MOMENTS = st.integers(limits.CHECK_SHORTEST_MS, limits.CHECK_LONGEST_MS).map(text.spell_duration)
STATUSES = st.sampled_from(["200", "2xx", "200-399", "503-504"])


def _some(keys: dict[str, SearchStrategy[Any]]) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


def _one_or_some(one: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return one | st.lists(one, min_size=1, max_size=3, unique_by=lambda value: str(value).lower())


MEMBER_TLS = st.fixed_dictionaries({"server_name": HOSTS}, optional={"ca": st.just("system")})


@st.composite
def checks(draw: DrawFn) -> dict[str, Any]:
    """A check; what only kind http has stands in those of kind http."""
    common = {
        "interval": CHECK_MOMENTS,
        "timeout": CHECK_MOMENTS,
        "rise": st.integers(1, limits.CHECK_COUNT_HIGHEST),
        "fall": st.integers(1, limits.CHECK_COUNT_HIGHEST),
    }
    if draw(st.booleans()):
        return {"kind": "tcp", **draw(_some(common))}
    return {"kind": "http", **draw(_some({**common, "path": PATHS, "host": HOSTS, "expect": _one_or_some(STATUSES)}))}


@st.composite
def members(draw: DrawFn, site: str) -> dict[str, Any]:
    """Members by name, each at an address of its own."""
    found: dict[str, Any] = {}
    for number, name in enumerate(draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))):
        address = f"10.1.{draw(st.integers(0, 255))}.{number}"
        port = draw(st.integers(1, limits.PORT_HIGHEST))
        if draw(st.booleans()):
            found[name] = f"{address}:{port}"
            continue
        more = {
            "weight": st.integers(1, limits.WEIGHT_HIGHEST),
            "site": st.just(site),
            "proxy": st.sampled_from(words.PROXIES),
            "check": checks(),
            "tls": MEMBER_TLS,
        }
        found[name] = {"address": address, "port": port, **draw(_some(more))}
    return found


@st.composite
def pools(draw: DrawFn, protocol: str, site: str) -> dict[str, Any]:
    """One pool."""
    http = protocol == "http"
    persist: SearchStrategy[Any] = st.sampled_from(words.PERSISTS_OF[protocol])
    if http:
        persist |= st.fixed_dictionaries({"by": st.just("cookie")}, optional={"for": LONG, "then": st.sampled_from(words.PERSIST_THENS)})
        fallback: SearchStrategy[Any] = st.fixed_dictionaries({"page": FILES.map(lambda name: f"pages/{name}")})
    else:
        persist |= st.fixed_dictionaries({"by": st.sampled_from(words.TCP_PERSISTS)}, optional={"for": LONG})
        fallback = st.nothing()
    balance: SearchStrategy[str] = st.sampled_from(words.BALANCES_OF[protocol])
    more: dict[str, SearchStrategy[Any]] = {
        "balance": balance | HEADERS.map(lambda name: f"header:{name}") if http else balance,
        "persist": persist,
        "max_in_flight": st.just("none") | st.integers(1, limits.MAX_IN_FLIGHT_HIGHEST),
        "queue": _some({"most": st.integers(1, limits.QUEUE_MOST_HIGHEST), "wait": MOMENTS}),
        "slow_start": st.integers(0, limits.SLOW_START_LONGEST_MS).map(text.spell_duration),
        "panic": st.integers(0, 100).map(lambda value: f"{value}%"),
        "check": checks(),
        "tls": MEMBER_TLS,
        "weight": st.integers(1, limits.WEIGHT_HIGHEST),
        "site": st.just(site),
    }
    if http:
        more["fallback"] = fallback
    return {"members": draw(members(site)), **draw(_some(more))}


@st.composite
def services(draw: DrawFn, protocol: str, port: int, pool_names: list[str]) -> dict[str, Any]:
    """One service on its own port, its rules in front of a last one without match."""
    matched = []
    for number in range(draw(st.integers(0, 3))):
        match: dict[str, Any] = {"network": f"10.9.{number}.0/24"}
        if protocol == "http":
            facts = {
                "method": _one_or_some(st.sampled_from(["GET", "get", "P*", "P??"])),
                "path": _one_or_some(PATHS | st.just("*.js")),
                "header": st.dictionaries(HEADERS, st.from_regex(r"[!-&(-~]{1,9}", fullmatch=True), min_size=1, max_size=1),
            }
            match |= draw(_some(facts))
        matched.append({"match": match, "pool": draw(st.sampled_from(pool_names))})
    both = {"connections": st.integers(1, limits.HTTP_CONNECTIONS_HIGHEST), "idle": MOMENTS}
    more: dict[str, SearchStrategy[Any]] = {
        "accept_from": _one_or_some(NETWORKS),
        "accept_proxy_from": st.lists(NETWORKS, max_size=2, unique=True),
        "limits": _some(both),
    }
    certificates = {"certificate": FILES.map(lambda name: f"certificates/{name}")}
    ca = FILES.map(lambda name: f"ca/{name}")
    if protocol == "http":
        more |= {
            "hosts": _one_or_some(HOSTS | HOSTS.map(lambda name: f"*.{name}")),
            "base": PATHS,
            "trust_forwarded_from": st.lists(NETWORKS, max_size=2, unique=True),
            "limits": _some({**both, "headers": MOMENTS, "body": st.just("none") | st.just("64MiB")}),
            "tls": st.fixed_dictionaries(
                certificates,
                optional={
                    "client_ca": ca,
                    "alpn": _one_or_some(st.sampled_from(words.ALPNS)),
                    "hsts": LONG,
                    "redirect_from": st.just(port + 5),
                },
            ),
        }
    else:
        more["tls"] = st.fixed_dictionaries(certificates, optional={"client_ca": ca})
    listen = draw(st.sampled_from([port, f"127.0.0.1:{port}", [port]]))
    return {
        "protocol": protocol,
        "listen": listen,
        "rules": [*matched, {"pool": draw(st.sampled_from(pool_names))}],
        **draw(_some(more)),
    }


@st.composite
def applications(draw: DrawFn, site: str) -> dict[str, Any]:
    """An application with a service of http and one of tcp, each with its own pools."""
    names = draw(st.lists(NAMES, min_size=4, max_size=4, unique=True))
    return {
        "services": {
            names[0]: draw(services("http", 30_000, names[:2])),
            names[1]: draw(services("tcp", 30_100, names[2:])),
        },
        "pools": {name: draw(pools("http" if at < 2 else "tcp", site)) for at, name in enumerate(names)},
    }
