"""The one place for the route process as an engine: staging route.json, handing it over, and asking which generation it serves.

A change takes effect by `load` only; the process is never restarted for one. The order (reliability §4.1): the file is written and
synced under another name, read back and validated whole, takes its name, is loaded, and the process is asked which generation it serves.
In which order listeners are bound and closed around that is the plan's matter.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gurney.balance import table
from gurney.compile import route as compiled
from gurney.disk import files
from gurney.engines import route_files
from gurney.engines.engine import Ground, Listener, Observed
from gurney.errors import EngineRefused, GurneyError, InputRefused, NotFound, NotRunning
from gurney.net.messages import Connection
from gurney.state.certificates import Certificates

START_SECONDS = 20.0  # from exec to the first answer on route.sock
ANSWER_SECONDS = 10.0  # load: one validation of route.json and one swap between objects
OBSERVE_SECONDS = 2.0
HOPELESS_RESTARTS = 4  # the guard starts it again at once, then after 0.2 s, 0.4 s, 0.8 s
STOP_SECONDS = 10.0  # reliability §4.5: what is in hand ends within 10 s
_PAUSE = 0.02
PUBLISHED = "route.json"
STAGED = "route.json.new"


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

    def start(self, application: str, content: bytes, listeners: Sequence[Listener]) -> None:
        """The file stands before the process does: it reads it when it starts."""
        with self._refusing(application):
            self._publish(application, content)
            self._run(application, listeners)
            self._confirm(application, content)

    def listen(self, application: str, listeners: Sequence[Listener]) -> None:
        """The guard binds, hands over and closes the difference."""
        with self._refusing(application):
            self._run(application, listeners)

    def load(self, application: str, content: bytes) -> None:
        """The table is swapped between two objects."""
        with self._refusing(application):
            self._publish(application, content)
            self._confirm(application, content)

    def back(self, application: str, good: bytes | None) -> None:
        """The last good file, its listeners, its generation; or nothing at all."""
        with self._refusing(application):
            folder = self._ground.folder(application)
            (folder / STAGED).unlink(missing_ok=True)
            if good is None:
                self._stop(application, STOP_SECONDS)
                return
            needed = self._put(application, good)
            if self.published(application) != good:
                route_files.write(folder / STAGED, good, self._ground.user(application))
                _rename(folder / STAGED, folder / PUBLISHED)
            self._run(application, listeners_of(good))
            self._load(application, good)
            route_files.sweep(folder, needed)

    def keep(self, application: str, content: bytes) -> None:
        """The process and its listeners, as the guard is to have them."""
        with self._refusing(application):
            self._put(application, content)
            self._run(application, listeners_of(content))

    def stop(self, application: str, within: float) -> None:
        """Through the guard, which closes the listeners too; route.json goes, the record stays."""
        with self._refusing(application):
            self._stop(application, within)

    def _publish(self, application: str, content: bytes) -> None:
        folder = self._ground.folder(application)
        staged = folder / STAGED
        route_files.write(staged, content, self._ground.user(application))
        self._ground.faults.hit("config.rendered")
        self.check(application, staged.read_bytes())
        self._put(application, content)
        self._ground.faults.hit("config.validated")
        _rename(staged, folder / PUBLISHED)
        self._ground.faults.hit("config.renamed")

    def _put(self, application: str, content: bytes) -> frozenset[str]:
        """The files this table names, before it takes its name; gives their digests."""
        folder = self._ground.folder(application)
        needed = route_files.digests(table.load(content))
        route_files.put(folder, Certificates(folder.parent.parent / "keys" / "certificates"), needed, self._ground.user(application))
        return needed

    def _confirm(self, application: str, content: bytes) -> None:
        self._load(application, content)
        self._ground.faults.hit("config.reloaded")
        seen = self.observe(application)
        if seen.generation != self.generation(content):
            raise EngineRefused(f"the route process serves {_short(seen.generation)} after the load of {_short(self.generation(content))}")
        self._ground.faults.hit("config.confirmed")
        route_files.sweep(self._ground.folder(application), route_files.digests(table.load(content)))

    def _stop(self, application: str, within: float) -> None:
        if any(process.name == self.process(application) for process in self._ground.keeper.processes()):
            self._ground.keeper.stop(self.process(application), within)
        files.remove(self._ground.folder(application) / PUBLISHED)
        route_files.sweep(self._ground.folder(application), ())

    def published(self, application: str) -> bytes | None:
        """route.json as it stands."""
        try:
            return (self._ground.folder(application) / PUBLISHED).read_bytes()
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

    def _run(self, application: str, listeners: Sequence[Listener]) -> None:
        folder = self._ground.folder(application)
        argv = [sys.executable, "-m", "gurney", "route", "--dir", str(folder)]
        wanted = [{"name": name, "host": host, "port": port} for name, host, port in listeners]
        user = self._ground.user(application)
        key = None if user is None else folder.parent.parent / "keys" / "site.key"  # which the process may not open itself
        self._ground.keeper.run(self.process(application), argv, folder, wanted, user=user, stdin=key)

    def _load(self, application: str, content: bytes) -> None:
        wanted = self.generation(content)
        answer = self._patiently(application, {"op": "load"})
        if answer.get("generation") != wanted:
            raise EngineRefused(f"the route process loaded {_short(answer.get('generation'))}, not {_short(wanted)}")

    @contextlib.contextmanager
    def _refusing(self, application: str) -> Iterator[None]:
        """Whatever goes wrong inside (the guard, the disk, the process) is this engine's refusal, with the application's name."""
        try:
            yield
        except (GurneyError, OSError) as error:
            message = error.message if isinstance(error, GurneyError) else f"the disk: {error.strerror}"
            hint = error.hint if isinstance(error, GurneyError) else None
            raise EngineRefused(f"{application}: {message}", hint=hint) from error

    def _patiently(self, application: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask until somebody listens: after a start the process first takes its record and its listeners."""
        deadline = time.monotonic() + START_SECONDS
        said = False
        while True:
            try:
                return self._ask(application, message, ANSWER_SECONDS)
            except NotRunning as error:
                why = self._hopeless(application)
                if why or time.monotonic() >= deadline:
                    raise EngineRefused(f"the route process {why or 'does not answer'}", hint=self._last_words(application)) from error
            if not said:
                self._ground.progress(f"{application}: waiting for the route process")
                said = True
            time.sleep(_PAUSE)

    def _hopeless(self, application: str) -> str:
        """In words, why waiting is no use: it ended again and again within the seconds we wait for it."""
        for process in self._ground.keeper.processes():
            if process.name == self.process(application) and process.state == "waiting" and process.restarts >= HOPELESS_RESTARTS:
                return f"ends at once ({process.last_exit or 'exit unknown'})"
        return ""

    def _last_words(self, application: str) -> str:
        """What it said last, from the file the guard gave it as stdout and stderr."""
        output = self._ground.folder(application) / "output.log"
        try:
            lines = output.read_bytes()[-4096:].decode("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{lines[-1]} (see {output})" if lines else f"see {output.parent}"

    def _ask(self, application: str, message: Mapping[str, Any], within: float) -> Mapping[str, Any]:
        with Connection(self._ground.folder(application) / "route.sock", timeout=within) as connection:
            answer, descriptors = connection.ask(dict(message))
        for descriptor in descriptors:
            os.close(descriptor)
        if answer.get("ok") is not True:
            raise _refusal(answer)
        return answer


def listeners_of(content: bytes) -> tuple[Listener, ...]:
    """The listeners of a route table, as the compiler names them."""
    return compiled.listeners(table.load(content))


def _short(generation: object) -> str:
    return f"generation {str(generation)[:12]}" if generation else "no generation"


def _refusal(answer: Mapping[str, Any]) -> GurneyError:
    """The error a route process answered with, as the class of its code."""
    message, hint = str(answer.get("message") or answer.get("detail") or "no reason given"), answer.get("hint")
    for kind in (InputRefused, NotFound):
        if answer.get("code") == kind.code:
            return kind(message, hint=hint)
    return EngineRefused(message, hint=hint)


def _rename(fresh: Path, name: Path) -> None:
    os.rename(fresh, name)
    files.sync_folder(name.parent)
