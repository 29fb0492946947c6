"""The one place for HAProxy's bundles on disk: made whole beside each other, published by one rename, the last three kept.

`apps/APP/haproxy/<generation>/` holds one bundle, `current` is a symbolic link to the one that is published, `good` to the last one that
HAProxy confirmed; where they differ, a change was cut short. `refused/<generation>/` is what HAProxy did not take, beside what it said.
Whatever is half made has a name that begins with a dot.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gurney.disk import files
from gurney.errors import EngineRefused

CURRENT = "current"
GOOD = "good"
CONTENT = "bundle.json"
DIAGNOSTICS = "diagnostics.txt"
REFUSED = "refused"
RUN = "run"
KEPT = 3  # reliability §4.1: the last 3 stay
REFUSED_KEPT = 3
_GENERATION = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle ready to be written: its generation, its bytes, the text files it holds, the digests of those kept elsewhere."""

    generation: str
    content: bytes
    files: Mapping[str, str]
    materials: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bundles:
    """The bundles of one application.

    `folder` is HAProxy's working folder, `certificates` where the state keeps files by digest.
    """

    folder: Path
    certificates: Path

    def prepare(self) -> None:
        """Make the folders. Raises OSError, `EngineRefused` when somebody else made one."""
        # a worker of another uid passes through to run/peers.sock; the folder above lets in nobody else, the other sockets are ours
        mode = 0o711 if os.geteuid() == 0 else 0o700
        for folder in (self.folder, self.folder / RUN):
            folder.mkdir(mode=0o700, exist_ok=True)
            there = folder.lstat()  # the folder above may be writable for the application's own user: a link would lead us elsewhere
            if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.geteuid():
                raise EngineRefused(f"{folder} is not ours", hint="take it away: it is made anew")
            if stat.S_IMODE(there.st_mode) != mode:
                folder.chmod(mode)

    def tidy(self) -> None:
        """Take away what a crash left half made; whoever calls this makes nothing else here meanwhile. Raises OSError."""
        for left in self.folder.glob(".*"):
            _away(left)

    def stage(self, made: Made) -> Path:
        """The bundle in a folder of its own, durable, and no one's yet. Raises OSError, `EngineRefused` when a kept file is missing."""
        place = self.folder / made.generation
        if self._is(place, made):
            return place
        fresh = self.folder / f".{made.generation}"
        _away(fresh)
        fresh.mkdir(mode=0o700)
        for name, text in made.files.items():
            self._write(fresh, name, text.encode())
        for name, digest in made.materials.items():
            self._write(fresh, name, self.material(name, digest))
        self._write(fresh, CONTENT, made.content)
        _sync_folders(fresh)
        if place.exists():  # damaged: it is replaced whole
            place.rename(self.folder / f".{made.generation}.damaged")
        fresh.rename(place)
        files.sync_folder(self.folder)
        _away(self.folder / f".{made.generation}.damaged")
        return place

    def unstage(self, generation: str) -> None:
        """Take a bundle away that came to nothing; one that is published or was confirmed stays. Raises OSError."""
        if generation not in (self.generation(), self.good()):
            _away(self.folder / generation)

    def publish(self, generation: str) -> None:
        """`current` is this one from now on: before the rename wholly the old one, after it wholly the new one. Raises OSError."""
        os.utime(self.folder / generation)  # the last one published is the newest
        self._point(CURRENT, generation)

    def confirm(self, generation: str) -> None:
        """HAProxy serves this one: nothing is half done any more. Raises OSError."""
        if self.good() != generation:
            self._point(GOOD, generation)

    def doubt(self) -> None:
        """Whatever is published, nobody knows whether it is served: until it is confirmed, a reload makes sure. Raises OSError."""
        files.remove(self.folder / GOOD)

    def withdraw(self) -> None:
        """Nothing is published any more. Raises OSError."""
        for name in (CURRENT, GOOD):
            files.remove(self.folder / name)

    def generation(self) -> str | None:
        """What is published."""
        return self._pointed(CURRENT)

    def good(self) -> str | None:
        """What HAProxy confirmed last."""
        return self._pointed(GOOD)

    def settled(self) -> bool:
        """Whether the last change was confirmed, so that the file and the process cannot differ by it."""
        return self.generation() is not None and self.generation() == self.good()

    def content(self, generation: str) -> bytes | None:
        """The bytes of a bundle that stands here."""
        try:
            return (self.folder / generation / CONTENT).read_bytes()
        except OSError:
            return None

    def published(self) -> bytes | None:
        """The bytes of the bundle that is published."""
        generation = self.generation()
        return self.content(generation) if generation is not None else None

    def kept(self) -> tuple[str, ...]:
        """Generations that stand here: the published one first, then from the newest to the oldest."""
        try:
            found = [(entry.stat().st_mtime_ns, entry.name) for entry in os.scandir(self.folder) if _GENERATION.fullmatch(entry.name)]
        except OSError:
            return ()
        published = self.generation()
        return tuple(name for _, name in sorted(found, key=lambda one: (one[1] == published, one[0]), reverse=True))

    def sweep(self) -> None:
        """Keep the published bundle and the last ones before it. Raises OSError."""
        good = self.good()
        for generation in self.kept()[KEPT:]:
            if generation != good:
                _away(self.folder / generation)

    def refuse(self, made: Made, words: str) -> Path:
        """Keep what was refused beside the words it was refused with; no certificate is among it. Gives the folder. Raises OSError."""
        top = self.folder / REFUSED
        top.mkdir(mode=0o700, exist_ok=True)
        place = top / made.generation
        _away(place)
        place.mkdir(mode=0o700)
        for name, text in made.files.items():
            self._write(place, name, text.encode())
        self._write(place, CONTENT, made.content)
        self._write(place, DIAGNOSTICS, words.encode())
        newest = sorted(top.iterdir(), key=lambda one: one.stat().st_mtime_ns, reverse=True)
        for old in newest[REFUSED_KEPT:]:
            _away(old)
        return place

    def material(self, name: str, digest: str) -> bytes:
        """A file the state keeps under its digest. Raises `EngineRefused` when it is missing or unreadable."""
        path = self.certificates / f"{digest}.pem"
        if not _DIGEST.fullmatch(digest):
            raise EngineRefused(f"'{digest[:80]}' is no digest of a kept file")
        try:
            return path.read_bytes()
        except OSError as problem:
            raise EngineRefused(f"the kept file {path} cannot be read: {problem.strerror}", hint=f"it is {name} of the bundle") from problem

    def _point(self, name: str, generation: str) -> None:
        fresh = self.folder / f".{name}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(generation)
        fresh.rename(self.folder / name)
        files.sync_folder(self.folder)

    def _pointed(self, name: str) -> str | None:
        try:
            generation = os.readlink(self.folder / name)
        except OSError:
            return None
        return generation if _GENERATION.fullmatch(generation) else None

    def _is(self, place: Path, made: Made) -> bool:
        """Whether this bundle stands there already, whole."""
        try:
            same = (place / CONTENT).read_bytes() == made.content
            same = same and all(_inside(place, name).read_bytes() == text.encode() for name, text in made.files.items())
            return same and all(_inside(place, name).read_bytes() == self.material(name, one) for name, one in made.materials.items())
        except OSError:
            return False

    def _write(self, folder: Path, name: str, data: bytes) -> None:
        path = _inside(folder, name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def copy(made: Made, folder: Path, stand_in: Callable[[str, str], bytes]) -> None:
    """The same bundle without its kept files, each of which `stand_in(name, digest)` gives: what the checker sees. Raises OSError."""
    texts = ((name, text.encode()) for name, text in made.files.items())
    kept = ((name, stand_in(name, digest)) for name, digest in made.materials.items())
    for name, data in (*texts, *kept):
        path = _inside(folder, name)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_bytes(data)


def _inside(folder: Path, name: str) -> Path:
    """A name of a bundle as a path below its folder. Raises `EngineRefused` for one that would leave it."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or not pure.parts or any(part in ("..", ".") or part.startswith(".") for part in pure.parts):
        raise EngineRefused(f"{name!r} is no name of a file in a bundle", hint="this is a defect in Gurney, not in the document")
    return folder / pure


def _sync_folders(top: Path) -> None:
    for folder, _, _ in os.walk(top):
        files.sync_folder(Path(folder))


def _away(path: Path) -> None:
    """Take away whatever is there; what is gone already is no error."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
