"""The one place for the route process as an engine: staging route.json, handing it over, and asking which generation it serves.

A change takes effect by `load` only; the process is never restarted for one. The order (reliability §4.1): the file is written and
synced under another name, read back and validated whole, new listeners are bound, the file takes its name, the process loads it and
names the generation it serves, and only then are listeners that are no longer wanted closed. Whatever fails before that leaves, or
brings back, the last good file.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gurney.balance import table
from gurney.compile import route as compiled
from gurney.disk import files
from gurney.engines.engine import Ground, Observed
from gurney.errors import EngineRefused, GurneyError, InputRefused, NotFound, NotRunning
from gurney.net.messages import Connection

START_SECONDS = 20.0  # from exec to the first answer on route.sock
ANSWER_SECONDS = 10.0  # load: one validation of route.json and one swap between objects
OBSERVE_SECONDS = 2.0
STOP_SECONDS = 10.0  # reliability §4.5: what is in hand ends within 10 s
_PAUSE = 0.02


class Route:
    """`gurney route`, one process an application."""

    name = "route"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def process(self, application: str) -> str:
        """The guard keeps it under the application's own name."""
        return application

    def application(self, process: str) -> str | None:
        """A process name without a dot is a route process's."""
        return process if "." not in process else None

    def generation(self, content: bytes) -> str:
        """SHA-256 of route.json."""
        return table.generation(content)

    def check(self, application: str, content: bytes) -> None:
        """Read route.json as the process will. A refusal here is a defect of the compiler, and said so."""
        try:
            table.load(content)
        except InputRefused as error:
            raise EngineRefused(
                f"the route table of '{application}' is not valid: {error.message}", hint="this is a defect in Gurney, not in the document"
            ) from error

    def serve(self, application: str, content: bytes, good: bytes | None) -> None:
        """See the module's docstring."""
        try:
            self._serve(application, content, good)
        except GurneyError as error:
            self._ground.progress(f"{application}: {error.message}; going back")
            hint = error.hint
            try:
                self.back(application, good)
            except GurneyError as second:
                hint = f"going back failed too: {second.message}"
            raise EngineRefused(f"{application}: {error.message}", hint=hint) from error

    def _serve(self, application: str, content: bytes, good: bytes | None) -> None:
        folder = self._ground.folder(application)
        fresh = folder / "route.json.new"
        _write(fresh, content)
        self._ground.faults.hit("config.rendered")
        self.check(application, fresh.read_bytes())
        self._ground.faults.hit("config.validated")
        before = listeners(good) if good is not None else []
        wanted = listeners(content)
        known = self._known(application)
        if known:  # a port that is taken must be found out while the old file still stands
            self._run(application, folder, _union(before, wanted))
        _rename(fresh, folder / "route.json")
        self._ground.faults.hit("config.renamed")
        if not known:
            self._run(application, folder, wanted)
        self._load(application, content)
        self._ground.faults.hit("config.reloaded")
        if known and _union(before, wanted) != wanted:
            self._run(application, folder, wanted)
        self._ground.faults.hit("config.confirmed")

    def back(self, application: str, good: bytes | None) -> None:
        """The last good bytes again, or nothing at all."""
        folder = self._ground.folder(application)
        (folder / "route.json.new").unlink(missing_ok=True)
        if good is None:
            self.stop(application, STOP_SECONDS)
            return
        if self.published(application) != good:
            _write(folder / "route.json.new", good)
            _rename(folder / "route.json.new", folder / "route.json")
        self._run(application, folder, listeners(good))
        self._load(application, good)

    def keep(self, application: str, content: bytes) -> None:
        """The process and its listeners, as the guard is to have them."""
        self._run(application, self._ground.folder(application), listeners(content))

    def stop(self, application: str, within: float) -> None:
        """Through the guard, which closes the listeners too; route.json goes, the record stays."""
        if self._known(application):
            self._ground.keeper.stop(self.process(application), within)
        (self._ground.folder(application) / "route.json").unlink(missing_ok=True)

    def published(self, application: str) -> bytes | None:
        """route.json as it stands."""
        try:
            return (self._ground.folder(application) / "route.json").read_bytes()
        except FileNotFoundError:
            return None

    def observe(self, application: str) -> Observed:
        """`status` of the process."""
        try:
            answer = self._ask(application, {"op": "status"}, OBSERVE_SECONDS)
        except GurneyError as error:
            return Observed(False, None, None, error.message)
        return Observed(True, str(answer.get("generation")), answer)

    def explain(self, application: str, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """`explain` of the process: with its live pins and member states."""
        return self._ask(application, {"op": "explain", "service": service, "facts": dict(facts)}, ANSWER_SECONDS)

    def _known(self, application: str) -> bool:
        return any(process.name == self.process(application) for process in self._ground.keeper.processes())

    def _run(self, application: str, folder: Path, wanted: Sequence[Mapping[str, Any]]) -> None:
        argv = [sys.executable, "-m", "gurney", "route", "--dir", str(folder)]
        self._ground.keeper.run(self.process(application), argv, folder, wanted)

    def _load(self, application: str, content: bytes) -> None:
        wanted = self.generation(content)
        answer = self._patiently(application, {"op": "load"})
        if answer.get("generation") != wanted:
            raise EngineRefused(f"the route process serves generation {str(answer.get('generation'))[:12]}, not {wanted[:12]}")

    def _patiently(self, application: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask until somebody listens: after a start the process first takes its record and its listeners."""
        deadline = time.monotonic() + START_SECONDS
        said = False
        while True:
            try:
                return self._ask(application, message, ANSWER_SECONDS)
            except NotRunning as error:
                if time.monotonic() >= deadline:
                    log = self._ground.folder(application) / "route.log"
                    raise EngineRefused(f"the route process does not answer: {error.message}", hint=f"see {log}") from error
            if not said:
                self._ground.progress(f"{application}: waiting for the route process")
                said = True
            time.sleep(_PAUSE)

    def _ask(self, application: str, message: Mapping[str, Any], within: float) -> Mapping[str, Any]:
        with Connection(self._ground.folder(application) / "route.sock", timeout=within) as connection:
            answer, descriptors = connection.ask(dict(message))
        for descriptor in descriptors:
            os.close(descriptor)
        if answer.get("ok") is not True:
            raise _refusal(answer)
        return answer


def listeners(content: bytes) -> list[dict[str, Any]]:
    """The listeners of a route table as the guard takes them."""
    return [{"name": name, "host": host, "port": port} for name, host, port in compiled.listeners(table.load(content))]


def _union(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    names = {one["name"] for one in second}
    return [*second, *(one for one in first if one["name"] not in names)]


def _refusal(answer: Mapping[str, Any]) -> GurneyError:
    """The error a route process answered with, as the class of its code."""
    message, hint = str(answer.get("message") or answer.get("detail") or "no reason given"), answer.get("hint")
    for kind in (InputRefused, NotFound):
        if answer.get("code") == kind.code:
            return kind(message, hint=hint)
    return EngineRefused(message, hint=hint)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _rename(fresh: Path, name: Path) -> None:
    os.rename(fresh, name)
    files.sync_folder(name.parent)
