"""The one place for addresses and networks: reading them and telling whether one holds the other."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def plain(address: str) -> str:
    """The address as facts name it: no zone, an IPv4-mapped IPv6 address as IPv4; what is no address stays as it is."""
    found = _address(address)
    return address if found is None else str(found)


def holds(network: str, address: str) -> bool:
    """True if both can be read, are of one family and `network` (CIDR or a single address) holds `address`."""
    inside, around = _address(address), _network(network)
    return inside is not None and around is not None and inside.version == around.version and inside in around


def is_network(text: str) -> bool:
    """True if `text` is an address or a network."""
    return _network(text) is not None


# Reading an address costs more than comparing it. These are bounded memos of pure functions: they change no answer.
@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


@lru_cache(maxsize=4096)
def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
