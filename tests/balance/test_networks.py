"""Addresses and networks."""

from __future__ import annotations

import pytest

from gurney.balance.networks import holds, is_network, plain


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("what", "what"),
        ("", ""),
    ],
)
def test_an_address_has_one_spelling(given: str, said: str) -> None:
    assert plain(given) == said


@pytest.mark.parametrize(
    ("network", "address", "inside"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.0/8", "::ffff:10.1.1.1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("::/0", "10.0.0.1", False),
        ("nonsense", "10.0.0.1", False),
        ("10.0.0.0/8", "nonsense", False),
    ],
)
def test_a_network_holds_an_address(network: str, address: str, inside: bool) -> None:
    assert holds(network, address) is inside


def test_what_is_a_network() -> None:
    assert is_network("10.0.0.0/8") and is_network("::1") and not is_network("10.*") and not is_network("CT1")
