"""Free ports of tests: no two workers share one, no process is given one twice, none is an outgoing connection's."""

from __future__ import annotations

import socket

from tests.ports import COUNT, free_ports, outgoing, span


def test_workers_share_no_port() -> None:
    """Each worker's ports are its own, and all of them are below the ephemeral range."""
    spans = [span(32_768, {"PYTEST_XDIST_WORKER": f"gw{n}", "PYTEST_XDIST_WORKER_COUNT": "3"}) for n in range(3)]
    assert len({port for one in spans for port in one}) == sum(map(len, spans)) == COUNT
    assert max(map(max, spans)) < 32_768
    assert span(32_768, {}) == range(32_768 - COUNT, 32_768)


def test_no_port_is_given_twice_nor_one_that_is_taken() -> None:
    """What is given is free, lies below outgoing connections' ports, and is another one each time."""
    given = free_ports(100) + free_ports(100)
    assert len(set(given)) == 200 and max(given) < outgoing()
    for port in given:
        socket.create_server(("127.0.0.1", port)).close()
