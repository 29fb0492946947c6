"""NAME@ADDRESS, listeners, networks and the entries of accept_from: architecture §3's sentence on them, word by word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.config import addresses
from gurney.config.addresses import Target
from gurney.config.document import Listen, Peer
from gurney.config.faults import Unfit
from tests.config.made import AE_TITLES


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("ARCHIVE1@10.0.0.11:11112", Target("ARCHIVE1", "10.0.0.11", 11112)),
        ("10.0.0.11:104", Target(None, "10.0.0.11", 104)),
        ("VNA@vna.example.org:2762", Target("VNA", "vna.example.org", 2762)),
        ("VNA@VNA.Example.ORG:2762", Target("VNA", "vna.example.org", 2762)),
        ("A@B@10.0.0.1:104", Target("A@B", "10.0.0.1", 104)),
        ("PACS@[fd00::11]:104", Target("PACS", "fd00::11", 104)),
        ("[FD00:0::11]:104", Target(None, "fd00::11", 104)),
        ("fd00::11", Target(None, "fd00::11", None)),
        ("MY PACS@10.0.0.1", Target("MY PACS", "10.0.0.1", None)),
    ],
)
def test_targets(value: str, target: Target) -> None:
    assert addresses.target(value) == target


@pytest.mark.parametrize(
    "value",
    [
        "",
        "@10.0.0.1:104",
        "A@",
        "A@:104",
        "A@10.0.0.1:",
        "A@10.0.0.1:0",
        "A@10.0.0.1:65536",
        "A@10.0.0.1:104:5",
        "A@10.0.0.1:١٠٤",
        "A@10.0.0.300:104",
        "A@10.0.0.01:104",
        "A@[fd00::11]",
        "A@[fd00::11",
        "A@[fd00::11]x:1",
        "A@[10.0.0.1]:104",
        "A@fe80::1%eth0",
        "A@pacs_1:104",
        "A@pacs.:104",
        "A@-pacs:104",
        "A@1:104",
        "A@pacs/x:104",
        "A\\B@10.0.0.1:104",
        "A@ 10.0.0.1:104",
        "A@10.0.0.1:104 ",
    ],
)
def test_what_is_no_target(value: str) -> None:
    try:
        found = addresses.target(value)
    except Unfit:
        return
    assert found.port is None  # the whole notation needs one: the pool's reader says so


@given(st.none() | AE_TITLES, st.ip_addresses() | st.just("pacs.example.org"), st.integers(1, 65535))
def test_a_target_is_read_as_it_is_spelt(title: str | None, host: object, port: int) -> None:
    spelt = addresses.spell_target(str(host), port)
    assert addresses.target(f"{title}@{spelt}" if title else spelt) == Target(title, str(host), port)


def test_listeners() -> None:
    assert addresses.listen("11112") == Listen("", 11112)
    assert addresses.listen("10.0.0.2:104") == Listen("10.0.0.2", 104)
    assert addresses.listen("[FD00::2]:104") == Listen("fd00::2", 104)
    assert addresses.listen("0.0.0.0:104") == Listen("0.0.0.0", 104)
    for value in ("", "0", "65536", "-1", "localhost:104", "*:104", "10.0.0.2", "fd00::2", "10.0.0.2:x", "[fe80::1%eth0]:104", "１１２"):
        with pytest.raises(Unfit):
            addresses.listen(value)


@pytest.mark.parametrize(
    ("value", "peer"),
    [
        ("CT1@10.0.0.31", Peer("CT1", "10.0.0.31/32")),
        ("MR*@10.0.3.0/24", Peer("MR*", "10.0.3.0/24")),
        ("10.9.0.0/16", Peer("*", "10.9.0.0/16")),
        ("10.9.0.1", Peer("*", "10.9.0.1/32")),
        ("fd00::/8", Peer("*", "fd00::/8")),
        ("CT1", Peer("CT1", None)),
        ("*", Peer("*", None)),
        ("CT?", Peer("CT?", None)),
        ("A@B@fd00::1", Peer("A@B", "fd00::1/128")),
        ("10", Peer("10", None)),
        ("CT.1", Peer("CT.1", None)),
        ("*VERY-LONG-NAME-1*", Peer("*VERY-LONG-NAME-1*", None)),
    ],
)
def test_peers(value: str, peer: Peer) -> None:
    assert addresses.peer(value) == peer


@pytest.mark.parametrize(
    ("value", "code", "hint"),
    [
        ("CT1@ct1.example.org", "GRN-S024", "host names are no sender addresses: write an IP address or network"),
        ("CT1@ct1:104", "GRN-S024", "host names are no sender addresses: write an IP address or network"),
        ("CT1@10.0.0.31:104", "GRN-S017", "a sender has no port: leave it out"),
        ("10.0.3.7/24", "GRN-S017", "bits beside the network are set: did you mean 10.0.3.0/24?"),
        ("@10.0.0.1", "GRN-S024", "an address alone is any name: 10.0.0.1"),
        ("CT1@", "GRN-S024", "a name alone is any address: CT1"),
    ],
)
def test_an_entry_that_names_no_sender_says_the_way_out(value: str, code: str, hint: str) -> None:
    with pytest.raises(Unfit) as refused:
        addresses.peer(value)
    assert (refused.value.code, refused.value.hint) == (code, hint)


@given(st.text(max_size=50))
def test_no_text_makes_them_raise_anything_else(value: str) -> None:
    for parse in (addresses.target, addresses.listen, addresses.peer, addresses.network, addresses.host, addresses.port):
        try:
            found = parse(value)
        except Unfit:
            continue
        assert repr(found).isascii()
