"""route.json: written canonically, read strictly."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.balance.table import dump, generation, load
from gurney.config.document import Listen, Peer
from gurney.errors import InputRefused
from tests.balance.hospital import member, pool, rule, service, table

FULL = table(
    replace(
        service(rule("mg", {"modality": ("MG", "?R*"), "tag(0019,xx10,ACME)": ("R*",)}, "breast"), rule("rest")),
        accept_from=(Peer("CT1", "10.0.0.31/32"), Peer("*", None)),
        prefer=("1.2.840.10008.1.2.1",),
    ),
    pools=(
        pool(member("z", override="drain"), member("a"), statuses={"A9xx": "next"}),
        pool(member("breast"), name="breast", balance="failover"),
    ),
)
FULL = replace(FULL, materials={"certificate": {"own.pem": "0a" * 32}})
SECURED = {"certificates": ["own.pem"], "client_ca": None, "crl": None, "suites": "bcp195"}


def test_what_is_dumped_is_loaded_again() -> None:
    data = dump(FULL)
    assert load(data) == FULL
    assert dump(load(data)) == data
    assert data.endswith(b"}\n") and data.isascii()


def test_members_keep_their_order() -> None:
    assert list(load(dump(FULL)).pools["archive"].members) == ["z", "a"]


def test_equal_tables_have_one_generation() -> None:
    turned = replace(FULL, pools=dict(reversed(FULL.pools.items())))
    assert generation(dump(turned)) == generation(dump(FULL))
    assert len(generation(dump(FULL))) == 64


def broken(path: str, value: Any) -> bytes:
    body = json.loads(dump(FULL))
    *steps, last = path.split("/")
    at = body
    for step in steps:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if value is ...:
        del at[last]
    elif isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("format", 3, "format"),
        ("format", True, "format"),
        ("format", ..., "format"),
        ("application", ..., "application is missing"),
        ("extra", 1, "extra is not known"),
        ("services/store/listen", [], "services.store.listen must not be empty"),
        ("services/store/listen/0/port", 0, "services.store.listen[0].port must be 1 to 65535"),
        ("services/store/listen/0/port", "104", "services.store.listen[0].port must be a whole number, not text"),
        ("services/store/listen/0/port", 1.0, "services.store.listen[0].port must be a whole number, not a fraction"),
        ("services/store/listen/0/port", True, "services.store.listen[0].port must be a whole number, not true or false"),
        ("services/store/rules", [], "services.store.rules must not be empty"),
        ("services/store/rules/0/pool", "nowhere", "services.store.rules[0].pool 'nowhere' is not defined"),
        ("services/store/rules/0/match/modality", [], "services.store.rules[0].match.modality must not be empty"),
        ("services/store/rules/0/match/shoe", ["1"], "services.store.rules[0].match.shoe 'shoe' is no fact"),
        ("services/store/rules/0/urgency", "asap", "services.store.rules[0].urgency must be critical or routine or bulk"),
        ("services/store/accept_from/0/network", "10.0.0.31/8", "services.store.accept_from[0].network must be a canonical network"),
        ("services/store/delivery", "pigeon", "services.store.delivery must be relay"),
        ("services/store/limits", None, "services.store.limits must be an object, not null"),
        ("services/store/name", "other", "services.store.name differs from its key"),
        ("pools/archive/balance", "luck", "pools.archive.balance is no balance of this version"),
        ("materials/ca", {"ca.pem": "00"}, "materials.ca.ca.pem must be a SHA-256 in hex"),
        ("services/store/tls", {**SECURED, "client_ca": "other.pem"}, "materials.ca has no 'other.pem'"),
        ("services/store/tls", {**SECURED, "suites": "weak"}, "services.store.tls.suites must be bcp195 or modified or legacy"),
        ("services/store/tls", {**SECURED, "certificates": []}, "services.store.tls.certificates must not be empty"),
        ("pools/archive/statuses/A9xx", "done", "pools.archive.statuses.A9xx is no row of the status policy"),
        ("pools/archive/statuses/a9xx", "next", "pools.archive.statuses.a9xx is no row of the status policy"),
        ("pools/archive/members", {}, "pools.archive.members must be an array, not an object"),
        ("pools/archive/members", [], "pools.archive.members must not be empty"),
        ("pools/archive/members/1/name", "z", "pools.archive.members[1].name 'z' is there twice"),
        ("pools/archive/members/0/weight", 257, "pools.archive.members[0].weight must be 1 to 256"),
        ("pools/archive/members/0/override", "weight=0", "pools.archive.members[0].override must be drain, disable or weight=N"),
        ("pools/archive/members/0/check/kind", "guess", "pools.archive.members[0].check.kind must be tcp or"),
        ("pools/archive/members/0/check/expect_contexts", [["1.2"]], "check.expect_contexts[0] must have 2 items, not 1"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(path: str, value: Any, named: str) -> None:
    with pytest.raises(InputRefused) as refused:
        load(broken(path, value))
    assert named in refused.value.message


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"format": 2, "format": 2}', b"NaN"])
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(InputRefused):
        load(data)


def test_every_fault_is_counted() -> None:
    body = json.loads(dump(FULL))
    body["pools"]["archive"]["members"][0]["weight"] = 0
    body["pools"]["archive"]["members"][1]["port"] = 0
    with pytest.raises(InputRefused) as refused:
        load(json.dumps(body).encode())
    assert "(1 more)" in refused.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.integers(0, 400))
def test_any_other_value_anywhere_is_refused_or_means_itself(value: Any, place: int) -> None:
    body = json.loads(dump(FULL))
    spots: list[tuple[Any, Any]] = []

    def walk(at: Any) -> None:
        for key, item in at.items() if isinstance(at, dict) else enumerate(at):
            spots.append((at, key))
            if isinstance(item, (dict, list)):
                walk(item)

    walk(body)
    at, key = spots[place % len(spots)]
    at[key] = value
    try:
        table = load(json.dumps(body).encode())
    except InputRefused:
        return
    assert json.loads(dump(table)) == body


def test_a_listener_on_every_address_has_an_empty_host() -> None:
    assert load(dump(FULL)).services["store"].listen == (Listen("", 11112),)
