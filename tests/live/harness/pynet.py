"""The one place for pynetdicom as an archive: the demo's own, a process whose journal and files are read from its disk."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from .processes import environment
from .wait import listening, until


class PynetdicomArchive:
    """`python -m gurney.demo.archive`; `stored` hashes the files anew."""

    def __init__(self, folder: Path, name: str, title: str, port: int) -> None:
        self.folder, self.name, self.title, self.port = folder / name, name, title, port
        self.log = folder / f"{name}.log"
        self.start()

    def start(self) -> None:
        argv = [sys.executable, "-m", "gurney.demo.archive", "--name", self.name, "--ae-title", self.title, "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*argv, "--folder", str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment(),
            )
        until(lambda: listening(self.port), 15, f"{self.name} listens")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    close = kill

    def stored(self) -> dict[str, str]:
        out = {}
        journal = self.folder / "objects.jsonl"
        for line in journal.read_text().splitlines() if journal.exists() else []:
            if line.endswith("}"):
                entry = json.loads(line)
                data = (self.folder / entry["file"]).read_bytes()[entry["offset"] :]
                out[entry["sop"]] = hashlib.sha256(data).hexdigest()
        return out
