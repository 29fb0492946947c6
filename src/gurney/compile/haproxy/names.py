"""The one place for the names in HAProxy's files: server-made from document paths, so that no name a person chose stands in them.

A name is a kind and the first 8 hex digits of a SHA-256; when two paths of one application meet in them, the later one takes the next 8.
"""

from __future__ import annotations

import hashlib

from gurney.compile.haproxy.tree import Made
from gurney.errors import LocalError

IDS = 1 << 31  # server ids are positive 32-bit numbers


class Names:
    """Names given so far in one bundle; equal documents give equal names."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self.paths: dict[str, str] = {}  # name → what it was made from

    def made(self, kind: str, path: str, suffix: str = "") -> Made:
        """The name of `kind` for `path`: `be_3f2a90c1`; the same for the same path."""
        found = self._given.get((kind, path))
        if found is None:
            found = self._free(kind, path)
            self._given[kind, path] = found
            self.paths[found] = path
        return Made(found + suffix)

    def _free(self, kind: str, path: str) -> str:
        digest = hashlib.sha256(f"{kind}:{path}".encode("utf-8", "surrogatepass")).hexdigest()
        for at in range(0, 64, 8):
            name = f"{kind}_{digest[at : at + 8]}"
            if name not in self.paths:
                return name
        raise LocalError("no free name is left for a document path")


class Ids:
    """Server ids given so far in one backend: from the member's path, so that order and neighbours change nothing; probed upwards."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def made(self, path: str) -> int:
        """An id from 1 to 2³¹ − 1 that no other server of the backend has."""
        found = int.from_bytes(hashlib.sha256(f"id:{path}".encode("utf-8", "surrogatepass")).digest()[:4]) % (IDS - 1) + 1
        while found in self._given:
            found = found % (IDS - 1) + 1
        self._given.add(found)
        return found


def opaque(path: str) -> str:
    """16 hex digits that stand for a member in a cookie."""
    return hashlib.sha256(f"cookie:{path}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
