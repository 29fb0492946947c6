"""The one place for reading a PROXY protocol header (v1 and v2) in the harness, and writing one."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class Short(Exception):
    """The header is not whole yet."""


@dataclass(frozen=True)
class Proxied:
    """What the header says: `source` is `address:port`, or "local"."""

    version: int
    source: str


def take(data: bytearray) -> Proxied:
    """Reads the header off the front of `data`; raises `Short`, or `ValueError` when there is none."""
    if data.startswith(SIGNATURE[: len(data)]) and len(data) < 16:
        raise Short
    if data.startswith(SIGNATURE):
        return _second(data)
    end = data.find(b"\r\n")
    if end < 0:
        if len(data) > 107 or not b"PROXY ".startswith(data[:6]):
            raise ValueError("no PROXY header")
        raise Short
    words = data[:end].decode("ascii").split(" ")
    if words[0] != "PROXY":
        raise ValueError("no PROXY header")
    del data[: end + 2]
    return Proxied(1, "local" if words[1] == "UNKNOWN" else f"{words[2]}:{words[4]}")


def _second(data: bytearray) -> Proxied:
    version, family, length = struct.unpack(">BBH", data[12:16])
    if len(data) < 16 + length:
        raise Short
    rest = bytes(data[16 : 16 + length])
    del data[: 16 + length]
    if version & 0xF == 0 or family not in (0x11, 0x21):
        return Proxied(2, "local")
    size = 4 if family == 0x11 else 16
    port = struct.unpack(">H", rest[2 * size : 2 * size + 2])[0]
    return Proxied(2, f"{ipaddress.ip_address(rest[:size])}:{port}")


def first(source: str, port: int, to: int) -> bytes:
    """A PROXY v1 header that says the client is `source:port`."""
    return f"PROXY TCP4 {source} 127.0.0.1 {port} {to}\r\n".encode()


def second(source: str, port: int, to: int) -> bytes:
    """The same in v2."""
    body = ipaddress.ip_address(source).packed + ipaddress.ip_address("127.0.0.1").packed + struct.pack(">HH", port, to)
    return SIGNATURE + struct.pack(">BBH", 0x21, 0x11, len(body)) + body
