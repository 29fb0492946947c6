"""The one place for what files named in documents held: certificates with their keys, authorities, revocation lists, pages, by digest.

`keys/certificates/<sha256>.pem`, 0600 in a 0700 folder, each written once, durably, and never changed: a revision that names a digest
brings back exactly what it served, whatever became of the original.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection
from pathlib import Path

from gurney.config.proxied import Material
from gurney.disk import files
from gurney.errors import StateUnusable

FOLDER_MODE = 0o700
_NAME = re.compile(r"(?P<digest>[0-9a-f]{64})\.pem")


class Certificates:
    """The kept files of one node. Every method raises `StateUnusable` when the disk cannot do what it was asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, material: Material) -> None:
        """Keep what it holds; durable when this returns. What is there already is not written again, but for a damaged one."""
        path = self._path(material.digest)
        if hashlib.sha256(material.content).hexdigest() != material.digest:
            raise StateUnusable("what is to be kept does not have the digest it is to be kept by")
        try:
            self._folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            if not path.exists() or path.read_bytes() != material.content:
                files.replace(path, material.content)
        except OSError as error:
            raise StateUnusable(f"{path} cannot be written: {error.strerror}") from error

    def get(self, digest: str) -> bytes:
        """What is kept by this digest."""
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StateUnusable(
                f"{path} is needed and cannot be read: {error.strerror}", hint="`gurney up FILE`, with its files in place, puts it back"
            ) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise StateUnusable(f"{path} is damaged", hint="`gurney up FILE`, with its files in place, puts it back")
        return content

    def sweep(self, needed: Collection[str]) -> tuple[str, ...]:
        """Take away what is not `needed`, and halves of what a crash cut short; gives the digests that went."""
        gone: list[str] = []
        if not self._folder.is_dir():
            return ()
        try:
            for entry in sorted(os.listdir(self._folder)):
                known = _NAME.fullmatch(entry)
                if known is None or known["digest"] not in needed:
                    (self._folder / entry).unlink(missing_ok=True)
                    gone += [known["digest"]] if known is not None else []
            if gone:
                files.sync_folder(self._folder)
        except OSError as error:
            raise StateUnusable(f"{self._folder} cannot be swept: {error.strerror}") from error
        return tuple(gone)

    def _path(self, digest: str) -> Path:
        path = self._folder / f"{digest}.pem"
        if _NAME.fullmatch(path.name) is None:
            raise StateUnusable("a file is kept by its digest, 64 hexadecimal digits")
        return path
