"""The one place for a Gurney that belongs to a demo or a test of a blueprint: its own state folder, real guard, control and engines.

Only processes of its own are ever signalled: `gurney up` is a child, the others are found by what answers in its own state folder.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gurney.api.client import Client
from gurney.demo.waiting import DemoFailed, until
from gurney.errors import GurneyError, NotRunning
from gurney.guard.client import INTENTS, Guard

START_WITHIN = 30.0  # seconds


class Installation:
    """Gurney in `folder`: `folder/state` is its state, `folder/gurney.yaml` its document."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.file = folder / "gurney.yaml"
        self.control: subprocess.Popen[bytes] | None = None
        self._client = Client(self.state / "control.sock")

    def up(self, document: str | None = None) -> None:
        """`gurney up` with a document, or without one on what the state remembers; returns when it has printed `ready`."""
        if document is not None:
            self.file.write_text(document)
        log = self.folder / "up.log"
        log.unlink(missing_ok=True)
        words = ["up"] if document is None else ["up", str(self.file)]
        with log.open("wb") as out:
            self.control = subprocess.Popen(self.argv(*words), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        until(self._ready, START_WITHIN, "gurney up prints ready")

    def _ready(self) -> bool:
        text = (self.folder / "up.log").read_text(errors="replace")
        if any(line.startswith("ready") for line in text.splitlines()):
            return True
        if self.control is not None and self.control.poll() is not None:
            said = [line for line in text.splitlines() if line.startswith(("error", "  hint"))] or text.splitlines()[-1:]
            raise DemoFailed(f"gurney up ended with {self.control.returncode}: {'; '.join(said)}")
        return False

    def argv(self, *words: str) -> list[str]:
        """A verb of this Python's Gurney on this state."""
        return [sys.executable, "-m", "gurney", *words, "--state", str(self.state)]

    def verb(self, *words: str) -> str:
        """Runs a verb to its end (≤ 60 s) as a person would; what it printed. Raises DemoFailed with what it said when it fails."""
        done = subprocess.run(self.argv(*words), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise DemoFailed(f"gurney {words[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def apply(self, document: str) -> None:
        """A new revision, by the verb. Raises DemoFailed with what it said."""
        self.file.write_text(document)
        self.verb("apply", str(self.file))

    def override(self, word: str, members: str) -> None:
        """Lays drain or disable over members (APP/POOL/MEMBER, globs allowed), or takes them off (`enable`)."""
        if word == "enable":
            self._client.lift(members)
        else:
            self._client.override(members, word, why="a case of the blueprint")

    def status(self) -> Mapping[str, Any] | None:
        """What `gurney status --json` shows, or None while there is no control process."""
        try:
            return self._client.status()
        except NotRunning:
            return None

    def member(self, path: str) -> Mapping[str, Any]:
        """What the status says of APP/POOL/MEMBER; empty while nothing is known."""
        application, pool, name = path.split("/")
        found: Any = self.status() or {}
        for key in ("applications", application, "pools", pool, "members", name):
            found = found.get(key, {})
        return dict(found)

    def pid_of(self, program: str) -> int | None:
        """The pid of `control`, of the `guard`, or of a process the guard keeps (by its name there); None while there is none."""
        if program == "control":
            return self._owner("control.sock")
        if program == "guard":
            return self._owner("guard.sock")
        try:
            kept = Guard(self.state).list()
        except GurneyError:
            return None
        return next((one["pid"] for one in kept if one["name"] == program), None)

    def _owner(self, name: str) -> int | None:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            try:
                s.connect(str(self.state / name))
            except OSError:
                return None
            return int(struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])

    def kill(self, program: str) -> str:
        """SIGKILL to one of this Gurney's processes (see `pid_of`); says so in words."""
        pid = self.pid_of(program)
        if pid is None:
            return f"no {program} process answers just now"
        os.kill(pid, signal.SIGKILL)
        if self.control is not None and pid == self.control.pid:
            self.control.wait()
        return f"{program} process {pid} killed"

    def close(self) -> None:
        """Everything of it ends (`gurney down`)."""
        if self.control is None or (self.control.poll() is not None and not (self.state / INTENTS).exists()):
            return  # nothing of it runs
        try:
            self.verb("down")
        except (DemoFailed, subprocess.TimeoutExpired) as e:
            print(f"gurney down: {e}", file=sys.stderr)
        if self.control.poll() is None:
            self.control.terminate()
            self.control.wait(10)
