"""The one place for the certificates, authorities and revocation lists in a route process's folder, which it reads itself.

`apps/APP/certificates/<sha256>.pem`, copied from what the state keeps; route.json names them by digest. The folder is ours: where the
application has a uid of its own it may read there and nothing else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from gurney.balance.table import Table
from gurney.disk import files
from gurney.errors import EngineRefused
from gurney.state.certificates import Certificates
from gurney.state.users import CERTIFICATES, share

FOLDER_MODE, SHARED_MODE = 0o700, 0o750


def digests(made: Table) -> frozenset[str]:
    """What the process needs to serve this table."""
    return frozenset(digest for held in made.materials.values() for digest in held.values())


def put(folder: Path, kept: Certificates, wanted: Collection[str], user: int | None) -> None:
    """Everything wanted lies in the application's folder, whole and durable. Raises `StateUnusable`, `EngineRefused`, OSError."""
    if not wanted:
        return
    place = _own(folder / CERTIFICATES, user)
    for digest in sorted(wanted):
        content, path = kept.get(digest), place / f"{digest}.pem"
        if not path.exists() or path.read_bytes() != content or (user is not None and path.stat().st_gid != user):
            fresh = place / f"{digest}.new"
            write(fresh, content, user)
            os.rename(fresh, path)
    files.sync_folder(place)


def sweep(folder: Path, wanted: Collection[str]) -> None:
    """What no table in force needs goes: keys lie about no longer than they serve. Raises OSError."""
    place = folder / CERTIFICATES
    if not place.is_dir() or place.is_symlink():
        return
    for entry in sorted(os.listdir(place)):
        if entry.removesuffix(".pem") not in wanted:
            (place / entry).unlink(missing_ok=True)
    if not wanted:
        place.rmdir()


def write(path: Path, content: bytes, user: int | None) -> None:
    """Never over what stands there: it might be the application's own. `user` may read it. Raises OSError."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if user is not None:
            share(descriptor, user)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _own(place: Path, user: int | None) -> Path:
    """The folder, made by us and by nobody else: a link in its place would lead our writing elsewhere."""
    if not os.path.lexists(place):
        place.mkdir(mode=FOLDER_MODE)
    seen = place.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
        raise EngineRefused(f"{place} is not ours", hint="remove it: certificates are put there again")
    if user is not None:
        os.chown(place, 0, user)
        place.chmod(SHARED_MODE)
    return place
