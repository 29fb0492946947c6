"""A TLS connection used like a socket: the same bytes, the same errors, no copy of what is large, nothing lost at a full socket."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import random
import select
import socket
import ssl
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.net import secured as module
from gurney.net import tune
from gurney.net.outbox import Outbox
from gurney.net.secured import Secured
from tests.live.harness.http.certificates import Authority
from tests.live.harness.wait import until
from tests.net.secrets import Kept, connected, secured

Pair = tuple[Secured, Secured]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    folder = tmp_path_factory.mktemp("tls")
    ca, kept = Authority(folder), Kept(folder)
    return kept.accepting(ca.leaf("own.pem", "archive.example.org").file), kept.towards(ca.file)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def pair(contexts: tuple[ssl.SSLContext, ssl.SSLContext], request: pytest.FixtureRequest) -> Iterator[Pair]:
    contexts[1].maximum_version = request.param
    ends = secured(*contexts, "archive.example.org")
    assert ends[0].version == request.param.name.replace("_", ".")
    yield ends
    for end in ends:
        end.close()


def arrived(end: Secured, count: int = 1) -> Secured:
    """The same end, once so many bytes (of records) or the end of the connection have come to it."""
    waiting = bytearray(4)

    def come() -> bool:
        fcntl.ioctl(end.fileno(), termios.FIONREAD, waiting)
        return int.from_bytes(waiting, "little") >= count

    if count > 1:
        until(come, 10, f"{count} bytes have come")
    assert select.select([end], [], [], 10)[0]
    return end


def drained(end: Secured, view: memoryview) -> bytes:
    """Everything there is now."""
    found = b""
    while True:
        try:
            count = end.recv_into(view)
        except BlockingIOError:
            return found
        if not count:
            return found
        found += view[:count]


def test_megabytes_pass_in_order_through_a_socket_that_fills(pair: Pair) -> None:
    """The sender blocks again and again in mid record; what is queued grows meanwhile, as it does behind a link."""
    dialling, accepting = pair
    made, outbox, view = random.Random(29), Outbox(dialling), memoryview(bytearray(1 << 20))  # type: ignore[arg-type]
    dialling.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    sent, came, given, taken, blocked = hashlib.sha256(), hashlib.sha256(), 0, 0, 0
    while given < 16 << 20 or taken < given:
        if given < 16 << 20:
            for size in (12, made.choice((1, 400, 16_383, 16_384, 16_385, 70_000, 1 << 20)), 12, 4_000):
                piece = made.randbytes(size)
                outbox.add(piece)
                sent.update(piece)
                given += size
        if not outbox.flush():
            blocked += 1
        if not outbox.flush() or given >= 16 << 20:
            arrived(accepting)
            piece = drained(accepting, view)
            came.update(piece)
            taken += len(piece)
    assert blocked > 3  # the buffer of the socket is much smaller than what is given
    assert came.digest() == sent.digest()


def test_a_read_fills_the_view_record_after_record(pair: Pair) -> None:
    dialling, accepting = pair
    assert dialling.send(os.urandom(40_000)) == 40_000
    view = memoryview(bytearray(1 << 20))
    arrived(accepting, 40_000 + 3 * (22 if accepting.version == "TLSv1.3" else 29))
    assert accepting.recv_into(view) == 40_000
    with pytest.raises(BlockingIOError):
        accepting.recv_into(view)
    assert not accepting.pending()


def test_what_no_longer_fits_is_pending(pair: Pair) -> None:
    dialling, accepting = pair
    dialling.send(bytes(10_000))
    view = memoryview(bytearray(4_000))
    arrived(accepting, 10_000)
    assert [accepting.recv_into(view), accepting.pending()] == [4_000, True]
    assert [accepting.recv_into(view), accepting.recv_into(view), accepting.pending()] == [4_000, 2_000, False]


def test_a_command_and_its_first_data_leave_in_one_record() -> None:
    data = memoryview(bytearray(os.urandom(1 << 20)))
    chunks = list(module._chunks([b"c" * 150, b"h" * 12, data], 0))
    assert [len(chunk) for chunk in chunks[:2]] == [module.RECORD, module.CHUNK]
    assert b"".join(chunks) == b"c" * 150 + b"h" * 12 + data
    # but for the first record and what is left at the end, every chunk lies in the sender's own buffer
    assert all(isinstance(chunk, memoryview) and chunk.obj is data.obj for chunk in chunks[1:])


@pytest.mark.parametrize("skip", [0, 1, 149, 150, 151, 20_000, 150 + 300_000])
def test_chunks_begin_where_the_last_write_ended(skip: int) -> None:
    buffers = [os.urandom(150), memoryview(os.urandom(100_000)), b"", os.urandom(7), os.urandom(200_000)]
    assert b"".join(module._chunks(buffers, skip)) == b"".join(buffers)[skip:]


def test_looking_ahead_takes_nothing_away(pair: Pair) -> None:
    dialling, accepting = pair
    assert not tune.idle_peer_gone(accepting)  # type: ignore[arg-type]
    dialling.send(b"late answer")
    arrived(accepting, 11)
    assert tune.idle_peer_gone(accepting) and tune.idle_peer_gone(accepting)  # type: ignore[arg-type]
    assert accepting.pending()
    assert accepting.recv(100) == b"late answer"
    dialling.close()
    arrived(accepting)
    assert tune.idle_peer_gone(accepting)  # type: ignore[arg-type]


def test_a_farewell_behind_bytes_is_told_after_them(pair: Pair) -> None:
    dialling, accepting = pair
    dialling.send(b"the last word")
    dialling.close()
    arrived(accepting, 13 + 21 + 24)
    view = memoryview(bytearray(100))
    assert accepting.recv_into(view) == 13
    assert accepting.pending()
    assert accepting.recv_into(view) == 0


def test_a_reset_says_no_farewell(pair: Pair) -> None:
    dialling, accepting = pair
    with socket.socket(fileno=os.dup(accepting.fileno())) as raw:
        tune.reset(dialling)  # type: ignore[arg-type]
        assert select.select([raw], [], [], 10)[0]
        with pytest.raises(ConnectionResetError):
            raw.recv(100)  # not one byte of a record came before it
        assert accepting.recv(100) == b""


def test_a_record_that_was_tampered_with_is_a_fault_of_tls_and_stays_one(pair: Pair) -> None:
    dialling, accepting = pair
    dialling.send(b"whole")
    told: list[str] = []
    accepting.told = told.append
    with socket.socket(fileno=os.dup(dialling.fileno())) as raw:
        raw.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    view = memoryview(bytearray(100))
    arrived(accepting, 37 + 5 + 16)
    assert accepting.recv_into(view) == 5
    assert accepting.pending()
    for _ in range(2):
        with pytest.raises(OSError) as fault:
            accepting.recv_into(view)
        assert fault.value.errno == errno.EPROTO and not isinstance(fault.value, ssl.SSLError)
    assert told == []  # the peer had accepted what it was shown: this is no refusal


def test_writing_to_a_peer_that_has_left_is_an_error_of_the_system(pair: Pair) -> None:
    dialling, accepting = pair
    accepting.close()
    with pytest.raises(OSError) as fault:
        for _ in range(100):
            dialling.send(bytes(1 << 20))
    assert not isinstance(fault.value, ssl.SSLError | BlockingIOError)


def test_a_server_name_that_can_be_none_closes_the_socket(tmp_path: Path) -> None:
    ca, kept = Authority(tmp_path), Kept(tmp_path)
    ours, theirs = socket.socketpair()
    with pytest.raises((OSError, ValueError)):
        Secured(ours, kept.towards(ca.file), ".example.org")
    assert ours.fileno() == -1
    theirs.close()


def test_a_refusal_is_heard_although_writing_fails_first(tmp_path: Path) -> None:
    """TLS 1.3: our side of the handshake is done when the peer looks at our certificate, says no and is gone."""
    ca, other, kept = Authority(tmp_path), Authority(tmp_path, "other"), Kept(tmp_path)
    mutual = kept.accepting(ca.leaf("own.pem", "archive.example.org").file, ca=ca.file)
    ours, theirs = connected()
    dialling, accepting = (
        Secured(ours, kept.towards(ca.file, other.leaf("us.pem", "us").file), "archive.example.org"),
        Secured(theirs, mutual),
    )
    told: list[str] = []
    dialling.told = told.append
    done, refused = False, False
    while not (done and refused):
        with contextlib.suppress(ssl.SSLWantReadError):
            dialling.handshake()
            done = True
        with contextlib.suppress(ssl.SSLWantReadError):
            try:
                accepting.handshake()
            except ssl.SSLCertVerificationError:
                refused = True
    accepting.close()
    with pytest.raises(OSError) as fault:
        for _ in range(1_000):
            dialling.send(bytes(1 << 16))
    assert (fault.value.errno, fault.value.strerror, told) == (errno.EPROTO, "refused-by-peer", ["refused-by-peer"])
    dialling.close()


def test_a_resumed_session_ends_with_its_certificate(tmp_path: Path) -> None:
    """TLS 1.2: what is resumed shows no certificate again, so that the one it was begun with is looked at."""
    ca, kept = Authority(tmp_path), Kept(tmp_path)
    accepting = kept.accepting(ca.leaf("own.pem", "archive.example.org").file, ca=ca.file)
    towards = kept.towards(ca.file, ca.leaf("ct1.pem", "ct1.example.org").file)
    towards.maximum_version = ssl.TLSVersion.TLSv1_2
    first = secured(accepting, towards, "archive.example.org")
    session = first[0]._tls.session
    ours, theirs = connected()
    again = Secured(ours, towards, "archive.example.org"), Secured(theirs, accepting)
    again[0]._tls.session = session
    done: set[Secured] = set()
    while len(done) < 2:
        for end in again:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.handshake()
                done.add(end)
    assert again[1]._tls.session_reused and again[1].subject == first[1].subject != ""
    now, year = time.time(), 365 * 86_400.0
    assert [first[1].lapsed(now + year), again[1].lapsed(now), again[1].lapsed(now + year)] == [False, False, True]
    for one in (*first, *again):
        one.close()
