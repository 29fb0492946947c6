"""The one place for free ports: below the range that outgoing connections take theirs from."""

from __future__ import annotations

import random
import socket


def free_ports(count: int) -> list[int]:
    """`count` ports of 127.0.0.1 that nobody listens on."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        low = int(f.read().split()[0])
    found: list[int] = []
    for port in random.Random().sample(range(max(low - 12000, 10240), low - 1), 2000):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            break
    return found
