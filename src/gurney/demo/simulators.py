"""The one place for simulated members: a small real server each, in a process of its own that can be killed like a machine.

A protocol gets its simulator with one file beside `portal` and one line in `PROGRAMS`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gurney.demo.waiting import listens, until

START_WITHIN = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Place:
    """One member to simulate. `folder` is its disk; `more` are arguments of its program beyond name and address."""

    name: str
    protocol: str
    host: str
    port: int
    folder: Path
    ae_title: str = ""
    more: tuple[str, ...] = ()


def _archive(place: Place) -> Sequence[str]:
    return ["gurney.demo.archive", "--ae-title", place.ae_title, "--folder", str(place.folder)]


PROGRAMS: Mapping[str, Callable[[Place], Sequence[str]]] = {
    "dicom": _archive,
    "http": lambda place: ["gurney.demo.portal"],
    "tcp": lambda place: ["gurney.demo.echo"],
}
"""By protocol: the module that is run, and its arguments."""


class Simulator:
    """One simulated member; `log` takes what its program says."""

    def __init__(self, place: Place, log: Path) -> None:
        self.place = place
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The pid while it lives."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Starts it (again), on the disk it had; `wait` says when it listens."""
        place = self.place
        address = ["--name", place.name, "--host", place.host, "--port", str(place.port)]
        argv = [sys.executable, "-m", *PROGRAMS[place.protocol](place), *address, *place.more]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)

    def wait(self) -> None:
        """Until it listens. Raises DemoFailed."""
        until(lambda: listens(self.place.port, self.place.host), START_WITHIN, f"{self.place.name} listens")

    def kill(self) -> None:
        """SIGKILL, as a power cut of that machine; nothing if it is dead already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
