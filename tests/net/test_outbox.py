"""Bytes that wait: order kept, nothing copied, partial writes go on where they stopped."""

from __future__ import annotations

import socket

import pytest

from gurney.net.outbox import Outbox


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected non-blocking sockets with small buffers."""
    left, right = socket.socketpair()
    for sock in (left, right):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    return left, right


def drained(outbox: Outbox, right: socket.socket) -> bytes:
    """Flush and read in turns until all has crossed."""
    got = b""
    while True:
        empty = outbox.flush()
        try:
            while chunk := right.recv(65536):
                got += chunk
        except BlockingIOError:
            pass
        if empty:
            return got


def test_order_and_partial_writes() -> None:
    left, right = pair()
    outbox = Outbox(left)
    slab = bytearray(range(256)) * 4096
    views = [memoryview(slab)[at : at + 70_000] for at in range(0, len(slab), 70_000)]
    for number, view in enumerate(views):
        outbox.add(bytes([number]))
        outbox.add(view)
    expected = b"".join(bytes([number]) + bytes(view) for number, view in enumerate(views))
    assert outbox.pending == len(expected)
    assert drained(outbox, right) == expected
    assert outbox.pending == 0 and not outbox.waiting


def test_many_small_buffers_need_few_writes() -> None:
    left, right = pair()
    calls = 0

    class Counting:
        """A socket that counts its system calls."""

        def send(self, data: bytes) -> int:
            nonlocal calls
            calls += 1
            return left.send(data)

        def sendmsg(self, data: list[bytes]) -> int:
            nonlocal calls
            calls += 1
            return left.sendmsg(data)

    outbox = Outbox(Counting())  # type: ignore[arg-type]
    for _ in range(60):
        outbox.add(b"x" * 10)
    assert outbox.flush()
    assert calls == 1
    assert right.recv(1000) == b"x" * 600


def test_a_gone_peer_is_an_oserror() -> None:
    left, right = pair()
    right.close()
    outbox = Outbox(left)
    outbox.add(b"x")
    with pytest.raises(OSError):
        outbox.flush()
    outbox.clear()
    assert not outbox.waiting


def test_what_is_sent_at_once_keeps_its_place() -> None:
    """`send` behind bytes that wait, in between, and of nothing at all: the order is that of the calls."""
    left, right = pair()
    outbox = Outbox(left)
    assert outbox.send(b"a", b"", b"b")
    assert right.recv(10) == b"ab"
    large = bytes(range(256)) * 1000
    assert not outbox.send(large)
    assert not outbox.send(b"x", b"y")
    assert drained(outbox, right) == large + b"xy"
    assert outbox.pending == 0 and outbox.send(b"", b"") and outbox.send(b"z")
    assert right.recv(10) == b"z"
    left.close()
    right.close()
