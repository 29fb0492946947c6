"""The one place for DCMTK as an independent peer: storescp as shipped and with --fork, dcmsend, storescu, echoscu."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .objects import split_part10
from .processes import Child, environment
from .wait import listening, until


class StoreScp:
    """`storescp`; every file it wrote is what it stored. `fork` off is the program as shipped: one association at a time."""

    def __init__(self, folder: Path, port: int, name: str = "storescp", fork: bool = True, options: Sequence[str] = ("+B",)) -> None:
        self.folder, self.port, self.name, self.fork = folder, port, name, fork
        self.options = list(options)
        self.files = folder / name
        self.files.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        binary = shutil.which("storescp", path="/usr/bin:/usr/local/bin") or "storescp"
        argv = [binary, *(["--fork"] if self.fork else []), "-aet", "STORE", "-od", str(self.files), "+xa", *self.options, str(self.port)]
        self.child = Child(argv, self.folder, self.name)
        until(lambda: listening(self.port), 10, f"{self.name} listens")

    def kill(self) -> None:
        """SIGKILL to the listener and to every forked child."""
        self.child.kill()

    close = kill

    def stored(self) -> dict[str, str]:
        """SOP Instance UID -> sha256 of the data set bytes in the file; a file that is cut short has no entry."""
        out = {}
        for path in self.files.iterdir():
            try:
                meta, data = split_part10(path.read_bytes())
            except (OSError, ValueError):
                continue
            if 3 in meta:
                out[meta[3].decode("latin-1").rstrip("\0 ")] = hashlib.sha256(data).hexdigest()
        return out


def _run(argv: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    binary = shutil.which(argv[0], path="/usr/bin:/usr/local/bin") or argv[0]
    return subprocess.run([binary, *argv[1:]], capture_output=True, text=True, timeout=timeout, env=environment(), errors="replace")


class Sent:
    """What a DCMTK sender reported: exit status and the status of each object, in order."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.exit = done.returncode
        self.output = done.stdout + done.stderr
        self.statuses = [s.strip() for s in re.findall(r"Received C?-?S?t?o?r?e? ?(?:Store|C-STORE) Response \(([^)]*)\)", self.output)]
        if not self.statuses:
            self.statuses = [s.strip() for s in re.findall(r"Received Store Response \(([^)]*)\)", self.output)]
        self.acked = sum(s.startswith(("Success", "Warning")) for s in self.statuses)
        self.errors = len(re.findall(r"^[EF]: ", self.output, re.M))


def storescu(
    port: int, files: Sequence[Path], called: str = "PACS", calling: str = "STORESCU", options: Sequence[str] = (), timeout: float = 120
) -> Sent:
    argv = ["storescu", "-v", "-aet", calling, "-aec", called, *options, "127.0.0.1", str(port), *map(str, files)]
    return Sent(_run(argv, timeout))


def dcmsend(
    port: int, files: Sequence[Path], called: str = "PACS", calling: str = "DCMSEND", options: Sequence[str] = (), timeout: float = 120
) -> Sent:
    argv = ["dcmsend", "-v", "-aet", calling, "-aec", called, *options, "127.0.0.1", str(port), *map(str, files)]
    return Sent(_run(argv, timeout))


def echoscu(port: int, called: str = "PACS", calling: str = "ECHOSCU") -> int:
    return _run(["echoscu", "-aet", calling, "-aec", called, "127.0.0.1", str(port)], 30).returncode
