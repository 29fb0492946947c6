"""The one place for the demo's processes: archives, Gurney in front of them, a modality; all in one temporary folder, all ended by `close`.

Only processes that the demo started are ever signalled: the archives and the modality are its children, Gurney's own are found by the
sockets in the demo's own state folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from gurney.demo.account import Sent
from gurney.errors import GurneyError

SERVICE_PORT = 21100
ARCHIVES = {"archive-1": ("ARCHIVE1", 21101), "archive-2": ("ARCHIVE2", 21102), "breast-1": ("BREAST", 21103)}
START_WITHIN = 30.0  # seconds


class DemoFailed(GurneyError):
    """A process of the demo did not start, or ended when it should not have."""

    code = "GRN-E020"
    title = "the demo failed"


def until(condition: Callable[[], bool], within: float, what: str) -> None:
    """Waits for `condition`, looking every 50 ms; raises DemoFailed after `within` seconds."""
    end = time.monotonic() + within
    pause = threading.Event()
    while not condition():
        if time.monotonic() > end:
            raise DemoFailed(f"{what}: not within {within:g} s")
        pause.wait(0.05)


def listens(port: int) -> bool:
    """Whether something accepts connections on 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def reserve() -> tuple[socket.socket, int]:
    """A block of ports nobody has: (what holds it against other demos on this machine, how far it lies behind the shipped ports)."""
    wanted = [SERVICE_PORT, *(port for _, port in ARCHIVES.values())]
    for shift in range(0, 8000, 10):
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", SERVICE_PORT - 1 + shift))
            for port in wanted:
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection of a past demo may linger
                    s.bind(("127.0.0.1", port + shift))
        except OSError:
            held.close()
            continue
        return held, shift
    raise DemoFailed("no free ports on 127.0.0.1")


def shipped_document() -> str:
    """The document as it is shipped in the package."""
    return files("gurney.demo").joinpath("gurney.yaml").read_text()


