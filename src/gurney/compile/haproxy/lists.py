"""The one place for the files beside haproxy.cfg: value lists and maps whose entries change at run time, lists of certificates, pages.

Every entry is a leaf of the tree; nothing else can be put into a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gurney.compile.haproxy import text
from gurney.compile.haproxy.names import Names
from gurney.compile.haproxy.tree import Address, File, Host, HostPort, Int, Made, MapKey, Network, Pattern, Span, Word
from gurney.config.proxied import Material
from gurney.errors import LocalError

Entry = Pattern | Network | Host | MapKey | Span
Value = Made | Int | Word | Host | HostPort | Address

MEMBER_HOSTS = File("maps/members_hosts.map")  # server → what its checks name as Host
USABLE_WANTED = File("maps/panic_usable.map")  # backend → fewer usable members than this are panic
FALLBACKS = File("maps/pools_fallback.map")  # backend → the one that serves when it has no usable member


def file_of(owner: Made, what: str) -> File:
    """The map `maps/OWNER_WHAT.map`."""
    return File(f"maps/{owner.name}_{what}.map")


class Files:
    """The files of one bundle so far."""

    def __init__(self, materials: Mapping[str, Material], named: Names) -> None:
        self._given = materials
        self._named = named
        self.files: dict[str, str] = {}
        self.maps: list[str] = []
        self._known: set[str] = set()
        self.materials: dict[str, str] = {}
        self.swappable: list[str] = []

    def values(self, owner: Made, what: str, entries: Iterable[Entry]) -> File:
        """A value list `maps/OWNER_WHAT.list`, an entry a line."""
        return self._map(f"maps/{owner.name}_{what}.list", [text.entry(item) for item in entries])

    def map(self, file: File, entries: Iterable[tuple[Entry | Made, Value]]) -> File:
        """A map, a key and its value a line; the first of two equal keys counts."""
        found: dict[str, str] = {}
        for key, value in entries:
            found.setdefault(text.entry(key), text.word(value))
        return self._map(file.name, [f"{key} {value}" for key, value in found.items()])

    def _map(self, name: str, lines: list[str]) -> File:
        made = File(name)
        text = "".join(f"{line}\n" for line in lines)
        if self.files.setdefault(name, text) != text:
            raise LocalError(f"{name} is made twice")
        if name not in self._known:
            self._known.add(name)
            self.maps.append(name)
        return made

    def certificates(self, owner: Made, entries: Iterable[tuple[File, tuple[Host, ...]]]) -> File:
        """A crt-list `lists/OWNER_certificates.txt`: per line a certificate and the names it is for (none: those it holds)."""
        name = f"lists/{owner.name}_certificates.txt"
        self.files[name] = "".join(f"{' '.join([text.word(file), *map(text.word, hosts)])}\n" for file, hosts in entries)
        return File(name)

    def material(self, kind: str, given: str) -> File:
        """The file that holds what the document calls `given`; `kind` as in `Material`. Each is kept once, under one name."""
        held = self._given.get(given)
        if held is None or held.kind != kind:
            raise LocalError(f"a {kind} the document names was not read")
        folder, ending = ("pages", "txt") if kind == "page" else ("certificates", "pem")
        name = f"{folder}/{self._named.made(_KINDS[kind], given).name}.{ending}"
        if name not in self.materials:
            self.materials[name] = held.digest
            if kind != "page":
                self.swappable.append(name)
        return File(name)

    def hosts_of(self, given: str) -> tuple[str, ...]:
        """The DNS names of a certificate the document names."""
        held = self._given.get(given)
        return held.names if held is not None else ()


_KINDS: Mapping[str, str] = {"certificate": "c", "ca": "ca", "crl": "crl", "page": "p"}
