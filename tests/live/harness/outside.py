"""The one place for watching which files come into being: inotify over a whole folder tree, and over places a name could lead to."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path

CREATED = 0x100 | 0x80  # IN_CREATE, IN_MOVED_TO
_EVENT = struct.Struct("iIII")


class Watch:
    """New names since the beginning: every one in `tree` and below, and in `places` those that hold `mark`."""

    def __init__(self, tree: Path, places: Sequence[Path], mark: str) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        assert self._fd >= 0
        self._mark = mark
        self._inside: dict[int, bool] = {}
        self.seen: set[str] = set()
        for folder in [tree, *(one for one in tree.rglob("*") if one.is_dir())]:
            self._add(folder, True)
        for folder in places:
            self._add(folder, False)

    def _add(self, folder: Path, inside: bool) -> None:
        watch = int(self._libc.inotify_add_watch(self._fd, os.fsencode(folder), CREATED))
        assert watch >= 0, folder
        self._inside.setdefault(watch, inside)

    def look(self) -> None:
        """Take what has come; often enough that the kernel's queue (16,384 events) never runs over."""
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, at)
                assert not mask & 0x4000, "events were lost"
                name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0").decode("latin-1")
                at += _EVENT.size + length
                if self._inside.get(watch, False) or self._mark in name:
                    self.seen.add(name)

    def outside(self, ours: str) -> set[str]:
        """The new names that are none of `ours` (a pattern)."""
        self.look()
        return {name for name in self.seen if self._mark in name or not re.fullmatch(ours, name)}

    def close(self) -> None:
        os.close(self._fd)
