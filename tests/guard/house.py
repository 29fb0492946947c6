"""A state folder with a guard of its own, and what the guard's tests ask of it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gurney.guard import client, proc
from gurney.guard.client import Guard
from gurney.net.messages import Connection

CHILD = Path(__file__).with_name("child.py")
GUARD = "import sys, pathlib; from gurney.app.guard import main; sys.exit(main(pathlib.Path(sys.argv[1])))"
BOUND = 15.0

T = TypeVar("T")


def wait(found: Callable[[], T], what: str = "it") -> T:
    """The first true answer, within a bound."""
    deadline = time.monotonic() + BOUND
    while not (answer := found()):
        assert time.monotonic() < deadline, f"{what} did not happen within {BOUND} s"
        time.sleep(0.01)
    return answer


class House:
    """A state folder with a guard and its children."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.guard = Guard(state)
        self.folder = state / "apps" / "pacs"
        self.folder.mkdir(parents=True)

    def argv(self, *more: str, folder: Path | None = None) -> list[str]:
        return [sys.executable, str(CHILD), "--dir", str(folder or self.folder), *more]

    def start(self, failpoints: str = "") -> int:
        os.environ["GURNEY_FAILPOINTS"] = failpoints
        assert client.start(self.state, argv=[sys.executable, "-c", GUARD, str(self.state)])
        return self.guard.pid()

    def run(self, *ports: int, **more: Any) -> dict[str, Any]:
        return self.guard.run("pacs", more.pop("argv", self.argv()), self.folder, [address(port) for port in ports], **more)

    def process(self, name: str = "pacs") -> dict[str, Any]:
        [process] = [one for one in self.guard.list() if one["name"] == name]
        return process

    def settled(self, name: str = "pacs") -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            process = self.process(name)
            return process if process["state"] == "running" and not process["waiting"] else None

        return wait(look, "a settled process")

    def ask(self, op: str) -> dict[str, Any]:
        with Connection(self.folder / "route.sock", 5) as connection:
            return connection.ask({"op": op})[0]

    def kill_guard(self) -> None:
        pid = self.guard.pid()
        os.kill(pid, signal.SIGKILL)
        wait(lambda: proc.start_time(pid) is None, "the guard's end")


def address(port: int) -> dict[str, Any]:
    """A listener of the guard."""
    return {"name": f"127.0.0.1:{port}", "host": "127.0.0.1", "port": port}


def answer(port: int) -> int:
    """The pid that answers on a port."""
    with socket.create_connection(("127.0.0.1", port), BOUND) as sock:
        return int(sock.recv(64))


def alive(pid: int) -> bool:
    return not pid_gone(pid)


def pid_gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
