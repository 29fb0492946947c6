"""The one place for the process of one application's HAProxy, as the guard keeps it: run, waited for, stopped."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gurney.compile.haproxy.bundle import CONFIGURATION, Bundle
from gurney.engines.engine import Keeper
from gurney.engines.haproxy import binary, words
from gurney.engines.haproxy.binary import Binary
from gurney.engines.haproxy.master import SOCKET, Master
from gurney.engines.haproxy.publish import CURRENT
from gurney.errors import EngineRefused, NotRunning

START_SECONDS = 20.0  # from exec to the first answer: reading the configuration, binding (up to 2 s of tries)
STOP_SIGNAL = "SIGUSR1"  # ends softly; SIGTERM is a hard end
OUTPUT = "output.log"  # what the guard gives it as stdout and stderr
_PAUSE = 0.02
_OUTPUT_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Process:
    """The process called `name`, in HAProxy's working folder."""

    name: str
    folder: Path
    keeper: Keeper
    progress: Callable[[str], None]

    def run(self, program: Binary) -> bool:
        """Have the guard keep it; idempotent. Whether it was started by that.

        One that runs keeps its program: another path would be another process, and end every session.
        """
        argv = [self._runs() or str(program.path), "-W", "-S", f"unix@{SOCKET},mode,600", "-f", str(self.folder / CURRENT / CONFIGURATION)]
        told = self.keeper.run(self.name, argv, self.folder, (), environment=binary.ENVIRONMENT, stop_signal=STOP_SIGNAL, binds=True)
        return bool(told.get("started"))

    def stop(self, within: float) -> None:
        """Softly; what it has in hand gets up to `within` seconds."""
        if any(process.name == self.name for process in self.keeper.processes()):
            self.keeper.stop(self.name, within)

    def said(self) -> int:
        """How much it said so far, in bytes: what `wait` is to leave out."""
        try:
            return (self.folder / OUTPUT).stat().st_size
        except OSError:
            return 0

    def wait(self, wanted: Bundle, before: int) -> None:
        """Until a worker answers. Raises `EngineRefused` with HAProxy's words once it says why it does not start."""
        deadline, told = time.monotonic() + START_SECONDS, False
        while True:
            with contextlib.suppress(NotRunning):
                if Master(self.folder).description() is not None:
                    return
            found = words.complaint(self._words(before), wanted, defect=False)
            if found is not None:
                raise EngineRefused(f"HAProxy does not start: {found.message}", hint=found.hint, path=found.path)
            if time.monotonic() >= deadline:
                raise EngineRefused("HAProxy does not answer", hint=f"see {self.folder / OUTPUT}")
            if not told:
                self.progress("waiting for HAProxy")
                told = True
            time.sleep(_PAUSE)

    def _runs(self) -> str | None:
        """The program of the process that runs, while it can still be run."""
        try:
            pid = Master(self.folder).workers().master
            path = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0", 1)[0])
        except (NotRunning, OSError):
            return None
        return path if path.startswith("/") and os.access(path, os.X_OK) else None

    def _words(self, before: int) -> str:
        """What it said since; the guard begins a new file when one has grown too long."""
        try:
            with (self.folder / OUTPUT).open("rb") as output:
                size = output.seek(0, 2)
                output.seek(max(before if before <= size else 0, size - _OUTPUT_READ))
                return output.read().decode("utf-8", "replace")
        except OSError:
            return ""
