"""The one place for HAProxy as an engine of `control`: one master-worker process an application, which the guard keeps.

A change is one order (reliability §4.1): staged, judged and checked, published by one rename, reloaded or said through the runtime
socket, confirmed. A process that dies at any line of it leaves `current` and `good` different or the same: where they differ, whoever
comes next reloads, so that the file and the process are one again.
"""

from __future__ import annotations

import contextlib
import csv
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy.bundle import CONFIGURATION, Bundle, Frontend
from gurney.engines.engine import Ground, Listener, Observed
from gurney.engines.haproxy import binary, changes, ports, sandbox, servers, words
from gurney.engines.haproxy.binary import Binary
from gurney.engines.haproxy.explain import explain
from gurney.engines.haproxy.master import SOCKET, Master
from gurney.engines.haproxy.observe import Observer, differences
from gurney.engines.haproxy.publish import CURRENT, Bundles, Made
from gurney.engines.haproxy.reload import OLD_WORKERS_SECONDS, Reload
from gurney.errors import EngineRefused, GurneyError, InputRefused, NotFound, NotRunning

START_SECONDS = 20.0  # from exec to the first answer: reading the configuration, binding (up to 2 s of tries)
LET_GO_SECONDS = 5.0  # a listener that is no longer wanted
STOP_SECONDS = 10.0  # architecture §3: what is in hand gets up to 10 s
STOP_SIGNAL = "SIGUSR1"  # ends softly; SIGTERM is a hard end
OUTPUT = "output.log"  # what the guard gives it as stdout and stderr
FOLDER = "haproxy"
_SUFFIX = ".haproxy"
_PAUSE = 0.02
_OUTPUT_READ = 64 * 1024

Hit = Callable[[str], object]


