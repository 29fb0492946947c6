"""The one place for writing a small file so that it survives: temp, fsync, rename, fsync of the folder."""

from __future__ import annotations

import os
from pathlib import Path

from gurney.disk.faults import Faults


def replace(path: Path, data: bytes, *, mode: int = 0o600, faults: Faults | None = None, point: str = "") -> None:
    """Put `data` at `path`: whole or not at all, and durable when this returns. `point`: the failpoint after the rename. Raises OSError."""
    temp = path.with_name(f".{path.name}.new")
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    temp.replace(path)
    if faults is not None:
        faults.hit(point)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Take a file away, durably; one that is not there is no error. Raises OSError."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
