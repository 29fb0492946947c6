"""The one place for checking a bundle with the real HAProxy: after our own judgement, and behind walls (reliability §5).

The judgement of `compile.haproxy` is the security check and comes first: what it refuses never reaches the checker. `haproxy -c` then
sees a copy in a folder of its own, with stand-ins for every key, as another user, without network, for 5 s, under limits (`cell.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gurney.compile.haproxy import keywords
from gurney.compile.haproxy.bundle import CONFIGURATION, Bundle
from gurney.engines.haproxy import publish, words
from gurney.engines.haproxy.binary import ENVIRONMENT, Binary
from gurney.engines.haproxy.publish import CURRENT, RUN, Made
from gurney.engines.haproxy.stand_ins import StandIns
from gurney.errors import EngineRefused

SECONDS = 5
CELL = Path(__file__).with_name("cell.py")
NOBODY = 65534
_PREFIX = "gurney-check-"
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))
_STALE = 600.0  # seconds; no check lasts as long
_KILLED = "the check took longer than 5 s or more than it may have"

Judge = Callable[[Mapping[str, str]], tuple[str, ...]]
"""Every text file of a bundle by name -> what is forbidden in them, in words."""


# where a word names a file to read: after these, and as the first argument of a map
_FILE = re.compile(
    r"(?:(?<=\s)(?:-f|-M|file|errorfile|lf-file|crt|crt-list|ca-file|crl-file|ca-verify-file|ca-sign-file)\s+|\bmap\w*\()(\S+)"
)
_OURS = re.compile(r"current/(?!\S*\.\.)\S+")
_MAP = re.compile(r"maps/[A-Za-z0-9_.-]+\.(?:map|list)")
_LIST = re.compile(r"lists/[A-Za-z0-9_.-]+\.txt")
_LISTED = re.compile(r"current/certificates/(?!\.)[A-Za-z0-9_.-]+(?: [A-Za-z0-9*!.-]+)*")
_SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"


def judge(files: Mapping[str, str]) -> tuple[str, ...]:
    """What may not stand in a bundle, whoever wrote it: beyond the grammar we know, any file that is none of the bundle's own."""
    return (*_faults(files.get(CONFIGURATION, "")), *_beside(files))


