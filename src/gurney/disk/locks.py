"""The one place for the locks of the state folder: byte ranges of one file, one byte an owner.

They are open-file-description locks (fcntl(2), F_OFD_SETLK): they end with the descriptor, so with the process however it dies, and
another open of the same file in the same process neither shares nor drops them. The descriptor is close-on-exec: no child inherits one.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

CONTROL = 0
"""The byte of the control process."""
GUARD = 1
"""The byte of the guard."""


class Lock:
    """A byte that is held until `release` or the end of the process."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Let go; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def take(path: Path, byte: int) -> Lock | None:
    """Hold one byte of a lock file (made, mode 0600, if missing), or None when another holder lives. Never waits. Raises OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(byte))
    except (BlockingIOError, PermissionError):
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    return Lock(fd)


def held(path: Path, byte: int) -> bool:
    """Whether somebody holds the byte now (also this process, by another descriptor). Raises OSError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _flock(byte))
    finally:
        os.close(fd)
    return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)


def _flock(byte: int) -> bytes:
    """struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid (0 for OFD locks)."""
    return struct.pack("hh4xqqi4x", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
