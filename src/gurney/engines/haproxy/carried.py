"""The one place for the health that a reload carries over: what HAProxy says of its servers, as the next worker may believe it.

HAProxy's own file carries too much: weight, maintenance and even the port of before would win over the new configuration (tried on
2.8). Only health is carried, and only of a member that is still the same destination. The file is there for the moment of a reload
alone, so that a worker started after a crash begins with every member up instead of with old news.
"""

from __future__ import annotations

import ipaddress

from gurney.compile.haproxy.bundle import Bundle

FILE = "run/server-state"
_VERSION = "1"
_MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20  # forced, inherited, by configuration, by name resolution (srv_admin_state)
# the columns of `show servers state`, version 1 (management guide, "show servers state")
_BACKEND, _SERVER, _ADDRESS, _ADMIN, _WEIGHT, _INITIAL_WEIGHT, _NAME, _PORT = 1, 3, 4, 6, 7, 8, 17, 18
_COLUMNS = 19


def carried(shown: str, wanted: Bundle) -> str:
    """`show servers state` of the running worker as the file for the next one, which is to serve `wanted`.

    Empty when it is of another version.
    """
    lines = shown.strip().splitlines()
    if len(lines) < 2 or lines[0].strip() != _VERSION:
        return ""
    addresses = {(backend.name, server.name): server.address for backend in wanted.backends for server in backend.servers}
    kept = [line for line in (_line(line, addresses) for line in lines[2:]) if line]
    return "\n".join([_VERSION, lines[1], *kept]) + "\n"


def _line(line: str, addresses: dict[tuple[str, str], str]) -> str:
    fields = line.split()
    if len(fields) < _COLUMNS:
        return ""
    address = addresses.get((fields[_BACKEND], fields[_SERVER]))
    admin = fields[_ADMIN]
    if address is None or not (admin.isascii() and admin.isdigit()) or int(admin) & _MAINTENANCE or not _same(address, fields):
        return ""
    fields[_ADMIN] = "0"
    fields[_INITIAL_WEIGHT] = fields[_WEIGHT]  # equal ones change nothing, whatever the configuration says
    return " ".join(fields)


def _same(address: str, fields: list[str]) -> bool:
    host, _, port = address.rpartition(":")
    return port == fields[_PORT] and _plain(host) in (_plain(fields[_ADDRESS]), fields[_NAME].lower())


def _plain(host: str) -> str:
    bare = host.strip("[]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare.lower()
