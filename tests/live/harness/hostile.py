"""The one place for senders that do what no sender should: raw bytes on connections of their own, and what came back for them."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from . import objects, pdus
from .pdus import Broken, Offer
from .sender import Association, Refused

OFFERS = (
    Offer(1, pdus.VERIFICATION, (pdus.IMPLICIT_LE,)),
    Offer(3, objects.CT, (pdus.IMPLICIT_LE,)),
    Offer(5, objects.CT, ("1.2.3",)),
)
"""What `tests.wire.malformed` takes for granted: 1 and 3 are accepted, 5 is not."""


def rss(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Open descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def connection(port: int, source: str | None = None, timeout: float = 5.0) -> socket.socket:
    """A TCP connection, from one of this machine's 127.x.x.x if asked."""
    return socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0) if source else None)


def one_pdu(sock: socket.socket) -> bytes:
    """The next PDU whole, or what came of it before the peer closed; raises `TimeoutError` where nothing more comes."""
    got = b""
    try:
        while (missing := 6 - len(got) if len(got) < 6 else 6 + struct.unpack(">I", got[2:6])[0] - len(got)) > 0:
            piece = sock.recv(missing)
            if not piece:
                break
            got += piece
    except ConnectionError:
        pass
    return got


def heard(port: int, data: bytes, *, opened: bool, source: str | None = None, timeout: float = 5.0) -> bytes | None:
    """What comes back for `data` on a fresh connection or, `opened`, on a fresh association: a PDU, b"" when it was closed, None: nothing.

    After its A-ABORT an acceptor waits for the peer to close as long as ARTIM runs (PS3.8 Table 9-10): one PDU is enough.
    """
    with connection(port, source, timeout) as sock:
        try:
            if opened:
                sock.sendall(pdus.associate_rq("PACS", "HOSTILE", OFFERS))
                if one_pdu(sock)[:1] != b"\2":
                    raise Broken("no association for a hostile sender")
            sock.sendall(data)
        except ConnectionError:
            return b""  # it was cut off while it spoke
        try:
            return one_pdu(sock)
        except TimeoutError:
            return None


def spoken(port: int, data: bytes, *, patience: float, reset: bool) -> bool:
    """Say `data`, listen until the peer has closed (True) or said nothing for `patience` seconds, then leave by FIN or RST."""
    with connection(port) as sock:
        try:
            sock.sendall(data)
            sock.settimeout(patience)
            while sock.recv(65536):
                pass
            return True
        except TimeoutError:
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        except ConnectionError:
            return True


def asked(port: int, command: bytes, data: bytes | None, offers: Sequence[Offer] = OFFERS, context: int = 3) -> int | str:
    """The status of one message on an association of its own, or "abort"; then the association is released, if it still can be."""
    a = Association(port, offers, calling="HOSTILE", timeout=20)
    try:
        a.sock.sendall(b"".join(pdus.message_pdus(context, command, data, a.pdu_size)))
        status = pdus.number(a.answer(), 0x900)
    except (Broken, ConnectionError):
        a.sock.close()
        return "abort"
    try:
        a.release()
    except (Broken, ConnectionError):
        return "not released"
    return status


def kind_of(port: int, rq: bytes, source: str | None = None, timeout: float = 10.0) -> str:
    """What an A-ASSOCIATE-RQ comes to: "accepted", "rejected", "aborted", "closed" or "nothing"."""
    with connection(port, source, timeout) as sock:
        try:
            sock.sendall(rq)
            got = one_pdu(sock)
        except ConnectionError:
            return "closed"
        except TimeoutError:
            return "nothing"
    return {1: "accepted", 2: "accepted", 3: "rejected", 7: "aborted"}.get(got[0], "nonsense") if got else "closed"


def titled(called: bytes, calling: bytes, offers: Sequence[Offer] = OFFERS) -> bytes:
    """An A-ASSOCIATE-RQ whose titles are these 16 bytes each, whatever they are."""
    raw = bytearray(pdus.associate_rq("", "", offers))
    raw[10:26] = called.ljust(16)[:16]
    raw[26:42] = calling.ljust(16)[:16]
    return bytes(raw)


def served(port: int, calling: str = "HONEST", timeout: float = 2.0) -> bool:
    """Whether a healthy C-ECHO is answered 0000 within 2 s (dicom.md §12, 37: the page's own promise)."""
    try:
        a = Association(port, OFFERS[:1], calling=calling, timeout=timeout)
        status = a.echo()
        a.release()
    except (OSError, Broken, Refused):
        return False
    return status == 0
