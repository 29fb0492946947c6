"""The one place for HAProxy as an engine of `control`: one master-worker process an application, which the guard keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gurney.compile.haproxy import bundle as bundles
from gurney.engines.engine import Ground, Listener, Observed
from gurney.engines.haproxy import binary, sandbox
from gurney.engines.haproxy.binary import Binary
from gurney.engines.haproxy.change import STOP_SECONDS, Change
from gurney.engines.haproxy.explain import explain
from gurney.engines.haproxy.master import Master
from gurney.engines.haproxy.observe import Observer
from gurney.engines.haproxy.process import Process
from gurney.engines.haproxy.publish import Bundles
from gurney.engines.haproxy.reload import OLD_WORKERS_SECONDS
from gurney.engines.haproxy.standing import Shelf, read
from gurney.errors import EngineRefused, GurneyError, NotFound

LOOK_SECONDS = 2.0  # whoever looks does not wait longer for a worker that hangs
FOLDER = "haproxy"
_SUFFIX = ".haproxy"


class Haproxy:
    """HAProxy, one process an application.

    `judge` is our own judgement of a bundle's text, which comes before the checker. `patience`: seconds a reload waits for old workers.
    `confirms`: False takes out the question what is served after a change; only the control of a test does that.
    """

    name = "haproxy"

    def __init__(
        self, ground: Ground, judge: sandbox.Judge | None = None, patience: float = OLD_WORKERS_SECONDS, confirms: bool = True
    ) -> None:
        self._ground = ground
        self._judge = sandbox.Judgement() if judge is None else judge
        self._patience = patience
        self._confirms = confirms
        self._binary: Binary | None = None
        self._observers: dict[str, Observer] = {}
        self._shelves: dict[str, Shelf] = {}
        self._changing: set[str] = set()

    def process(self, application: str) -> str:
        """The guard keeps it as APP.haproxy."""
        return application + _SUFFIX

    def application(self, process: str) -> str | None:
        """The application of APP.haproxy."""
        return process.removesuffix(_SUFFIX) if process.endswith(_SUFFIX) else None

    def generation(self, content: bytes) -> str:
        """SHA-256 of the bundle."""
        return bundles.generation(content)

    def binary(self) -> Binary:
        """Which HAProxy runs; looked for once. Raises `EngineRefused`."""
        if self._binary is None:
            self._binary = binary.find()
        return self._binary

    def check(self, application: str, content: bytes) -> None:
        """The deny list, then HAProxy itself behind walls."""
        with self._refusing(application):
            self._change(application).check(content)

    def start(self, application: str, content: bytes, listeners: Sequence[Listener]) -> None:
        """Published first: HAProxy reads it when it starts. Its listeners are those of `content`."""
        with self._refusing(application), self._under_way(application):
            self._change(application).bring(content, run=True)

    def load(self, application: str, content: bytes) -> None:
        """By the runtime socket where the shape stays, else by a reload; what it listened on and is to no longer is let go of."""
        with self._refusing(application), self._under_way(application):
            self._change(application).bring(content, run=False)

    def listen(self, application: str, listeners: Sequence[Listener]) -> None:
        """It can let go of what it listens on, and take that up again; what is new it binds when it loads."""
        with self._refusing(application):
            self._change(application).listen(list(listeners))

    def back(self, application: str, good: bytes | None) -> None:
        """The last good bundle, its listeners, its members; or nothing at all."""
        with self._refusing(application), self._under_way(application):
            if good is None:
                self._change(application).stop(STOP_SECONDS)
            else:
                self._change(application).back(good)

    def keep(self, application: str, content: bytes) -> None:
        """The process, as the guard is to have it."""
        with self._refusing(application):
            self._change(application).process.run(self.binary())

    def stop(self, application: str, within: float) -> None:
        """Softly through the guard; the bundles stay, none is published."""
        with self._refusing(application), self._under_way(application):
            self._change(application).stop(within)

    def published(self, application: str) -> bytes | None:
        """The bundle that is published and confirmed; after a change that was cut short, the one before it."""
        home = self._bundles(application)
        good = home.good()
        return (home.content(good) if good is not None else None) or home.published()

    def observe(self, application: str) -> Observed:
        """What the worker that serves says, compared with the bundles that stand here."""
        home = self._bundles(application)
        try:
            shape = Master(home.folder).description(LOOK_SECONDS)
            known = self._shelf(application).shaped(home, shape)
            seen = self._observer(application).observe(home.folder, known, lambda: application not in self._changing)
            torn = application not in self._changing and not home.settled()
        except (GurneyError, OSError) as error:
            return Observed(False, None, None, error.message if isinstance(error, GurneyError) else str(error.strerror))
        if seen.running and (torn or seen.generation is None):
            # named by its shape, which is no generation: so it is seen to serve something else, and it is loaded again
            return Observed(True, shape or "nothing", seen.status, seen.why or "a change was cut short")
        return seen

    def explain(self, application: str, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """With the members' live states."""
        home = self._bundles(application)
        content = home.published()
        if content is None:
            raise NotFound(f"application '{application}' has no HAProxy")
        return explain(home.folder, read(content), service, facts)

    def _change(self, application: str) -> Change:
        home = self._bundles(application)
        home.prepare()
        process = Process(
            self.process(application), home.folder, self._ground.keeper, lambda text: self._ground.progress(f"{application}: {text}")
        )
        return Change(
            home, self._shelf(application), process, self.binary, self._judge, self._patience, self._ground.faults.hit, self._confirms
        )

    def _bundles(self, application: str) -> Bundles:
        folder = self._ground.folder(application)
        return Bundles(folder / FOLDER, folder.parents[1] / "keys" / "certificates")

    def _observer(self, application: str) -> Observer:
        return self._observers.setdefault(application, Observer())

    def _shelf(self, application: str) -> Shelf:
        return self._shelves.setdefault(application, Shelf())

    @contextlib.contextmanager
    def _under_way(self, application: str) -> Iterator[None]:
        """While it lasts, whoever observes hears of what serves instead of a change that was cut short."""
        self._changing.add(application)
        try:
            yield
        finally:
            self._changing.discard(application)

    @contextlib.contextmanager
    def _refusing(self, application: str) -> Iterator[None]:
        """Whatever goes wrong inside (the guard, the disk, the process) is this engine's refusal, with the application's name."""
        try:
            yield
        except (GurneyError, OSError) as error:
            message = error.message if isinstance(error, GurneyError) else f"the disk: {error.strerror}"
            hint = error.hint if isinstance(error, GurneyError) else None
            path = error.path if isinstance(error, EngineRefused) else None
            raise EngineRefused(f"{application}: {message}", hint=hint, path=path) from error
