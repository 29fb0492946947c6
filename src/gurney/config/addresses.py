"""The one place for addresses: host and port, NAME@ADDRESS, what is listened on, networks and the entries of `accept_from`.

NAME@ADDRESS is split at the last `@`; an IPv6 address with a port stands in brackets (architecture.md §3).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from gurney.config import limits, text
from gurney.config.document import Listen, Peer
from gurney.config.faults import Unfit, printable, shown

_LOOKS_NUMERIC = re.compile(r"[0-9]+(?:\.[0-9]+)+(?:[/:].*)?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:/.*)?|.*/[0-9]+")


@dataclass(frozen=True, slots=True)
class Target:
    """NAME@HOST:PORT taken apart; what was not written is None."""

    ae_title: str | None
    host: str
    port: int | None


def port(value: str) -> int:
    """A TCP port, 1 to 65535."""
    return text.integer(value, 1, limits.PORT_HIGHEST, "a port")


def _ip(value: str) -> str | None:
    """The canonical form of an IP address without a zone, else None."""
    if not value.isascii() or "%" in value:
        return None
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return None


def is_address(value: str) -> bool:
    """Whether `value` is an IP address in its canonical form."""
    return _ip(value) == value


def host(value: str) -> str:
    """An IP address in its canonical form, or a host name in lower case."""
    address = _ip(value)
    if address is not None:
        return address
    if value.startswith("["):
        raise Unfit("GRN-S017", f"{shown(value)} is no address", "brackets are for an IPv6 address with a port")
    if re.fullmatch(r"[0-9.]+", value) or ":" in value or not text.host_name(value):
        raise Unfit("GRN-S017", f"{shown(value)} is no address", "an IP address or a host name (letters, digits, hyphens and dots)")
    return value.lower()


def _apart(value: str) -> tuple[str, str | None]:
    """Host text and port text; an IPv6 address without brackets has no port."""
    if value.startswith("["):
        inside, closing, after = value[1:].partition("]")
        if not closing or (after and not after.startswith(":")) or ":" not in inside:
            raise Unfit("GRN-S017", f"{shown(value)} is no address", '"[fd00::1]:104" is an IPv6 address with a port')
        return inside, after[1:] if after else None
    if value.count(":") > 1:
        return value, None
    before, colon, after = value.partition(":")
    return before, after if colon else None


def target(value: str) -> Target:
    """A member's NAME@HOST:PORT, HOST:PORT, NAME@HOST or HOST."""
    before, at, address = value.rpartition("@")
    title = text.ae_title(before) if at else None
    if not address:
        raise Unfit("GRN-S017", f"{shown(value)} has no address", "NAME@ADDRESS:PORT, for example ARCHIVE1@10.0.0.11:11112")
    host_text, port_text = _apart(address)
    return Target(title, host(host_text), port(port_text) if port_text is not None else None)


def spell_target(host_: str, port_: int) -> str:
    """HOST:PORT, with brackets around an IPv6 address."""
    return f"[{host_}]:{port_}" if ":" in host_ else f"{host_}:{port_}"


def listen(value: str) -> Listen:
    """A port (every address of the node) or ADDRESS:PORT."""
    if re.fullmatch(r"[0-9]+", value):
        return Listen("", port(value))
    if value.startswith("*:"):
        raise Unfit("GRN-S017", f"{shown(value)} is no address to listen on", f"every address is the port alone: {printable(value[2:])}")
    if "%" in value:
        raise Unfit("GRN-S017", f"{shown(value)} is no address to listen on", "an address without a zone, or the port alone")
    host_text, port_text = _apart(value)
    if port_text is None:
        hint = (
            f'an IPv6 address with a port needs brackets and quotes: "[{printable(value)}]:11112"'
            if ":" in value
            else "a port, or ADDRESS:PORT"
        )
        raise Unfit("GRN-S017", f"{shown(value)} is no address to listen on", hint)
    address = _ip(host_text)
    if address is None:
        raise Unfit(
            "GRN-S017", f"{shown(host_text)} is no address to listen on", "an IP address of this node, or the port alone for all of them"
        )
    return Listen(address, port(port_text))


def network(value: str) -> str:
    """An address or network in canonical CIDR form: `10.0.0.31` -> `10.0.0.31/32`."""
    if "%" in value or not value.isascii():
        raise Unfit("GRN-S017", f"{shown(value)} is no network", "an IP address without a zone, or a network such as 10.0.3.0/24")
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        pass
    hint = "an IP address, or a network such as 10.0.3.0/24"
    try:
        hint = f"bits beside the network are set: did you mean {ipaddress.ip_network(value, strict=False)}?"
    except ValueError:
        if re.fullmatch(r"[0-9.]+:[0-9]+|\[.*\]:[0-9]+", value):
            hint = "a sender has no port: leave it out"
    raise Unfit("GRN-S017", f"{shown(value)} is no network", hint)


def peer(value: str) -> Peer:
    """One entry of `accept_from`: NAME@ADDRESS, an address or network, or else a name; NAME may be a glob."""
    before, at, address = value.rpartition("@")
    if not at:
        if _LOOKS_NUMERIC.fullmatch(value):
            return Peer("*", network(value))
        return Peer(_peer_name(value), None)
    if not before:
        raise Unfit("GRN-S024", f"{shown(value)} has no name before @", f"an address alone is any name: {printable(address)}")
    if not address:
        raise Unfit("GRN-S024", f"{shown(value)} has no address behind @", f"a name alone is any address: {printable(before)}")
    if not _LOOKS_NUMERIC.fullmatch(address.partition("%")[0]) and text.host_name(address.partition(":")[0]):
        raise Unfit(
            "GRN-S024", f"{shown(address)} is no sender address", "host names are no sender addresses: write an IP address or network"
        )
    return Peer(_peer_name(before), network(address))


def _peer_name(value: str) -> str:
    try:
        return text.ae_title(value)
    except Unfit as unfit:
        if "*" in value and value.isascii() and len(value.replace("*", "")) <= limits.AE_TITLE_BYTES and "\\" not in value:
            return value
        dotted = "." in value and text.host_name(value)
        raise Unfit(
            "GRN-S024", unfit.message, "host names are no sender addresses: write an IP address or network" if dotted else unfit.hint
        ) from None
