"""The one place for the demo's processes: archives and portal members, Gurney in front of them, a modality and visitors.

All lies in one temporary folder, and all is ended by `close`. Only processes that the demo started are ever signalled.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from gurney.demo.account import Sent, Visits
from gurney.demo.installation import Installation
from gurney.demo.simulators import Place, Simulator
from gurney.demo.waiting import DemoFailed, until

SERVICE_PORT = 21100
WEB_PORT = 21104
FURTHER_PORT = 21105  # a second listener of the portal, in the changes that are applied
ARCHIVES = {"archive-1": ("ARCHIVE1", 21101), "archive-2": ("ARCHIVE2", 21102), "breast-1": ("BREAST", 21103)}
PORTALS = {"portal-1": 21106, "portal-2": 21107, "portal-3": 21108}  # the third stands by until a change names it
THINK = 0.02  # seconds the portal takes for a page: a killed member has requests in hand
ENGINES = {"route": "pacs", "haproxy": "portal.haproxy"}  # as the guard names them
PORTS = {"store": SERVICE_PORT, "web": WEB_PORT, "further": FURTHER_PORT} | {n: p for n, (_, p) in ARCHIVES.items()} | PORTALS


def reserve() -> tuple[socket.socket, int]:
    """A block of ports nobody has: (what holds it against other demos on this machine, how far it lies behind the shipped ports)."""
    for shift in range(0, 8000, 10):
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", SERVICE_PORT - 1 + shift))
            for port in PORTS.values():
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
    """The whole demo. `document` is what is applied now (with the shipped ports); `folders` are the archives' disks."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gurney-demo-"))
        self.gurney = Installation(self.folder)
        self._reserved, self._shift = reserve()
        self.ports = {name: port + self._shift for name, port in PORTS.items()}
        self.document = shipped_document()
        self.folders = {name: self.folder / name for name in ARCHIVES}
        self.members = {place.name: Simulator(place, self.folder / f"{place.name}.log") for place in self._places()}
        self.modality: subprocess.Popen[bytes] | None = None
        self.visitors: subprocess.Popen[bytes] | None = None
        self.sent = Sent()
        self.visits = Visits()

    def moved(self, document: str) -> str:
        """A shipped document with this demo's ports in place of the shipped ones."""
        for port in PORTS.values():
            document = document.replace(f"127.0.0.1:{port}", f"127.0.0.1:{port + self._shift}")
        return document

    def _places(self) -> list[Place]:
        local = "127.0.0.1"
        archives = [Place(name, "dicom", local, self.ports[name], self.folders[name], title) for name, (title, _) in ARCHIVES.items()]
        more = [word for name, folder in self.folders.items() for word in ("--archive", f"{name}={folder}")]
        arguments = ("--think", str(THINK), *more)
        return archives + [Place(name, "http", local, self.ports[name], self.folder, more=arguments) for name in PORTALS]

    def start(self, say: Callable[[str], None]) -> None:
        """Members, then Gurney, each when the one before answers; `say` is told what is going on."""
        say(f"state and files in {self.folder}")
        for member in self.members.values():
            member.start()
        for member in self.members.values():
            member.wait()
        say("members listen: " + ", ".join(f"{name} on {one.place.port}" for name, one in self.members.items()))
        self.gurney.up(self.moved(self.document))
        say(f"gurney listens on 127.0.0.1:{self.ports['store']} (AE title PACS) and on http://127.0.0.1:{self.ports['web']}")

    def start_member(self, name: str) -> None:
        """Starts one archive or portal member again; returns when it listens."""
        self.members[name].start()
        self.members[name].wait()

    def alive(self, name: str) -> bool:
        """Whether this member runs."""
        return self.members[name].pid is not None

    def up(self) -> None:
        """`gurney up` again, with the document that is applied."""
        self.gurney.up(self.moved(self.document))

    def apply(self, document: str) -> None:
        """A new revision; raises DemoFailed with what the verb said."""
        self.gurney.apply(self.moved(document))
        self.document = document

    def pid_of(self, program: str) -> int | None:
        """The pid of `control`, `guard`, `route` or `haproxy`."""
        return self.gurney.pid_of(ENGINES.get(program, program))

    def kill(self, program: str) -> str:
        """SIGKILL to one of Gurney's processes; says so in words."""
        said = self.gurney.kill(ENGINES.get(program, program))
        return said.replace(ENGINES.get(program, program), program, 1)

    def start_modality(self, associations: int = 4, studies: int = 0, rate: float = 0) -> None:
        """Starts sending; what it reports arrives in `sent`."""
        argv = ["gurney.demo.modality", "--port", str(self.ports["store"]), "--folder", str(self.folder / "scans")]
        argv += ["--associations", str(associations), "--studies", str(studies), "--rate", str(rate)]
        self.modality = self._sender(argv, self.sent.take)

    def start_visitors(self, rate: float = 25.0) -> None:
        """Starts four visitors of the portal, `rate` requests a second each; what they report arrives in `visits`."""
        self.visitors = self._sender(["gurney.demo.visitors", "--port", str(self.ports["web"]), "--rate", str(rate)], self.visits.take)

    def _sender(self, argv: list[str], take: Callable[[Mapping[str, Any]], None]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{argv[0].rpartition('.')[2]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        threading.Thread(target=_listen, args=(process.stdout, take), daemon=True).start()
        return process

    def stop_senders(self) -> None:
        """Modality and visitors end what they have in hand, and stop."""
        for process in (self.visitors, self.modality):
            if process is not None and process.stdin is not None and process.poll() is None:
                process.stdin.close()
        for process in (self.visitors, self.modality):
            if process is not None:
                process.wait(150)
        until(lambda: self.modality is None or self.sent.done, 10, "the modality reports its end")
        until(lambda: self.visitors is None or self.visits.done, 10, "the visitors report their end")

    def close(self) -> None:
        """Everything ends: senders, Gurney (`down`), members; the folder goes."""
        senders = [p for p in (self.modality, self.visitors) if p is not None]
        for process in senders:
            process.kill()
        self.gurney.close()
        for member in self.members.values():
            member.kill()
        for process in senders:
            process.wait(10)
        self._reserved.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _listen(lines: IO[bytes], take: Callable[[Mapping[str, Any]], None]) -> None:
    for line in lines:
        take(json.loads(line))
