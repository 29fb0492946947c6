"""The one place for making legal documents with hypothesis: every key of this version, short and long forms, whole ranges."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from gurney.config import limits, text, words
from tests.config import made_proxied

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,11}", fullmatch=True)
AE_TITLES = st.from_regex(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?", fullmatch=True).filter(lambda title: "/" not in title)
V4 = st.ip_addresses(v=4).map(str)
HOSTS = V4 | st.sampled_from(["archive-1.example.org", "pacs", "X1"])
PORTS = st.integers(1, limits.PORT_HIGHEST)
UIDS = st.lists(st.integers(0, 99999), min_size=1, max_size=8).map(lambda parts: ".".join(map(str, parts)))
DURATIONS = st.integers(limits.CHECK_SHORTEST_MS, limits.CHECK_LONGEST_MS).map(text.spell_duration)
SIZES = st.integers(1, limits.REPLAY_OBJECT).map(text.spell_size)
GLOBS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def _some(keys: dict[str, SearchStrategy[Any]]) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


CHECKS = _some(
    {
        "kind": st.sampled_from(["dicom-associate", "dicom-echo"]),
        "interval": DURATIONS,
        "timeout": DURATIONS,
        "rise": st.integers(1, limits.CHECK_COUNT_HIGHEST),
        "fall": st.integers(1, limits.CHECK_COUNT_HIGHEST),
        "expect_contexts": st.lists(st.tuples(UIDS, UIDS).map(list), max_size=3),
    }
)
LIMITS = _some(
    {
        **{name: st.integers(1, limits.LIMIT_HIGHEST) for name in ("associations", "associations_per_address", "associations_per_ae")},
        **{name: st.integers(1, limits.LIMIT_HIGHEST) for name in ("unassociated", "unassociated_per_address")},
        "max_object": SIZES | st.just("none"),
    }
)
FACTS = st.sampled_from(words.DATA_FACTS) | st.sampled_from(["tag(0010,0040)", "tag(0019,xx10,ACME 1.1)", "implementation", "priority"])


@st.composite
def destinations(draw: DrawFn, sites: list[str]) -> Any:
    """One member in its short or its long form."""
    title, host, port = draw(st.none() | AE_TITLES), draw(HOSTS), draw(PORTS)
    if draw(st.booleans()):
        return f"{title}@{host}:{port}" if title is not None else f"{host}:{port}"
    long: dict[str, Any] = {"address": host, "port": port}
    if title is not None:
        long["ae_title"] = title
    more = {
        "weight": st.integers(1, limits.WEIGHT_HIGHEST),
        "calling_ae": AE_TITLES,
        "max_associations": st.integers(1, limits.MEMBER_ASSOCIATIONS_HIGHEST),
        "max_bytes": SIZES,
        "async_ops": st.just(1),
        "check": CHECKS,
        "site": st.sampled_from(sites),
    }
    return {**long, **draw(_some(more))}


@st.composite
def pools(draw: DrawFn, sites: list[str], number: int) -> dict[str, Any]:
    """One pool; `number` keeps destinations of one pool apart."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    members = {name: draw(destinations(sites)) for name in names}
    places = {_place(member) for member in members.values()}
    if len(places) < len(members):
        members = {names[0]: members[names[0]]}
    more = {
        "balance": st.sampled_from(words.BALANCES),
        "keep": st.sampled_from(words.KEEPS),
        "site": st.sampled_from(sites),
        "check": CHECKS,
        "weight": st.integers(1, limits.WEIGHT_HIGHEST),
        "statuses": st.dictionaries(st.sampled_from(["A9xx", "Cxxx", "0110", "A700"]), st.sampled_from(words.STATUS_ACTIONS)),
    }
    return {"members": members, **draw(_some(more))}


def _place(member: Any) -> str:
    return str(member).rpartition("@")[2] if isinstance(member, str) else f"{member['address']}:{member['port']}"


@st.composite
def services(draw: DrawFn, port: int, pool_names: list[str]) -> dict[str, Any]:
    """One service on its own port, its rules in front of a last one without match."""
    matched = []
    for number in range(draw(st.integers(0, 3))):
        match = draw(st.dictionaries(FACTS, GLOBS | st.lists(GLOBS, min_size=1, max_size=3), max_size=2)) | {"station": f"ONLY{number}"}
        matched.append(
            {"match": match, "pool": draw(st.sampled_from(pool_names)), **draw(_some({"urgency": st.sampled_from(words.URGENCIES)}))}
        )
    more = {
        "ae_title": AE_TITLES,
        "accept_from": st.lists(V4 | st.tuples(AE_TITLES, V4).map("@".join), min_size=1, max_size=3),
        "delivery": st.sampled_from(words.DELIVERIES),
        "echo": st.sampled_from(words.ECHOES),
        "prefer": st.lists(UIDS, max_size=3) | UIDS,
        "non_patient": st.sampled_from(words.NON_PATIENTS),
        "duplicates": st.sampled_from(words.DUPLICATES),
        "digest": st.sampled_from(words.DIGESTS),
        "replay_limit": SIZES,
        "limits": LIMITS,
    }
    rules = [*matched, {"pool": draw(st.sampled_from(pool_names))}]
    return {"protocol": "dicom", "listen": draw(st.sampled_from([port, f"127.0.0.1:{port}", [port]])), "rules": rules, **draw(_some(more))}


@st.composite
def documents(draw: DrawFn) -> dict[str, Any]:
    """A whole legal document as YAML values. Members stand outside 127/8, so that no service leads to itself."""
    sites = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    applications = {}
    for number, name in enumerate(draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))):
        pool_names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
        service_names = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
        applications[name] = {
            "services": {one: draw(services(20_000 + 10 * number + at, pool_names)) for at, one in enumerate(service_names)},
            "pools": {one: draw(pools(sites, at)) for at, one in enumerate(pool_names)},
        }
    if draw(st.booleans()):
        applications["proxied"] = draw(made_proxied.applications(sites[0]))
    return {"gurney": 1, "sites": {site: {"jurisdiction": "GB"} for site in sites}, "applications": applications}
