"""The one place for the layout of the state folder (architecture §3): names, rights, and the site key.

`lock control.sock guard.sock guard.json state.db keys/{site.key,certificates/<digest>.pem}
apps/APP/{record.db,objects/,route.sock,route.json,route.log,haproxy/}`, every folder 0700, every file 0600.
Where we are root the state folder and apps/ are 0711, so that an application under a uid of its own (`users.py`) reaches its folder
and sees no other.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from gurney.disk import files, locks
from gurney.errors import AlreadyRunning, StateUnusable

SITE_KEY_BYTES = 32
FOLDER_MODE = 0o700
PASSED_MODE = 0o711
FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Folder:
    """One node's state folder. Only `prepare`, `application` and `site_key` touch the disk."""

    path: Path

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def control_socket(self) -> Path:
        return self.path / "control.sock"

    @property
    def guard_intents(self) -> Path:
        return self.path / "guard.json"

    @property
    def database(self) -> Path:
        return self.path / "state.db"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def certificates(self) -> Path:
        return self.keys / "certificates"

    @property
    def applications(self) -> Path:
        return self.path / "apps"

    @property
    def control_log(self) -> Path:
        return self.path / "control.log"

    def prepare(self) -> None:
        """Make the folders with their modes (a state folder that exists is narrowed to it). Raises `StateUnusable`."""
        try:
            self._refuse_foreign()
            passed = PASSED_MODE if os.geteuid() == 0 else FOLDER_MODE
            for folder, mode in ((self.path, passed), (self.keys, FOLDER_MODE), (self.applications, passed)):
                folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
                if folder.stat().st_uid != os.geteuid():
                    raise StateUnusable(f"{folder} belongs to another user", hint="run Gurney as its owner, or choose another --state")
                if stat.S_IMODE(folder.stat().st_mode) != mode:
                    folder.chmod(mode)
        except OSError as error:
            raise StateUnusable(f"the state folder cannot be made: {error}") from error

    def _refuse_foreign(self) -> None:
        """`--state /tmp` must not make /tmp private: a folder that holds something else than a state is left alone."""
        if self.path.is_dir() and not self.lock.exists() and {entry.name for entry in self.path.iterdir()} - {"keys", "apps"}:
            raise StateUnusable(f"{self.path} is no state folder and not empty", hint="choose a new one: --state DIR")

    def own(self) -> locks.Lock:
        """The control process's lock on this folder. Raises `AlreadyRunning`, `StateUnusable`."""
        try:
            lock = locks.take(self.lock, locks.CONTROL)
        except OSError as error:
            raise StateUnusable(f"the state folder cannot be locked: {error}", hint="it must lie on a local file system") from error
        if lock is None:
            raise AlreadyRunning(f"Gurney is already running in {self.path}: use apply", hint="gurney apply FILE")
        return lock

    def application(self, name: str) -> Path:
        """The folder of one application, made when it is not there yet. Raises `StateUnusable`."""
        folder = self.applications / name
        try:
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            (folder / "objects").mkdir(mode=FOLDER_MODE, exist_ok=True)
        except OSError as error:
            raise StateUnusable(f"the folder of application '{name}' cannot be made: {error}") from error
        return folder

    def site_key(self) -> bytes:
        """The site's 32-byte key, made on first use: the key of every digest that stands for a UID. Raises `StateUnusable`."""
        path = self.keys / "site.key"
        try:
            if not path.exists():
                _write_once(path, os.urandom(SITE_KEY_BYTES))
            key = path.read_bytes()
        except OSError as error:
            raise StateUnusable(f"the site key cannot be read or made: {error}") from error
        if len(key) != SITE_KEY_BYTES:
            raise StateUnusable(
                f"{path} holds {len(key)} bytes, not {SITE_KEY_BYTES}", hint="put the right key back: without it, pins are lost"
            )
        return key


def _write_once(path: Path, content: bytes) -> None:
    """Durable, and never over a key that is there: a second key would orphan every digest made with the first."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(fresh)
    files.sync_folder(path.parent)
