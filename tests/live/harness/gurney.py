"""The one place where tests run the product: `gurney up` as a real process with a state folder of its own, until `gurney down`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .processes import Child, environment, running
from .wait import until


class Gurney:
    """A running Gurney. `verb` runs any verb against its state; `close` stops all of it and fails on what is left."""

    def __init__(self, folder: Path, document: str, name: str = "g", ready: float = 40, before: Sequence[str] = ()) -> None:
        self.folder, self.name, self.before = folder, name, list(before)  # `before`: words in front of every `gurney up`
        self.state = folder / f"{name}-state"
        self.file = folder / f"{name}.yaml"
        self.number = 0
        self.file.write_text(document)
        self.up(ready)

    def up(self, ready: float = 40, with_file: bool = True, failpoints: str = "") -> None:
        """Start the control process (and the guard, if none) and wait for its `ready` line."""
        self.number += 1
        file = [str(self.file)] if with_file else []
        argv = [*self.before, sys.executable, "-m", "gurney", "up", *file, "--state", str(self.state)]
        env = environment(GURNEY_FAILPOINTS=failpoints) if failpoints else None
        self.control = Child(argv, self.folder, f"{self.name}-up-{self.number}", env)
        until(self._ready, ready, f"gurney up prints ready; {self.control.log}")

    def _ready(self) -> bool:
        text = self.control.log.read_text(errors="replace")
        if any(line.startswith("ready") for line in text.splitlines()):
            return True
        if not self.control.alive():
            raise AssertionError(f"gurney up ended with {self.control.process.returncode}:\n{text[-4000:]}")
        return False

    def verb(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "gurney", *words, "--state", str(self.state)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=environment())

    def apply(self, document: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        self.file.write_text(document)
        return self.verb("apply", str(self.file), timeout=timeout)

    def status(self) -> dict[str, Any]:
        """`gurney status --json`."""
        done = self.verb("status", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    def guard_pid(self) -> int:
        return self._pid("guard")

    def route_pid(self, app: str = "pacs") -> int:
        return int(self.route("status", app=app)["pid"])

    def _pid(self, word: str) -> int:
        found = [pid for pid, argv in running(str(self.state)) if f"-m gurney {word} " in argv]
        assert len(found) == 1, running(str(self.state))
        return found[0]

    def route(self, op: str, app: str = "pacs", timeout: float = 10, **more: Any) -> dict[str, Any]:
        """One question to the route process itself, on its `route.sock`."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        try:
            s.connect(str(self.state / "apps" / app / "route.sock"))
            s.sendall(json.dumps({"op": op, **more}).encode() + b"\n")
            text = b""
            while not text.endswith(b"\n"):
                piece = s.recv(1 << 16)
                if not piece:
                    raise OSError("route.sock closed")
                text += piece
        finally:
            s.close()
        return dict(json.loads(text))

    def answers(self, app: str = "pacs") -> bool:
        """Whether a route process answers and every check of it has had one result."""
        try:
            return bool(self.route("status", app=app, timeout=2).get("checked"))
        except OSError:
            return False

    def until_written(self, app: str = "pacs") -> None:
        """Pins are written behind the traffic, in batches of at most 100 ms (dicom.md §4): until the record has nothing new."""
        record = self.state / "apps" / app

        def stamp() -> list[tuple[str, int, int]]:
            return sorted((p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in record.glob("record.db*"))

        seen = [stamp()]
        calm = [0]

        def still() -> bool:
            now = stamp()
            calm[0] = calm[0] + 1 if now == seen[0] else 0
            seen[0] = now
            return calm[0] >= 10

        until(still, 10, "the record is calm", every=0.05)

    def members(self, pool: str, app: str = "pacs") -> dict[str, dict[str, Any]]:
        return dict(self.route("status", app=app)["pools"][pool]["members"])

    def until_members(self, pool: str, wanted: Callable[[dict[str, dict[str, Any]]], bool], seconds: float = 20) -> None:
        until(lambda: wanted(self.members(pool)), seconds, f"members of {pool}")

    def counters(self, app: str = "pacs") -> dict[str, Any]:
        return dict(self.route("status", app=app)["counters"])

    def close(self) -> None:
        done = self.verb("down", timeout=60)
        self.control.stop(5)
        left = until_gone(str(self.state), 10)
        for pid, _ in left:
            os.kill(pid, signal.SIGKILL)
        assert done.returncode == 0, f"gurney down: {done.stdout}{done.stderr}"
        assert not left, f"left behind by gurney down: {left}"


def until_gone(marker: str, seconds: float) -> list[tuple[int, str]]:
    """What still runs with `marker` in its argv after at most `seconds`."""
    try:
        until(lambda: not running(marker), seconds, "processes end")
    except AssertionError:
        pass
    return running(marker)
