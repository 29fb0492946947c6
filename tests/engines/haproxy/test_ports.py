"""Who listens where, before HAProxy is asked."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from gurney.engines.haproxy import ports
from gurney.errors import EngineRefused
from tests.ports import free_port

ALONE = "127.0.0.77"  # nobody else on this machine listens there meanwhile


@pytest.fixture
def held() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()


def test_a_free_port_is_free_and_stays_so() -> None:
    port = free_port()
    ports.refuse_taken([(ALONE, port)])
    with socket.create_server((ALONE, port)):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_taken_port_names_who_has_it(held: tuple[str, int], host: str) -> None:
    with pytest.raises(EngineRefused, match=rf"port {held[1]} is taken by .* \(pid {os.getpid()}\)"):
        ports.refuse_taken([(host, held[1])])


def test_our_own_processes_do_not_stand_in_the_way(held: tuple[str, int]) -> None:
    ports.refuse_taken([held], {os.getpid()})


def test_another_address_of_the_same_port_is_nobodys_business(held: tuple[str, int]) -> None:
    with socket.create_server(("127.0.0.2", held[1])):
        with pytest.raises(EngineRefused, match="is taken by"):
            ports.refuse_taken([("127.0.0.2", held[1])])
        assert {pid for pid, _ in ports._holders("127.0.0.3", held[1])} == set()


def test_what_is_not_let_go_is_said(held: tuple[str, int]) -> None:
    with pytest.raises(
        EngineRefused, match=rf"port {held[1]} is not let go: .* \(pid {os.getpid()}\) still listens on 127\.0\.0\.1:{held[1]}"
    ):
        ports.wait_free([held], 0.05)
    ports.wait_free([(ALONE, free_port())], 0.05)