def _beside(files: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the files beside the configuration: maps are data, a list of certificates names files."""
    for name, text in files.items():
        if name == CONFIGURATION or _MAP.fullmatch(name):
            continue
        if not _LIST.fullmatch(name):
            yield f"{name[:80]!r} is no file of a bundle"
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if not _LISTED.fullmatch(line):
                yield f"{name}:{number}: is no certificate of the bundle with its names"


def _faults(text: str) -> tuple[str, ...]:
    elsewhere = (
        f"{CONFIGURATION}:{number}: names a file that is not of the bundle"
        for number, line in enumerate(text.splitlines(), 1)
        for match in _FILE.finditer(line)
        if not _OURS.match(match[1]) and match[1] != _SYSTEM_CA
    )
    return (*keywords.judge(CONFIGURATION, text), *elsewhere)


class Judgement:
    """`judge`, which looks at a section once: a change of one member in a file of a thousand pools is judged in a moment.

    Kept is the digest of every section of the last file that passed; a section begins where the grammar says that one does.
    """

    def __init__(self) -> None:
        self._passed: frozenset[bytes] = frozenset()

    def __call__(self, files: Mapping[str, str]) -> tuple[str, ...]:
        text = files.get(CONFIGURATION, "")
        sections = {hashlib.sha256(one.encode("utf-8", "surrogatepass")).digest(): one for one in _sections(text)}
        fresh = [one for digest, one in sections.items() if digest not in self._passed]
        if (fresh and _faults("".join(fresh))) or any(_beside(files)):
            return judge(files)  # whole, for the numbers of its lines
        self._passed = frozenset(sections)
        return ()


def _sections(text: str) -> Iterator[str]:
    """The text cut before every line whose first word names a section."""
    begun: list[str] = []
    for line in text.splitlines(keepends=True):
        if begun and line.split(maxsplit=1)[:1] and line.split(maxsplit=1)[0] in keywords.SECTIONS:
            yield "".join(begun)
            begun = []
        begun.append(line)
    yield "".join(begun)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Checks bundles. `judge` is the deny list and keyword table; a test that shows what the walls hold without it passes another one."""

    binary: Binary
    judge: Judge
    user: int = field(default_factory=lambda: _nobody())

    def check(self, made: Made, bundle: Bundle, material: Callable[[str, str], bytes]) -> None:
        """Nothing when HAProxy takes it. Raises `EngineRefused` with its words; `material` reads a kept file."""
        faults = self.judge(made.files)
        if faults:
            raise EngineRefused(f"what was compiled is not allowed in an engine's file: {'; '.join(faults[:3])}", hint=words.DEFECT)
        place = _place()
        _sweep(place)
        top = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        top.chmod(0o711)  # ours, and passed through by the other user: its own is only what stands in `cell`
        try:
            status, said = self._run(top, made, material)
        finally:
            shutil.rmtree(top, ignore_errors=True)
        if status == 0:
            return
        found = words.complaint(said, bundle, defect=True)
        if found is None:
            raise EngineRefused(_KILLED if status < 0 else "HAProxy refuses what was compiled", hint=_last(said) or words.DEFECT)
        raise EngineRefused(f"HAProxy refuses what was compiled: {found.message}", hint=found.hint, path=found.path)

    def _run(self, top: Path, made: Made, material: Callable[[str, str], bytes]) -> tuple[int, str]:
        """The exit status (negative: killed) and what was said."""
        inside, output = top / "cell", top / "output"
        (inside / RUN).mkdir(parents=True)
        stand_ins = StandIns()
        publish.copy(made, inside / made.generation, lambda name, digest: stand_ins.of(material(name, digest)))
        (inside / CURRENT).symlink_to(made.generation)
        _open_to(self.user, inside)
        program = self._program(top)
        arguments = [str(program), "-c", "-f", f"{CURRENT}/{CONFIGURATION}"]
        command = [sys.executable, "-I", "-S", str(CELL), str(inside), str(self.user), str(SECONDS), *arguments]
        with output.open("wb") as said:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", env=ENVIRONMENT, start_new_session=True
            )  # fmt: skip
            if not _ends(process.pid, SECONDS):
                process.kill()
            status = process.wait()
        return status, output.read_bytes().decode("utf-8", "replace")

    def _program(self, top: Path) -> Path:
        """The program itself, or where the other user cannot get at it (a wheel in a private folder) a copy, libraries and all."""
        if os.geteuid() != 0 or _reachable(self.binary.path):
            return self.binary.path
        copied = top / "program"
        shutil.copytree(self.binary.path.parent, copied)
        _open_to(self.user, copied)
        return copied / self.binary.path.name


def _place() -> Path:
    """Where the cell is made: a folder the other user can pass through, which a private $TMPDIR is not."""
    usual = Path(tempfile.gettempdir())
    return next((place for place in (usual, *_TEMPORARY) if os.geteuid() != 0 or (place.is_dir() and _reachable(place))), usual)


def _sweep(place: Path) -> None:
    """What a check left behind that was cut off by SIGKILL."""
    for left in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            about = left.lstat()
            if about.st_uid == os.geteuid() and time.time() - about.st_mtime > _STALE:
                shutil.rmtree(left, ignore_errors=True)


def _ends(pid: int, within: float) -> bool:
    """Whether a child ends within so many seconds; known the moment it does."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(within * 1000))
    finally:
        os.close(pidfd)


def _reachable(path: Path) -> bool:
    """Whether anybody may run this file, or pass through this folder."""
    return all(place.stat().st_mode & 0o001 for place in (path, *path.parents))


def _open_to(user: int, top: Path) -> None:
    """The other user, and nobody else, may read all of it and write none of it."""
    if os.geteuid() != 0:
        return
    for folder, _, names in os.walk(top):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o500 if path.stat().st_mode & 0o100 else 0o400)
                os.chown(path, user, user)
        os.chmod(folder, 0o500)
        os.chown(folder, user, user)


def _nobody() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return NOBODY


def _last(said: str) -> str | None:
    lines = said.strip().splitlines()
    return lines[-1][:300] if lines else None
