"""A real `gurney up` for tests: its own state folder, free ports on 127.0.0.1, everything ended afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SECONDS = 40.0
CLOSED = 9  # discard: nobody listens there


def until(what: Callable[[], Any], why: str, seconds: float = SECONDS) -> Any:
    """Wait until `what()` is true and give it; bounded."""
    deadline = time.monotonic() + seconds
    pause = selectors.DefaultSelector()
    while not (found := what()):
        assert time.monotonic() < deadline, f"{why} within {seconds:g} s"
        pause.select(0.02)
    return found


class Node:
    """One node: `up` starts its control process, `gurney` runs a verb to its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.control: subprocess.Popen[str] | None = None
        self.environment = {**os.environ, "GURNEY_STATE": str(self.state), "PYTHONUNBUFFERED": "1"}
        self.environment.pop("GURNEY_FAILPOINTS", None)

    def write(self, text: str, name: str = "gurney.yaml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def gurney(self, *words: object, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "gurney", *map(str, words)]
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        if status is not None:
            assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def up(self, *words: object, failpoints: str = "") -> str:
        """Start the control process and give its `ready` line (or what it said until it ended)."""
        environment = {**self.environment, **({"GURNEY_FAILPOINTS": failpoints} if failpoints else {})}
        argv = [sys.executable, "-m", "gurney", "up", *map(str, words)]
        self.talk = open(self.folder / "up.err", "a")  # noqa: SIM115 -- closed with the node
        self.control = subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.talk, text=True, start_new_session=True
        )
        assert self.control.stdout is not None
        return self.control.stdout.readline().strip()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.gurney("status", "--json").stdout)
        return found

    def pid(self, application: str = "pacs") -> int:
        return int(self.status()["applications"][application]["engines"]["route"]["pid"])

    def end_control(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.control is not None
        self.control.send_signal(number)
        status = self.control.wait(SECONDS)
        assert self.control.stdout is not None
        self.control.stdout.close()
        self.talk.close()
        self.control = None
        return status

    def close(self) -> None:
        if self.control is not None:
            with contextlib.suppress(ProcessLookupError):
                self.control.send_signal(signal.SIGCONT)
            self.end_control(signal.SIGKILL)
        self.gurney("down", status=None)


@contextlib.contextmanager
def node(folder: Path) -> Iterator[Node]:
    """A node that leaves nothing behind."""
    one = Node(folder)
    try:
        yield one
    finally:
        one.close()


def document(port: int, *, weight: int = 100, further: str = "") -> str:
    """One application; its member's port is closed, so that its check has a result at once."""
    return f"""
gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: "127.0.0.1:{port}", accept_from: [127.0.0.0/8]}}
    pools:
      archive:
        check: {{interval: 500ms, timeout: 500ms}}
        members:
          archive-1: {{address: "A1@127.0.0.1:{CLOSED}", weight: {weight}}}
{further}"""
