"""The one place for child processes of a test: started in a group of their own, ended by their id, none left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .behaviour import Behaviour
from .wait import listening, until

ROOT = Path(__file__).resolve().parents[3]


def environment(**more: str) -> dict[str, str]:
    """This process's environment with the harness importable by children."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, **more}


class Child:
    """A process group; `kill` is SIGKILL to all of it, as a power cut of one program."""

    def __init__(self, argv: Sequence[str], folder: Path, name: str, env: Mapping[str, str] | None = None) -> None:
        self.argv, self.folder, self.name = list(argv), folder, name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=env or environment()
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, within: float = 10) -> None:
        if self.alive():
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    close = stop


class Archive:
    """A scripted member as a process of its own, with its journal on disk."""

    def __init__(self, folder: Path, behaviour: Behaviour) -> None:
        self.folder, self.behaviour = folder, behaviour
        self.journal = folder / f"{behaviour.name}.jsonl"
        self.journal.touch()
        self.child: Child | None = None
        self.start()

    @property
    def port(self) -> int:
        return self.behaviour.port

    def start(self, **changes: Any) -> None:
        """Start (again), with `changes` to the behaviour for this run."""
        behaviour = replace(self.behaviour, **changes)
        argv = [sys.executable, "-m", "tests.live.harness.member", str(self.journal), behaviour.as_json()]
        self.child = Child(argv, self.folder, behaviour.name)
        until(lambda: listening(self.port), 10, f"member {behaviour.name} listens")

    def alive(self) -> bool:
        return self.child is not None and self.child.alive()

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()

    def events(self, word: str) -> list[dict[str, Any]]:
        lines = [json.loads(x) for x in self.journal.read_text().splitlines() if x.endswith("}")]
        return [x for x in lines if x["event"] == word]

    def stored(self) -> dict[str, str]:
        return {e["sop"]: e["sha"] for e in self.events("stored")}

    close = kill


def running(marker: str) -> list[tuple[int, str]]:
    """(pid, argv) of every process whose command line holds `marker`, this one left out."""
    out = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                argv = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if marker in argv and state not in "ZX":
                out.append((int(entry.name), argv))
    return out
