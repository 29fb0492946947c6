"""Descriptors run out: who cannot be served is refused at once, nothing spins, nothing breaks, and it goes on when there are some."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.deliver.running import Running
from tests.live.harness import objects, pdus
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.sender import Association, send
from tests.live.harness.wait import until


@contextmanager
def no_descriptors() -> Iterator[None]:
    """The limit of this process is what it has open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(name) for name in os.listdir("/proc/self/fd")) + 1, hard))
    held: list[int] = []
    try:
        try:
            while True:
                held.append(os.dup(0))
        except OSError:
            pass
        yield
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_connections_are_refused_and_objects_too() -> None:
    """Three connections made while none is left are reset, an object that needs a new association hears A700; then all works again."""
    member = Member(Behaviour(keep=True))
    thing = objects.study("descriptors", 1)[0]
    try:
        with Running([member.port]) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            waiting = [socket.socket() for _ in range(3)]
            for sock in waiting:
                sock.settimeout(5)
            with no_descriptors():
                assert [_end(sock, route.port) for sock in waiting] == ["reset"] * 3
                assert a.store(thing) == 0xA700
            for sock in waiting:
                sock.close()
            assert a.store(thing) == 0
            a.release()
            until(lambda: send(route.port, [thing]).acked, 5, "new connections are taken")
            assert route.count("gurney_dicom_limited_total") >= 3
            route.healthy()
    finally:
        member.close()


def _end(sock: socket.socket, port: int) -> str:
    try:
        sock.connect(("127.0.0.1", port))
        return "closed" if sock.recv(1) == b"" else "answered"
    except ConnectionResetError:
        return "reset"


def test_a_hundred_connections_that_open_and_leave_at_once() -> None:
    """Connections and requests that are gone before they are looked at leave nothing."""
    member = Member(Behaviour(keep=True))
    thing = objects.study("flood", 1)[0]
    request = pdus.associate_rq("PACS", "SENDER", pdus.offers_for([thing.pair]))
    try:
        with Running([member.port]) as route:
            for n in range(100):
                sock = socket.create_connection(("127.0.0.1", route.port))
                sock.sendall(request[: n * 3] if n % 4 else request)
                if n % 3:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.close()
            route.healthy()
            assert send(route.port, [thing]).acked == {thing.sop_instance}
            route.healthy()
    finally:
        member.close()