class Hospital:
    """The whole demo. `document` is what is applied now; `folders` are the archives' disks."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gurney-demo-"))
        self.state = self.folder / "state"
        self.file = self.folder / "gurney.yaml"
        self._reserved, shift = reserve()
        shipped = {"store": SERVICE_PORT, **{name: port for name, (_, port) in ARCHIVES.items()}}
        self.ports = {name: port + shift for name, port in shipped.items()}
        self.document = shipped_document()
        for name, port in shipped.items():
            self.document = self.document.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[name]}")
        self.folders = {name: self.folder / name for name in ARCHIVES}
        self.archives: dict[str, subprocess.Popen[bytes]] = {}
        self.modality: subprocess.Popen[bytes] | None = None
        self.control: subprocess.Popen[bytes] | None = None
        self.sent = Sent()

    def start(self, say: Callable[[str], None]) -> None:
        """Archives, then Gurney, each when the one before answers; `say` is told what is going on."""
        say(f"state and files in {self.folder}")
        for name in ARCHIVES:
            self.start_archive(name, wait=False)
        for name in ARCHIVES:
            until(lambda name=name: listens(self.ports[name]), START_WITHIN, f"{name} listens")  # type: ignore[misc]
        say("archives listen: " + ", ".join(f"{n} on {self.ports[n]}" for n in ARCHIVES))
        self.up()
        say(f"gurney listens on 127.0.0.1:{self.ports['store']} (AE title PACS)")

    def start_archive(self, name: str, wait: bool = True) -> None:
        """Starts (or starts again) one archive on its disk."""
        title, _ = ARCHIVES[name]
        argv = [sys.executable, "-m", "gurney.demo.archive", "--name", name, "--ae-title", title, "--port", str(self.ports[name])]
        with self._log(name) as log:
            self.archives[name] = subprocess.Popen(
                [*argv, "--folder", str(self.folders[name])], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        if wait:
            until(lambda: listens(self.ports[name]), START_WITHIN, f"{name} listens")

    def kill_archive(self, name: str) -> None:
        """SIGKILL, as a power cut of that archive."""
        self.archives[name].kill()
        self.archives[name].wait()

    def alive(self, name: str) -> bool:
        """Whether this archive runs."""
        return name in self.archives and self.archives[name].poll() is None

    def up(self) -> None:
        """`gurney up` with the demo's document and state; returns when it has printed `ready`."""
        self.file.write_text(self.document)
        log = self.folder / "up.log"
        log.unlink(missing_ok=True)
        with log.open("wb") as out:
            self.control = subprocess.Popen(
                self.argv("up", str(self.file)), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        until(self._ready, START_WITHIN, "gurney up prints ready")

    def _ready(self) -> bool:
        text = (self.folder / "up.log").read_text(errors="replace")
        if any(line.startswith("ready") for line in text.splitlines()):
            return True
        if self.control is not None and self.control.poll() is not None:
            raise DemoFailed(f"gurney up ended with {self.control.returncode}: {text[-2000:]}")
        return False

    def argv(self, *words: str) -> list[str]:
        """A verb of this Python's Gurney on the demo's state."""
        return [sys.executable, "-m", "gurney", *words, "--state", str(self.state)]

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a verb to its end (≤ 60 s)."""
        return subprocess.run(self.argv(*words), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    def apply(self, document: str) -> None:
        """A new revision; raises DemoFailed with what the verb said."""
        self.file.write_text(document)
        done = self.verb("apply", str(self.file))
        if done.returncode != 0:
            raise DemoFailed(f"gurney apply: {done.stdout}{done.stderr}")
        self.document = document

    def status(self) -> Mapping[str, Any] | None:
        """`gurney status --json`, or None while there is no control process."""
        done = self.verb("status", "--json")
        if done.returncode != 0:
            return None
        return dict(json.loads(done.stdout))

    def start_modality(self, associations: int = 4, studies: int = 0, rate: float = 0) -> None:
        """Starts sending; what it reports arrives in `sent`."""
        argv = [sys.executable, "-m", "gurney.demo.modality", "--port", str(self.ports["store"]), "--folder", str(self.folder / "scans")]
        argv += ["--associations", str(associations), "--studies", str(studies), "--rate", str(rate)]
        with self._log("modality") as log:
            self.modality = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        threading.Thread(target=self._listen, args=(self.modality.stdout,), daemon=True).start()

    def _listen(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.sent.take(json.loads(line))

    def stop_modality(self) -> None:
        """The modality ends the object in hand of every association and stops."""
        if self.modality is not None and self.modality.stdin is not None and self.modality.poll() is None:
            self.modality.stdin.close()
            self.modality.wait(150)
        until(lambda: self.sent.done, 10, "the modality reports its end")

    def pid_of(self, program: str) -> int | None:
        """The pid of Gurney's `control`, `guard` or `route` process, by who listens on its socket; None while nobody does."""
        where = {"control": "control.sock", "guard": "guard.sock", "route": "apps/pacs/route.sock"}[program]
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            try:
                s.connect(str(self.state / where))
            except OSError:
                return None
            return int(struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])

    def kill(self, program: str) -> str:
        """SIGKILL to one of Gurney's processes; says so in words."""
        pid = self.pid_of(program)
        if pid is None:
            return f"no {program} process answers just now"
        os.kill(pid, signal.SIGKILL)
        if self.control is not None and pid == self.control.pid:
            self.control.wait()
        return f"{program} process {pid} killed"

    def _log(self, name: str) -> IO[bytes]:
        return (self.folder / f"{name}.log").open("ab")

    def close(self) -> None:
        """Everything ends: modality, Gurney (`down`), archives; the folder goes."""
        children = [p for p in (self.modality, *self.archives.values()) if p is not None]
        if self.modality is not None and self.modality.poll() is None:
            self.modality.kill()
        if self.control is not None:
            try:
                self.verb("down")
            except subprocess.TimeoutExpired:
                print("gurney down did not end within 60 s", file=sys.stderr)
            if self.control.poll() is None:
                self.control.terminate()
                children.append(self.control)
        for child in children:
            if child.poll() is None and child is not self.control:
                child.kill()
            child.wait(10)
        self._reserved.close()
        shutil.rmtree(self.folder, ignore_errors=True)
