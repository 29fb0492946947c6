"""Receive memory while objects travel: what a link still sends from is nobody else's, and all of it comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from gurney.deliver.transfer import Transfer
from tests.deliver.gate import Gate
from tests.deliver.running import Running
from tests.live.harness import objects, pdus
from tests.live.harness.sender import Association
from tests.live.harness.wait import until

LARGE = 5 << 20  # more than socket buffers hold, less than they and the 4 MiB ahead of the member


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.close()


def message(a: Association, thing: objects.Thing, number: int = 1) -> bytes:
    """A whole C-STORE as bytes."""
    command = pdus.store_rq(thing.sop_class, thing.sop_instance, number)
    return b"".join(pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size))


def in_hand(route: Running) -> list[Transfer]:
    """The objects on their way."""
    return route.inside(lambda: list(route.process._dispatcher._of))


def stuck(route: Running) -> bool:
    """One of them has come whole and waits in our memory for its member."""
    return any(t.whole and t.link is not None and t.link.unsent > 0 for t in in_hand(route))


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda a: a.sock.sendall(pdus.abort()), id="abort"),
        pytest.param(lambda a: a.sock.sendall(b"GET / HTTP/1.0\r\n\r\n"), id="garbage"),
        pytest.param(lambda a: a.sock.close(), id="close"),
        pytest.param(lambda a: a.reset(), id="reset"),
        pytest.param(lambda a: a.sock.sendall(pdus.pdu(pdus.RQ, bytes(70))), id="second-request"),
    ],
)
def test_a_whole_object_keeps_its_bytes_when_its_sender_leaves(gate: Gate, leave: Callable[[Association], None]) -> None:
    """The sender is gone before the answer; its object goes on, and no other object's bytes get into it."""
    first = objects.study("leaves", 1, size=LARGE, fill=b"\xaa" * 4096)[0]
    other = objects.study("other", 1, size=LARGE, fill=b"\xbb" * 4096)[0]
    with Running([gate.port]) as route:
        a = Association(route.port, pdus.offers_for([first.pair]))
        a.sock.sendall(message(a, first))
        until(lambda: stuck(route), 5, "it has come whole and its end has not left")
        leave(a)
        until(lambda: all(t.abandoned for t in in_hand(route)), 5, "it is abandoned")
        assert stuck(route)
        b = Association(route.port, pdus.offers_for([other.pair]))
        b.sock.sendall(message(b, other))
        gate.open.set()
        assert pdus.number(b.answer(), 0x900) == 0
        b.release()
        a.sock.close()
        until(lambda: len(gate.data) == 2, 5, "both are with the member")
        route.healthy()
    assert sorted(gate.data) == sorted([(first.sop_instance, first.data), (other.sop_instance, other.data)])
