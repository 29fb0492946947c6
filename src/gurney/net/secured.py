"""The one place for a TLS connection that is used like a socket: what sessions and links ask of one, no more.

It answers as a non-blocking TCP socket does (BlockingIOError, OSError with an errno, 0 bytes at the end), so that the hot path knows one
kind of socket. Records are decrypted straight into the caller's view and encrypted straight from it; only what is smaller than a record
is gathered first, so that a command and the beginning of its data leave in one.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from gurney.net import tls

RECORD = 16_384  # bytes of plain text in one record at most (RFC 8446 §5.1)
CHUNK = 4 * RECORD  # given to the library at once: what it has begun it must be given again, unchanged, until it has left

Bytes = bytes | bytearray | memoryview


class Secured:
    """One connection whose handshake is under way (`handshake`) or done. Owns the socket it was made from."""

    __slots__ = ("_abrupt", "_ended", "_fault", "_held", "_proven", "_tls", "_unread", "told")

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_name: str | None = None) -> None:
        """`server_name` makes it the dialling side. Raises OSError or ValueError; `sock` is closed then."""
        try:
            self._tls = context.wrap_socket(
                sock, server_side=server_name is None, server_hostname=server_name, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
        except (OSError, ValueError):
            sock.close()
            raise
        self._held: Bytes | None = None  # begun and not yet left
        self._unread = b""  # looked at by MSG_PEEK
        self._fault: OSError | None = None  # met behind bytes that were given first
        self._ended = False
        self._abrupt = False
        self._proven = False  # a byte came: the peer has accepted what was shown
        self.told: Callable[[str], None] | None = None
        """Hears, in a word of `tls.REASONS`, of a peer that refuses after our side of the handshake is done (TLS 1.3 allows it)."""

    def handshake(self) -> None:
        """One step. Raises ssl.SSLWantReadError, ssl.SSLWantWriteError, or what `tls.reason` has a word for."""
        self._tls.do_handshake()

    @property
    def subject(self) -> str:
        """The fact `tls_subject`: of the certificate the peer showed, empty when none was asked for."""
        return tls.subject(self._tls.getpeercert())

    def lapsed(self, now: float) -> bool:
        """Whether this resumes a session (TLS 1.2 has tickets) whose certificate, not shown again, has ended at `now` (seconds, epoch)."""
        shown = self._tls.getpeercert() if self._tls.session_reused else None
        return shown is not None and bool(shown) and ssl.cert_time_to_seconds(str(shown["notAfter"])) <= now

    @property
    def version(self) -> str:
        """`TLSv1.2`, `TLSv1.3`; empty before the handshake is done."""
        return self._tls.version() or ""

    # -- as a socket

    def fileno(self) -> int:
        """The descriptor, for the loop."""
        return self._tls.fileno()

    def getsockopt(self, level: int, option: int, size: int = 0) -> int | bytes:
        """What the socket beneath says of an option; with `size` as so many bytes at most."""
        return self._tls.getsockopt(level, option, size) if size else self._tls.getsockopt(level, option)

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """Set an option of the socket beneath; a lingering time of its own means that no farewell is sent."""
        if level == socket.SOL_SOCKET and option == socket.SO_LINGER:
            self._abrupt = True  # a reset is to come: no farewell before it
        self._tls.setsockopt(level, option, value)

    def pending(self) -> bool:
        """Whether reading again gives something although the socket itself may stay silent."""
        return self._fault is not None or self._ended or bool(self._unread) or self._tls.pending() > 0

    def recv_into(self, view: memoryview) -> int:
        """Fill `view` with what has come, record after record; 0 at the end. Raises BlockingIOError, OSError (EPROTO: a fault of TLS)."""
        filled = len(self._unread)
        if filled:
            view[:filled] = self._unread
            self._unread = b""
        elif self._fault is not None:
            raise self._fault
        elif self._ended:
            return 0
        size = len(view)
        read = cast("Callable[[int, memoryview], int]", self._tls.read)  # with a buffer it gives a count
        while filled < size:
            try:
                count = read(size - filled, view[filled:])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if filled:
                    return filled
                raise BlockingIOError(errno.EAGAIN, "no whole record yet") from None
            except OSError as error:
                self._fault = self._met(error)
                if filled:
                    return filled
                raise self._fault from None
            if not count:
                self._ended = True
                break
            filled += count
            self._proven = True
        return filled

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As of a socket; with MSG_PEEK one byte at most is looked at and stays."""
        if flags & socket.MSG_PEEK and self._unread:
            return self._unread
        room = bytearray(1 if flags & socket.MSG_PEEK else size)
        found = bytes(room[: self.recv_into(memoryview(room))])
        if flags & socket.MSG_PEEK:
            self._unread = found
        return found

    def send(self, buffer: Bytes) -> int:
        """Bytes of `buffer` that have left; after fewer than all the next call begins with the rest. Raises BlockingIOError, OSError."""
        return self.sendmsg((buffer,))

    def sendmsg(self, buffers: Sequence[Bytes]) -> int:
        """The same of several buffers, as if they were one."""
        taken = 0
        if self._held is not None:  # the same bytes stand first again: what the library has begun is finished from our own hold on them
            taken = self._write(self._held, 0)
        for chunk in _chunks(buffers, taken):
            try:
                taken = self._write(chunk, taken)
            except BlockingIOError:
                if not taken:
                    raise
                break
        return taken

    def _write(self, chunk: Bytes, taken: int) -> int:
        """`taken` and the length of `chunk`, which has left."""
        try:
            self._tls.write(chunk)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._held = chunk
            raise BlockingIOError(errno.EAGAIN, "no room") from None
        except OSError as error:
            raise self._met(self._last_word() or error) from None
        self._held = None
        return taken + len(chunk)

    def _last_word(self) -> ssl.SSLError | None:
        """Writing failed: a peer that refuses what was shown to it said so before it left."""
        if self._proven:
            return None
        try:
            self._tls.read(1)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return None
        except ssl.SSLError as error:
            return error
        except OSError:
            return None
        return None

    def _met(self, error: OSError) -> OSError:
        if isinstance(error, ssl.SSLError) and not self._proven and self.told is not None:
            word = tls.reason(error)
            if word != "closed":
                self.told(word)
        return _plain(error)

    def close(self) -> None:
        """Say farewell where that is possible without waiting, and close."""
        if not self._abrupt and self._held is None and self._fault is None:
            with contextlib.suppress(OSError, ValueError):
                self._tls.unwrap()  # close_notify goes out; the peer's is not waited for
        self._tls.close()


def _plain(error: OSError) -> OSError:
    """A fault of TLS as an OSError with an errno of its own: the numbers `ssl` puts there mean something else."""
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return BrokenPipeError(errno.EPIPE, "the peer closed")
    if isinstance(error, ssl.SSLError):
        return OSError(errno.EPROTO, tls.reason(error))
    return error


def _chunks(buffers: Sequence[Bytes], skip: int) -> Iterator[Bytes]:
    """The bytes of `buffers` without the first `skip`: up to CHUNK of a large one as they lie, smaller ones joined up to a record."""
    small: list[Bytes] = []
    held = 0
    for buffer in buffers:
        size = len(buffer)
        if skip >= size:
            skip -= size
            continue
        view = memoryview(buffer)[skip:]
        skip = 0
        if held:
            piece = view[: RECORD - held]
            small.append(piece)
            held += len(piece)
            view = view[len(piece) :]
            if held < RECORD:
                continue
            yield b"".join(small)
            small, held = [], 0
        while len(view) >= RECORD:
            yield view[:CHUNK]
            view = view[CHUNK:]
        if view:
            small, held = [view], len(view)
    if small:
        yield small[0] if len(small) == 1 else b"".join(small)
