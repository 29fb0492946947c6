"""The one place for whose an application is: the uid of its own that its processes run under where we are root (reliability C4).

The folder of an application is then root's, its group the application's, with mode 1770: the application makes files there and can
neither remove nor replace root's (a link in the place of a folder that root writes to would be a way up). So the group of the folder is
also where the number is remembered: it stays as long as the folder does. Uid and gid are the same number, of a range nobody else gives
out: systemd's list (systemd.io/UIDS-GIDS) has 60706 to 61183 as unused, and Debian's static ones (policy §9.2.2) begin at 64000.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from gurney.errors import StateUnusable
from gurney.state.folder import FOLDER_MODE, Folder

FIRST, LAST = 60706, 61183
SHARED_MODE = 0o1770
CERTIFICATES = "certificates"
"""The folder in an application's folder that holds the files its route process reads, keys among them."""
ROOTS = ("haproxy", CERTIFICATES, "output.log", "output.log.1", "route.json", "route.json.new")
"""What in an application's folder stays root's: what root reads back, and what root alone writes."""

Able = Callable[[int, Path], str]
"""Why our own program cannot run under a uid in a folder; "" when it can."""


class Users:
    """The applications' uids. Everything of it does nothing and gives None where we are not root."""

    def __init__(self, folder: Folder, able: Able, *, root: bool | None = None) -> None:
        self._folder, self._able = folder, able
        self._root = os.geteuid() == 0 if root is None else root
        self._uids: dict[str, int | None] = {}
        self._why: str | None = None

    def folder(self, application: str) -> Path:
        """The application's folder, made and made its own. Raises StateUnusable."""
        made = self._folder.application(application)
        if self._root and application not in self._uids:
            self._uids[application] = self._take(application, made)
        return made

    def uid(self, application: str) -> int | None:
        """The application's uid (and gid). Raises StateUnusable."""
        self.folder(application)
        return self._uids.get(application)

    def runs_as(self, application: str) -> int | None:
        """The uid its route process runs under: None where our own program cannot be read under it, which `why` then says."""
        uid = self.uid(application)
        return None if self.why else uid

    @property
    def why(self) -> str:
        """Why route processes run as root; "" when they do not."""
        return self._why or ""

    def _take(self, application: str, folder: Path) -> int | None:
        try:
            uid = self._remembered(folder) or self._free()
            os.chown(folder, 0, uid)
            folder.chmod(SHARED_MODE)
        except OSError as problem:  # a user namespace without these numbers, a file system without owners
            self._why = f"{folder} cannot be given to a uid of its own: {problem.strerror}"
            folder.chmod(FOLDER_MODE)
            return None
        if self._why is None:
            self._why = self._able(uid, folder)
        if self._why:
            folder.chmod(FOLDER_MODE)  # root makes files beside the application's: the kernel forbids that in a shared folder
        else:
            _give(folder, uid)
        return uid

    def _remembered(self, folder: Path) -> int | None:
        group = folder.stat().st_gid
        return group if FIRST <= group <= LAST else None

    def _free(self) -> int:
        taken = {one.stat().st_gid for one in self._folder.applications.iterdir()}
        for uid in range(FIRST, LAST + 1):
            if uid not in taken and not _named(uid):
                return uid
        raise StateUnusable(f"no uid from {FIRST} to {LAST} is free for another application")


def _named(uid: int) -> bool:
    for look in (pwd.getpwuid, grp.getgrgid):
        with contextlib.suppress(KeyError):
            look(uid)
            return True
    return False


def _give(folder: Path, uid: int) -> None:
    """What root made in a folder before becomes the application's; route.json it may read. Raises StateUnusable."""
    try:
        for descriptor, name in _roots(folder):
            os.chown(name, uid, uid, dir_fd=descriptor, follow_symlinks=False)
        for name in ("route.json", "route.json.new"):
            with contextlib.suppress(FileNotFoundError):
                file = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                share(file, uid)
                os.close(file)
    except OSError as problem:
        raise StateUnusable(f"{folder} cannot be given to uid {uid}: {problem}") from problem


def share(descriptor: int, uid: int) -> None:
    """Root's file, which the application may read. Raises OSError."""
    os.fchown(descriptor, 0, uid)
    os.fchmod(descriptor, 0o640)


def _roots(folder: Path) -> Iterator[tuple[int, str]]:
    """(descriptor of its folder, name) of what is root's below an application's folder and is to be the application's."""
    for _, folders, files, descriptor in os.fwalk(folder, topdown=True, follow_symlinks=False):
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            folders[:] = [name for name in folders if name not in ROOTS]
            files = [name for name in files if name not in ROOTS]
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                # a second name of a file that is not of this folder must not be given away
                if found.st_uid == 0 and (stat.S_ISDIR(found.st_mode) or found.st_nlink == 1):
                    yield descriptor, name
