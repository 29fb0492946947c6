"""The one place for one change of an application's HAProxy: staged, checked, published, served, confirmed; or all of it back.

Published is before served (reliability §4.1). A process that dies at any line of it leaves `current` and `good` the same or different:
where they differ, whoever comes next reloads, so that the file and the process are one again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy.bundle import Bundle, Frontend
from gurney.engines.engine import Listener
from gurney.engines.haproxy import changes, ports, servers
from gurney.engines.haproxy.binary import Binary
from gurney.engines.haproxy.master import Master
from gurney.engines.haproxy.observe import differences
from gurney.engines.haproxy.process import Process
from gurney.engines.haproxy.publish import Bundles, Made
from gurney.engines.haproxy.reload import Reload
from gurney.engines.haproxy.sandbox import Judge, Sandbox
from gurney.engines.haproxy.standing import Shelf, Standing, addresses, closed, let_go, read, standing
from gurney.errors import EngineRefused, GurneyError, NotRunning

LET_GO_SECONDS = 5.0  # a listener that is no longer wanted
STOP_SECONDS = 10.0  # architecture §3: what is in hand gets up to 10 s
Hit = Callable[[str], object]


def _no_hit(point: str) -> None:
    """No crash point is passed on the way back."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of one application needs. `hit` is told of the crash points; `confirms`: see `Haproxy`."""

    home: Bundles
    shelf: Shelf
    process: Process
    program: Callable[[], Binary]
    judge: Judge
    patience: float
    hit: Hit
    confirms: bool = True

    def bring(self, content: bytes, *, run: bool) -> None:
        """Publish and serve `content`; where it is refused, what was confirmed last is published and served again.

        `run`: the guard is told to keep the process. Raises `GurneyError`, OSError.
        """
        self.home.tidy()
        wanted, before = read(content), standing(self.home, self.shelf)
        made = _made(content, wanted)
        self._refuse_taken(before, wanted)
        if before.pids and self._reloads(before, wanted):
            self._reload().room(before.serving or wanted)
        self._publish(made, wanted)
        self.shelf.put(made.generation, wanted)
        try:
            said = self.process.said()
            if run and self.process.run(self.program()):
                before = Standing()  # it has just read what is published
            self._serve(before, wanted, said, self.hit)
            self.home.confirm(made.generation)
            self.hit("config.confirmed")
        except (GurneyError, OSError) as error:
            self._return(before, made, wanted)
            self._keep_refused(made, error)
            raise
        with contextlib.suppress(OSError):  # what is too much is taken away by the next change
            self.home.sweep()

    def back(self, good: bytes) -> None:
        """Serve `good` again, whatever was half done. Raises `GurneyError`, OSError."""
        self.home.tidy()
        wanted, before = read(good), standing(self.home, self.shelf)
        made = _made(good, wanted)
        if self.home.generation() != made.generation:
            if made.generation not in self.home.kept():  # not seen for long: by another version, or from a backup
                self._check(made, wanted)
            self.home.stage(made)
            self.home.publish(made.generation)
        said = self.process.said()
        if self.process.run(self.program()):
            before = Standing()
        self._serve(before, wanted, said)
        self.home.confirm(made.generation)

    def listen(self, listeners: list[Listener]) -> None:
        """Of what it serves, listen on these alone; what is new it binds when it loads. Returns when it is so. Raises `GurneyError`.

        By `disable frontend`: `shutdown frontend` would keep the socket listening with nobody to accept (tried on 2.8, expose-fd).
        """
        names, before = {name for name, _, _ in listeners}, standing(self.home, self.shelf)
        if before.serving is None:
            return
        master, frontends = Master(self.home.folder), before.serving.frontends
        gone = [one for one in frontends if one.listener not in names]
        for frontend in frontends:
            if frontend in gone and frontend.name not in before.closed:
                master.worker(f"disable frontend {frontend.name}")
            elif frontend not in gone and frontend.name in before.closed:
                master.worker(f"enable frontend {frontend.name}")
        held = [one for one in gone if one.name not in before.closed]
        ports.wait_free(let_go(held, [one for one in frontends if one not in gone]), LET_GO_SECONDS, before.pids)
        if closed(self.home, before.serving) != {one.name for one in gone}:
            raise EngineRefused("HAProxy does not listen as it is to", hint="; ".join(sorted(names)) or None)

    def stop(self, within: float) -> None:
        """End it; the bundles stay, none is published. Raises `GurneyError`, OSError."""
        self.process.stop(within)
        self.home.withdraw()

    def check(self, content: bytes) -> None:
        """Judge and check it; what is refused is kept beside the words. Raises `EngineRefused`."""
        wanted = read(content)
        self._check(_made(content, wanted), wanted)

    def _refuse_taken(self, before: Standing, wanted: Bundle) -> None:
        """What is new to listen on has to be free; where nobody knows what our process listens on, HAProxy itself says what is taken."""
        if before.serving is None and before.pids:
            return
        known = {one.listener for one in before.held()}
        for frontend in wanted.frontends:
            if frontend.listener not in known:
                try:
                    ports.refuse_taken(addresses([frontend]), before.pids)
                except EngineRefused as refusal:
                    raise EngineRefused(refusal.message, hint=refusal.hint, path=_said_at(frontend, wanted)) from refusal

    def _publish(self, made: Made, wanted: Bundle) -> None:
        self.home.stage(made)
        self.hit("config.rendered")
        self._check(made, wanted)
        self.hit("config.validated")
        self.home.publish(made.generation)
        self.hit("config.renamed")

    def _check(self, made: Made, wanted: Bundle) -> None:
        try:
            Sandbox(self.program(), self.judge).check(made, wanted, self.home.material)
        except EngineRefused as refusal:
            place = self._keep_refused(made, refusal)
            hint = " ".join(filter(None, (refusal.hint, f"(kept in {place})" if place is not None else None)))
            raise EngineRefused(refusal.message, hint=hint or None, path=refusal.path) from refusal

    def _keep_refused(self, made: Made, refusal: GurneyError | OSError) -> Path | None:
        """What was refused, beside the words; it is no longer among the bundles that may serve. None where the disk does not let us."""
        said = [str(refusal), getattr(refusal, "path", None), getattr(refusal, "hint", None)]
        with contextlib.suppress(OSError):  # a full disk is no reason to say less
            self.home.unstage(made.generation)
            return self.home.refuse(made, "\n".join(filter(None, said)) + "\n")
        return None

    def _return(self, before: Standing, refused: Made, unserved: Bundle) -> None:
        """Back to what was confirmed last, as far as that goes: whoever asked hears of the first refusal, not of this."""
        last = self.home.good()
        if last == refused.generation:
            return
        with contextlib.suppress(GurneyError, OSError):
            content = self.home.content(last) if last is not None else None
            if last is None or content is None:
                if not before.pids:
                    self.stop(STOP_SECONDS)
                return
            good, now = read(content), standing(self.home, self.shelf)
            if now.serving is not None and now.worker == before.worker and now.serving.shape == good.shape != unserved.shape:
                self.home.publish(last)
                return  # it never heard of the change
            self.home.doubt()
            self.home.publish(last)
            self._serve(replace(now, torn=True), good, self.process.said())
            self.home.confirm(last)

    def _serve(self, before: Standing, wanted: Bundle, said: int, hit: Hit = _no_hit) -> None:
        """Have the process serve what is published, confirm it, and see that it let go of what it is to listen on no longer."""
        self.process.wait(wanted, said)
        reloading = self._reloads(before, wanted)
        if not reloading:
            try:
                changes.apply_changes(self.home.folder, wanted, hit, before=before.serving)
            except EngineRefused as refusal:  # a reload carries out what the runtime socket cannot, and mends what it did by half
                self.process.progress(f"{refusal.message}; reloading")
                reloading = True
        if reloading:
            reload = self._reload()
            reload.room(wanted)
            reload.reload(wanted)
            if self.confirms:
                self._named(wanted)
                changes.apply_changes(self.home.folder, wanted)
        hit("config.reloaded")
        if self.confirms:
            self._named(wanted)
            self._compared(wanted)
        # what was let go of before may have been taken over by another
        ports.wait_free(let_go(before.held(), wanted.frontends), LET_GO_SECONDS, before.pids | self._pids())

    def _named(self, wanted: Bundle) -> None:
        """It names the shape that was published."""
        seen = Master(self.home.folder).description()
        if seen != wanted.shape:
            raise EngineRefused(f"HAProxy serves shape {(seen or 'unknown')[:12]} after the change to {wanted.shape[:12]}")

    def _compared(self, wanted: Bundle) -> None:
        """Every member, map and certificate is as it is to be."""
        left = differences(self.home.folder, wanted)
        if left:
            raise EngineRefused(f"HAProxy does not serve what was applied: {'; '.join(left[:3])}")

    def _reloads(self, before: Standing, wanted: Bundle) -> bool:
        """Whether only a reload makes the process what is wanted; one that just started has read what is published."""
        if Master(self.home.folder).description() != wanted.shape or before.torn or closed(self.home, wanted):
            return True
        return before.serving is not None and servers.reload_reason(before.serving, wanted) is not None

    def _reload(self) -> Reload:
        return Reload(self.home.folder, self.process.progress, self.patience)

    def _pids(self) -> frozenset[int]:
        try:
            return Master(self.home.folder).workers().pids()
        except NotRunning:
            return frozenset()


def _said_at(frontend: Frontend, wanted: Bundle) -> str | None:
    """Where the document says that it is listened there."""
    part = "tls.redirect_from" if frontend.redirect else "listen"
    return next((f"applications.{wanted.table.application}.services.{name}.{part}" for name in frontend.services), None)


def _made(content: bytes, wanted: Bundle) -> Made:
    return Made(bundles.generation(content), content, wanted.files, wanted.materials)