def _no_hit(point: str) -> None:
    """No crash point is passed on the way back."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """What there was before a change.

    `serving` is the bundle whose shape the worker names, None when nothing runs or nobody knows it; `pids` the master and its workers,
    `worker` the one that serves, `closed` the frontends that were let go of. `torn`: the change before this one was cut short, so nobody
    knows what it serves.
    """

    serving: Bundle | None
    pids: frozenset[int]
    worker: int | None
    torn: bool
    closed: frozenset[str] = frozenset()


class Haproxy:
    """HAProxy, one process an application.

    `judge` is our own judgement of a bundle's text, which comes before the checker. `patience`: seconds a reload waits for old workers.
    `confirms`: False takes out the question what is served after a change; only the control of a test does that.
    """

    name = "haproxy"

    def __init__(
        self, ground: Ground, judge: sandbox.Judge = sandbox.judge, patience: float = OLD_WORKERS_SECONDS, confirms: bool = True
    ) -> None:
        self._confirms = confirms
        self._ground = ground
        self._patience = patience
        self._judge = judge
        self._binary: Binary | None = None
        self._observers: dict[str, Observer] = {}
        self._bundles_read: dict[str, dict[str, Bundle]] = {}
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

    # ---- changes

    def check(self, application: str, content: bytes) -> None:
        """The deny list, then HAProxy itself behind walls."""
        with self._refusing(application):
            wanted = self._read(content)
            self._check(self._home(application), _made(content, wanted), wanted)

    def start(self, application: str, content: bytes, listeners: Sequence[Listener]) -> None:
        """Published first: HAProxy reads it when it starts. Its listeners are those of `content`."""
        with self._refusing(application), self._change(application):
            self._bring(application, content, run=True)

    def load(self, application: str, content: bytes) -> None:
        """By the runtime socket where the shape stays, else by a reload; what it listened on and is to no longer is let go of."""
        with self._refusing(application), self._change(application):
            self._bring(application, content, run=False)

    def listen(self, application: str, listeners: Sequence[Listener]) -> None:
        """It can let go of what it listens on, and take that up again; what is new it binds when it loads. Returns when it is so.

        By `disable frontend`: `shutdown frontend` would keep the socket listening with nobody to accept (tried on 2.8, expose-fd).
        """
        with self._refusing(application):
            home, names = self._home(application), {name for name, _, _ in listeners}
            serving = self._standing(application, home).serving
            if serving is None:
                return
            master, closed = Master(home.folder), self._closed(home, serving)
            gone = [one for one in serving.frontends if one.listener not in names]
            for frontend in serving.frontends:
                if frontend in gone and frontend.name not in closed:
                    master.worker(f"disable frontend {frontend.name}")
                elif frontend not in gone and frontend.name in closed:
                    master.worker(f"enable frontend {frontend.name}")
            ports.wait_free(_gone(gone, [one for one in serving.frontends if one not in gone]), LET_GO_SECONDS)
            if self._closed(home, serving) != {one.name for one in gone}:
                raise EngineRefused("HAProxy does not listen as it is to", hint=", ".join(sorted(self._closed(home, serving))) or None)

    def back(self, application: str, good: bytes | None) -> None:
        """The last good bundle, its listeners, its members; or nothing at all."""
        with self._refusing(application), self._change(application):
            if good is None:
                self._stop(application, STOP_SECONDS)
                return
            home, wanted = self._home(application), self._read(good)
            made, before = _made(good, wanted), self._standing(application, home)
            if home.generation() != made.generation:
                home.stage(made)
                home.publish(made.generation)
            begun = _size(home.folder / OUTPUT)
            if self._run(application, home):
                before = _Standing(None, frozenset(), None, torn=False)
            self._serve(application, home, before, wanted, begun)
            home.confirm(made.generation)

    def keep(self, application: str, content: bytes) -> None:
        """The process, as the guard is to have it."""
        with self._refusing(application):
            self._run(application, self._home(application))

    def stop(self, application: str, within: float) -> None:
        """Softly through the guard; the bundles stay, none is published."""
        with self._refusing(application), self._change(application):
            self._stop(application, within)

    # ---- what stands

    def published(self, application: str) -> bytes | None:
        """The bundle that is published and confirmed; after a change that was cut short, the one before it."""
        home = self._bundles(application)
        good = home.good()
        return (home.content(good) if good is not None else None) or home.published()

    def observe(self, application: str) -> Observed:
        """What the worker that serves says, compared with the bundles that stand here."""
        home = self._bundles(application)
        try:
            shape = Master(home.folder).description()
            found = self._shaped(application, home, shape)
            seen = self._observer(application).observe(home.folder, found)
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
        return explain(home.folder, self._read(content), service, facts)

    # ---- one change

    def _bring(self, application: str, content: bytes, *, run: bool) -> None:
        """Publish and serve `content`; where it is refused, what was confirmed last is published and served again."""
        home, wanted = self._home(application), self._read(content)
        made, before = _made(content, wanted), self._standing(application, home)
        self._refuse_taken(before, wanted)
        if before.pids and self._reloads(home, before, wanted):
            self._reload(application, home).room(before.serving or wanted)
        self._publish(home, made, wanted)
        self._bundles_read.setdefault(application, {})[made.generation] = wanted
        try:
            begun = _size(home.folder / OUTPUT)
            if run and self._run(application, home):
                before = _Standing(None, frozenset(), None, torn=False)  # it has just read what is published
            self._serve(application, home, before, wanted, begun, self._ground.faults.hit)
            home.confirm(made.generation)
            self._ground.faults.hit("config.confirmed")
        except (GurneyError, OSError):
            self._return(application, home, before, made)
            raise
        home.sweep()

    def _refuse_taken(self, before: _Standing, wanted: Bundle) -> None:
        """What is new to listen on has to be free; where nobody knows what our process listens on, HAProxy itself says what is taken."""
        if before.serving is None and before.pids:
            return
        held = before.serving.frontends if before.serving is not None else ()
        known = {one.listener for one in held if one.name not in before.closed}
        ports.refuse_taken(_addresses(one for one in wanted.frontends if one.listener not in known), before.pids)

    def _publish(self, home: Bundles, made: Made, wanted: Bundle) -> None:
        hit = self._ground.faults.hit
        home.stage(made)
        hit("config.rendered")
        self._check(home, made, wanted)
        hit("config.validated")
        home.publish(made.generation)
        hit("config.renamed")

    def _check(self, home: Bundles, made: Made, wanted: Bundle) -> None:
        try:
            sandbox.Sandbox(self.binary(), self._judge).check(made, wanted, home.material)
        except EngineRefused as refusal:
            said = "\n".join(filter(None, (refusal.message, refusal.path, refusal.hint)))
            place = home.refuse(made, said + "\n")
            raise EngineRefused(refusal.message, hint=f"{refusal.hint or ''} (kept in {place})".strip(), path=refusal.path) from refusal

    def _return(self, application: str, home: Bundles, before: _Standing, refused: Made) -> None:
        """Back to what was confirmed last, as far as that goes: whoever asked hears of the first refusal, not of this."""
        last = home.good()
        if last == refused.generation:
            return
        with contextlib.suppress(GurneyError, OSError):
            content = home.content(last) if last is not None else None
            if last is None or content is None:
                if not before.pids:
                    self._stop(application, STOP_SECONDS)
                return
            good, now = self._read(content), self._standing(application, home)
            if (
                now.worker == before.worker
                and now.serving is not None
                and now.serving.shape == good.shape != self._read(refused.content).shape
            ):
                home.publish(last)
                return  # it never heard of the change
            home.doubt()
            home.publish(last)
            self._serve(application, home, replace(now, torn=True), good, _size(home.folder / OUTPUT))
            home.confirm(last)

    def _serve(self, application: str, home: Bundles, before: _Standing, wanted: Bundle, begun: int, hit: Hit = _no_hit) -> None:
        """Have the process serve what is published, confirm it, and see that it let go of what it is to listen on no longer."""
        self._await(application, home, wanted, begun)
        reloading = self._reloads(home, before, wanted)
        if not reloading:
            try:
                changes.apply_changes(home.folder, wanted, hit, before=before.serving)
            except EngineRefused as refusal:  # a reload carries out what the runtime socket cannot, and mends what it did by half
                self._ground.progress(f"{application}: {refusal.message}; reloading")
                reloading = True
        if reloading:
            reload = self._reload(application, home)
            reload.room(wanted)
            reload.reload(wanted)
            if self._confirms:
                self._named(home, wanted)
                changes.apply_changes(home.folder, wanted)
        hit("config.reloaded")
        if self._confirms:
            self._named(home, wanted)
            self._compared(home, wanted)
        if before.serving is not None:
            held = [one for one in before.serving.frontends if one.name not in before.closed]  # another may have taken over the rest
            ports.wait_free(_gone(held, wanted.frontends), LET_GO_SECONDS, before.pids | self._pids(home))

    def _named(self, home: Bundles, wanted: Bundle) -> None:
        """It names the shape that was published."""
        seen = Master(home.folder).description()
        if seen != wanted.shape:
            raise EngineRefused(f"HAProxy serves shape {(seen or 'unknown')[:12]} after the change to {wanted.shape[:12]}")

    def _compared(self, home: Bundles, wanted: Bundle) -> None:
        """Every member, map and certificate is as it is to be."""
        left = differences(home.folder, wanted)
        if left:
            raise EngineRefused(f"HAProxy does not serve what was applied: {'; '.join(left[:3])}")

    def _reloads(self, home: Bundles, before: _Standing, wanted: Bundle) -> bool:
        """Whether only a reload makes the process what is wanted; one that just started has read what is published."""
        if Master(home.folder).description() != wanted.shape or before.torn or self._closed(home, wanted):
            return True
        return before.serving is not None and servers.reload_reason(before.serving, wanted) is not None

    def _reload(self, application: str, home: Bundles) -> Reload:
        return Reload(home.folder, lambda text: self._ground.progress(f"{application}: {text}"), self._patience)

    # ---- the process

    def _run(self, application: str, home: Bundles) -> bool:
        """Have the guard keep it; whether it was started by that."""
        argv = [str(self.binary().path), "-W", "-S", f"unix@{SOCKET},mode,600", "-f", str(home.folder / CURRENT / CONFIGURATION)]
        told = self._ground.keeper.run(
            self.process(application), argv, home.folder, (), environment=binary.ENVIRONMENT, stop_signal=STOP_SIGNAL, binds=True
        )
        return bool(told.get("started"))

    def _stop(self, application: str, within: float) -> None:
        home = self._home(application)
        if any(process.name == self.process(application) for process in self._ground.keeper.processes()):
            self._ground.keeper.stop(self.process(application), within)
        home.withdraw()

    def _await(self, application: str, home: Bundles, wanted: Bundle, begun: int) -> None:
        """Until a worker answers. Raises `EngineRefused` with HAProxy's words once it says why it does not start.

        `begun`: how much of its output is of before.
        """
        output, deadline, said = home.folder / OUTPUT, time.monotonic() + START_SECONDS, False
        while True:
            with contextlib.suppress(NotRunning):
                if Master(home.folder).description() is not None:
                    return
            found = words.complaint(_tail(output, begun), wanted, defect=False)
            if found is not None:
                raise EngineRefused(f"HAProxy does not start: {found.message}", hint=found.hint, path=found.path)
            if time.monotonic() >= deadline:
                raise EngineRefused("HAProxy does not answer", hint=f"see {output}")
            if not said:
                self._ground.progress(f"{application}: waiting for HAProxy")
                said = True
            time.sleep(_PAUSE)

    # ---- what is known

    def _standing(self, application: str, home: Bundles) -> _Standing:
        """What runs before a change, as far as anybody knows."""
        torn = home.generation() is not None and not home.settled()
        try:
            master = Master(home.folder)
            workers, shape = master.workers(), master.description()
        except NotRunning:
            return _Standing(None, frozenset(), None, torn)
        serving = next((found for _, found in self._shaped(application, home, shape)), None)
        closed = self._closed(home, serving) if serving is not None else frozenset()
        return _Standing(serving, workers.pids(), workers.current.pid if workers.current is not None else None, torn, closed)

    def _pids(self, home: Bundles) -> frozenset[int]:
        try:
            return Master(home.folder).workers().pids()
        except NotRunning:
            return frozenset()

    def _shaped(self, application: str, home: Bundles, shape: str | None) -> list[tuple[str, Bundle]]:
        """The bundles that stand here and have this shape, the published one first; each is read once."""
        known, kept = self._bundles_read.get(application, {}), home.kept()
        read: dict[str, Bundle] = {}
        for generation in kept:
            content = home.content(generation) if generation not in known else None
            with contextlib.suppress(InputRefused):  # of another version: nobody's
                if generation in known:
                    read[generation] = known[generation]
                elif content is not None:
                    read[generation] = bundles.load(content)
        self._bundles_read[application] = read
        return [(generation, one) for generation, one in read.items() if one.shape == shape]

    def _closed(self, home: Bundles, wanted: Bundle) -> frozenset[str]:
        """The frontends of it that do not listen, because they were let go of."""
        rows = csv.DictReader(Master(home.folder).worker("show stat -1 1 -1").removeprefix("# ").splitlines())
        open_now = {row["pxname"] for row in rows if row["status"] == "OPEN"}
        return frozenset(one.name for one in wanted.frontends) - open_now

    def _observer(self, application: str) -> Observer:
        return self._observers.setdefault(application, Observer())

    def _bundles(self, application: str) -> Bundles:
        folder = self._ground.folder(application)
        return Bundles(folder / FOLDER, folder.parents[1] / "keys" / "certificates")

    def _home(self, application: str) -> Bundles:
        home = self._bundles(application)
        home.prepare()
        return home

    def _read(self, content: bytes) -> Bundle:
        try:
            return bundles.load(content)
        except InputRefused as error:
            raise EngineRefused(f"the bundle is not valid: {error.message}", hint=words.DEFECT) from error

    @contextlib.contextmanager
    def _change(self, application: str) -> Iterator[None]:
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


def _made(content: bytes, wanted: Bundle) -> Made:
    return Made(bundles.generation(content), content, wanted.files, wanted.materials)


def _addresses(frontends: Iterable[Frontend]) -> list[ports.Address]:
    return [(one.listen.host, one.listen.port) for one in frontends]


def _gone(before: Iterable[Frontend], wanted: Iterable[Frontend]) -> list[ports.Address]:
    """What was listened on and is to be so no longer, in no form: `*:80` covers `127.0.0.1:80`."""
    kept = _addresses(wanted)
    return [
        (host, port)
        for host, port in _addresses(before)
        if not any(port == other and (host == at or "" in (host, at)) for at, other in kept)
    ]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _tail(path: Path, begun: int) -> str:
    """What was written since; the guard begins a new file when one has grown too long."""
    try:
        with path.open("rb") as output:
            size = output.seek(0, 2)
            output.seek(max(begun if begun <= size else 0, size - _OUTPUT_READ))
            return output.read().decode("utf-8", "replace")
    except OSError:
        return ""
