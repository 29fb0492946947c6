"""The one place for messages between our own processes: newline-delimited JSON on stream unix sockets, descriptors by SCM_RIGHTS.

A message is one JSON object on one line. Descriptors travel with its bytes; the reserved key `fds` says how many belong to it (the
sender writes it, the reader takes it out again). The kernel passes at most 253 descriptors in one `sendmsg` (SCM_MAX_FD), so a larger
set goes with several pieces of the same line.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import stat
import struct
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gurney.errors import NotRunning, SocketsUnusable

MESSAGE_LIMIT = 16 * 1024 * 1024
"""Bytes of one message, its newline included."""
FDS_A_SEND = 253
"""Descriptors of one `sendmsg`: SCM_MAX_FD of Linux (net/scm.h)."""
FDS_LIMIT = 4096
"""Descriptors a reader holds before their message is whole."""
PATH_LIMIT = 97
"""Bytes of a socket path used as it is (HAProxy's limit; sockaddr_un holds 107); longer ones go through /proc/self/fd."""
CHUNK = 256 * 1024
BACKLOG = 64

_ANCILLARY = socket.CMSG_SPACE(FDS_A_SEND * struct.calcsize("i"))


class MessageFault(SocketsUnusable):
    """What arrived is no message: too long, no JSON object, or without the descriptors it names. The connection is to be closed."""

    title = "a message between our processes cannot be read"


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """The text to bind or connect with for a socket file, whatever the length of its folder's path.

    Raises SocketsUnusable when the file's own name is too long for any address.
    """
    text = os.fspath(path)
    if len(os.fsencode(text)) <= PATH_LIMIT:
        yield text
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = f"/proc/self/fd/{folder}/{path.name}"
        if len(os.fsencode(short)) > PATH_LIMIT:
            raise SocketsUnusable(f"the socket name {path.name!r} is too long", hint=f"at most {PATH_LIMIT - 24} bytes")
        yield short
    finally:
        os.close(folder)


def listen(path: Path) -> socket.socket:
    """A listening, non-blocking socket file of mode 0600; a stale socket file at the same place is replaced.

    Only the process that owns the folder's lock may call this. Raises SocketsUnusable.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        fresh = path.with_name(path.name + ".new")
        remove(path)
        remove(fresh)
        if os.path.lexists(path):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        os.fchmod(sock.fileno(), 0o600)  # unix_bind() takes the file's mode from the socket's inode: there is no moment with another mode
        with address(fresh) as place:
            sock.bind(place)
        sock.listen(BACKLOG)
        fresh.rename(path)  # whoever sees the file can connect
    except OSError as problem:
        sock.close()
        raise SocketsUnusable(f"cannot listen on {path}: {problem.strerror}") from problem
    return sock


def remove(path: Path) -> None:
    """Remove a socket file; anything else at that place stays and is an OSError of the next bind."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def accept(listener: socket.socket) -> socket.socket | None:
    """The next connection, non-blocking, or None when there is none now."""
    try:
        sock, _ = listener.accept()
    except (BlockingIOError, InterruptedError, ConnectionAbortedError):
        return None
    sock.setblocking(False)
    return sock


def connect(path: Path) -> socket.socket | None:
    """One try to connect, never waiting: a non-blocking socket, or None when nobody listens or its backlog is full."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        with address(path) as place:
            sock.connect(place)
    except OSError as problem:
        sock.close()
        if problem.errno in (errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED, errno.EAGAIN):
            return None
        raise SocketsUnusable(f"cannot connect to {path}: {problem.strerror}") from problem
    return sock


def encode(body: Mapping[str, Any], fds: int = 0) -> bytes:
    """The line of one message. Raises MessageFault when it is over the limit."""
    whole = {**body, "fds": fds} if fds else body
    line = json.dumps(whole, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    if len(line) > MESSAGE_LIMIT:
        raise MessageFault(f"a message of {len(line)} bytes is over the limit of {MESSAGE_LIMIT}")
    return line


class Reader:
    """Takes messages off a non-blocking socket as they come; for a selectors loop and for `add_reader` alike.

    `read()` whenever the socket is readable; `ended` is true once the peer has closed. What a broken peer sends ends in MessageFault,
    with every descriptor it passed closed.
    """

    __slots__ = ("_buffer", "_fds", "_scanned", "ended", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.ended = False
        self._buffer = bytearray()
        self._scanned = 0
        self._fds: deque[int] = deque()

    def read(self) -> list[tuple[dict[str, Any], list[int]]]:
        """Every whole message there is now, each with its descriptors (close-on-exec, the caller's from here on). Raises MessageFault."""
        found: list[tuple[dict[str, Any], list[int]]] = []
        try:
            while self._receive():
                while (message := self._next()) is not None:
                    found.append(message)
        except MessageFault:
            self.close()
            for _, fds in found:
                _close(fds)
            raise
        return found

    def close(self) -> None:
        """Forget what is half read and close the descriptors nobody took; the socket itself is the owner's."""
        self.ended = True
        self._buffer.clear()
        _close(self._fds)
        self._fds.clear()

    def _receive(self) -> bool:
        try:
            data, ancillary, flags, _ = self.sock.recvmsg(CHUNK, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # reset: the peer is gone, which is all there is to say on a unix socket
            data, ancillary, flags = b"", [], 0
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                size = struct.calcsize("i")
                self._fds.extend(struct.unpack(f"{len(content) // size}i", content[: len(content) // size * size]))
        if flags & socket.MSG_CTRUNC:
            raise MessageFault("descriptors were lost on the way", hint="this process may have reached its limit of open files")
        if len(self._fds) > FDS_LIMIT:
            raise MessageFault(f"more than {FDS_LIMIT} descriptors without a message")
        if not data:
            self.close()
            return False
        self._buffer += data
        return True

    def _next(self) -> tuple[dict[str, Any], list[int]] | None:
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            if self._scanned >= MESSAGE_LIMIT:
                raise MessageFault(f"a message over the limit of {MESSAGE_LIMIT} bytes")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        try:
            body = json.loads(line)
        except (ValueError, RecursionError) as problem:
            raise MessageFault("a message that is no JSON") from problem
        if not isinstance(body, dict):
            raise MessageFault("a message that is no object")
        count = body.pop("fds", 0)
        if not isinstance(count, int) or not 0 <= count <= len(self._fds):
            raise MessageFault(f"a message that names {count!r} descriptors and came with {len(self._fds)}")
        return body, [self._fds.popleft() for _ in range(count)]


class Writer:
    """Puts messages on a non-blocking socket; what the socket does not take waits, with duplicates of its descriptors, for `flush`."""

    __slots__ = ("_pieces", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._pieces: deque[tuple[memoryview, list[int], bool]] = deque()

    @property
    def waiting(self) -> bool:
        """Whether `flush` has to be called when the socket is writable."""
        return bool(self._pieces)

    def put(self, body: Mapping[str, Any], fds: Sequence[int] = ()) -> bool:
        """Send a message, or keep what does not go now; the descriptors stay the caller's. True when all has gone.

        Raises OSError (the peer is gone), MessageFault (over the limit).
        """
        line = memoryview(encode(body, len(fds)))
        at = 0
        for start in range(0, len(fds), FDS_A_SEND):
            self._pieces.append((line[at : at + 1], list(fds[start : start + FDS_A_SEND]), False))
            at += 1
        self._pieces.append((line[at:], [], False))
        if not self.flush():
            self._keep()
        return not self._pieces

    def flush(self) -> bool:
        """Send what waits; True when nothing is left. Raises OSError (the peer is gone)."""
        while self._pieces:
            view, fds, owned = self._pieces[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
            try:
                sent = self.sock.sendmsg([view], rights, socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                return False
            if owned:
                _close(fds)
            if sent < len(view):
                self._pieces[0] = (view[sent:], [], False)
            else:
                self._pieces.popleft()
        return True

    def close(self) -> None:
        """Forget what waits; the socket itself is the owner's."""
        for _, fds, owned in self._pieces:
            if owned:
                _close(fds)
        self._pieces.clear()

    def _keep(self) -> None:
        for index, (view, fds, owned) in enumerate(self._pieces):
            if fds and not owned:
                self._pieces[index] = (view, [os.dup(fd) for fd in fds], True)


class Connection:
    """A client's connection to one of our own sockets: ask, wait for the answer, until a deadline.

    Raises NotRunning when nobody listens, the other side closes, or no answer is there in time.
    """

    def __init__(self, path: Path | str, timeout: float = 5.0) -> None:
        self.path = Path(path)
        self.timeout = timeout
        self.sock = self._connect(time.monotonic() + timeout)
        self._reader = Reader(self.sock)
        self._writer = Writer(self.sock)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and what it holds."""
        self._reader.close()
        self._writer.close()
        self.sock.close()

    def ask(self, message: Mapping[str, Any], fds: Sequence[int] = (), *, timeout: float | None = None) -> tuple[dict[str, Any], list[int]]:
        """Send one message and wait for its answer and the descriptors that come with it (the caller's from then on).

        `timeout` seconds instead of the connection's own. Raises NotRunning, MessageFault. After either the connection is closed:
        a late answer must not meet the next question.
        """
        wait = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + wait
        try:
            done = self._writer.put(message, fds)
            while not done:
                self._wait(select.POLLOUT, deadline, wait)
                done = self._writer.flush()
            while not (found := self._reader.read()):
                if self._reader.ended:
                    raise NotRunning(f"{self.path} closed without an answer")
                self._wait(select.POLLIN, deadline, wait)
        except OSError as problem:
            self.close()
            raise NotRunning(f"{self.path} is gone: {problem.strerror}") from problem
        except (NotRunning, MessageFault):
            self.close()
            raise
        for _, surplus in found[1:]:
            _close(surplus)
        return found[0]

    def _wait(self, event: int, deadline: float, wait: float) -> None:
        left = deadline - time.monotonic()
        poll = select.poll()
        poll.register(self.sock, event)
        if left <= 0 or not poll.poll(left * 1000):
            raise NotRunning(f"{self.path} did not answer within {wait:g} s")

    def _connect(self, deadline: float) -> socket.socket:
        while (sock := connect(self.path)) is None:
            # a full backlog of a unix socket cannot be polled for; a missing one is no use waiting for
            if not self._listened() or time.monotonic() >= deadline:
                raise NotRunning(f"nobody answers on {self.path}")
            time.sleep(0.01)
        return sock

    def _listened(self) -> bool:
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        with probe:
            try:
                with address(self.path) as place:
                    probe.connect(place)
            except BlockingIOError:
                return True
            except OSError:
                return False
        return True


def _close(fds: Sequence[int] | deque[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
