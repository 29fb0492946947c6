"""The one place for free ports of tests: below the range that outgoing connections take theirs from, for each test worker its own.

A port that nobody listens on now can be taken by another before it is listened on. An outgoing connection cannot take one of these, nor can
another worker of pytest-xdist, nor a later call of the same process, until all of its range have been given.
"""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator, Mapping

COUNT = 12_000  # ports below the ephemeral range that are given at all
LOWEST = 10_240


def outgoing() -> int:
    """The first port that the system gives to an outgoing connection."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        return int(file.read().split()[0])


def span(first: int, environment: Mapping[str, str]) -> range:
    """The ports of this worker: a share of those below `first`, by pytest-xdist's words in the environment."""
    low = max(first - COUNT, LOWEST)
    workers = int(environment.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = (first - low) // workers
    worker = int(environment.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return range(low + share * worker, low + share * (worker + 1))


def _candidates() -> Iterator[int]:
    ports = list(span(outgoing(), os.environ))
    random.SystemRandom().shuffle(ports)  # the processes of one worker give different ones
    return itertools.cycle(ports)


_NEXT = _candidates()


def free_ports(count: int) -> list[int]:
    """`count` TCP ports that nobody listens on, on any address of this machine."""
    found: list[int] = []
    for port in itertools.islice(_NEXT, COUNT):
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")


def free_port() -> int:
    """One TCP port that nobody listens on."""
    return free_ports(1)[0]
