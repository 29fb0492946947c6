"""The one place for what control does by itself, once a second: the guard lives, the engines serve what is wanted, timers end.

`tick` is called by one thread; it never raises. `look` may be called by any thread.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from gurney.control.conditions import ENGINE_RESTARTED, GUARD_GONE, GUARD_RESTARTED, Condition
from gurney.control.control import Control
from gurney.control.renewal import Renewal
from gurney.control.report import status
from gurney.control.standing import of_engines
from gurney.engines.engine import Keeper, Observed, Process
from gurney.errors import GurneyError, NotRunning
from gurney.plan.steps import Key

SHOWN_SECONDS = 15 * 60.0  # how long a restart that is over stays a condition
RETRY_TICKS = 5  # an engine that refused is tried again this often


class Watch:
    """Keeps what control wants and what runs the same. `start_guard` starts a guard and returns when it answers, or raises."""

    def __init__(
        self, control: Control, keeper: Keeper, start_guard: Callable[[], object], tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self._control = control
        self._keeper = keeper
        self._start_guard = start_guard
        self._tell = tell
        self._restarts: dict[str, int] = {}
        self._ticks = 0
        self._troubled = ""
        self._gone = False
        self._connection: socket.socket | None = None
        self._renewal = Renewal(control)
        self.ended = False

    def tick(self) -> None:
        """One round. A fault of one round is told once and tried again in the next."""
        self._ticks += 1
        try:
            try:
                self.guard()
            finally:  # timers end and engines are looked at also while nobody guards them
                self._control.expire()
                self._renewal.look()
                self.look()
            if self._ticks % RETRY_TICKS == 0:
                self._differences()
            self._troubled = ""
        except GurneyError as error:
            if error.message != self._troubled:
                self._tell(error.message)
            self._troubled = error.message

    def connection(self) -> socket.socket:
        """A connection to the guard that becomes readable when the guard is gone. Raises `NotRunning`."""
        if self._connection is None:
            self._connection = self._keeper.watch()
        return self._connection

    def guard(self) -> tuple[Process, ...]:
        """The guard's processes; when no guard answers, the next one is started and told again what is wanted."""
        control = self._control
        try:
            processes = self._keeper.processes()
        except NotRunning:
            self._lost()
            with control.changing:
                if self.ended:
                    return ()
                self._start_guard()
            processes = self._keeper.processes()
        if self._gone:
            control.keep()
            self._gone = False
            control.journal.guard("followed")
            control.conditions.clear(GUARD_GONE, "guard", control.clock())
            reason = "the guard ended; the next one adopted what was running"
            control.conditions.raise_(Condition(GUARD_RESTARTED, reason, "guard"), control.clock())
        self._notice(processes)
        return processes

    def _lost(self) -> None:
        """No guard answers: told once, until the next one does."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._gone or self.ended:
            return
        self._gone = True
        self._tell("the guard is gone: seeing to the next one")
        self._control.journal.guard("gone")
        reason = "no guard answers: traffic goes on, and what crashes now is not started again"
        self._control.conditions.raise_(Condition(GUARD_GONE, reason, "guard"), self._control.clock())

    def look(self) -> dict[Key, Observed]:
        """Ask every engine how it is, and hold the conditions that follow."""
        control = self._control
        observed: dict[Key, Observed] = {}
        for application, name in list(control.serving):
            observed[application, name] = control.engines[name].observe(application)
        for key in control.decision.wanted if control.decision is not None else ():
            observed.setdefault(key, Observed(False, None, None, "not started"))
        control.observed = observed
        control.conditions.hold("engines", of_engines(observed, control.process), control.clock())
        return observed

    def status(self) -> dict[str, Any]:
        """The status of this moment."""
        try:
            processes = self._keeper.processes()
        except GurneyError:
            processes = ()
        return status(self._control, self.look(), processes)

    def waiting(self) -> list[str]:
        """What `ready` still waits for, in words; empty when every engine has confirmed and every check has had one result."""
        control = self._control
        if control.decision is None:
            return ["no document"]
        missing = []
        observed = self.look()
        for (application, name), content in control.decision.wanted.items():
            seen = observed.get((application, name))
            if seen is None or seen.generation != control.engines[name].generation(content):
                missing.append(f"{application}: {name} has not confirmed" + (f" ({seen.why})" if seen is not None and seen.why else ""))
            elif seen.status is not None and not seen.status.get("checked"):
                missing.append(f"{application}: first checks of {name} are running")
        return missing

    def _notice(self, processes: tuple[Process, ...]) -> None:
        """A count of restarts that went up since the last round is a condition."""
        now = self._control.clock()
        for process in processes:
            before = self._restarts.get(process.name, process.restarts)
            if process.restarts > before:
                reason = f"it ended ({process.last_exit or 'exit unknown'}) and was started again; {process.restarts} restarts so far"
                self._control.conditions.raise_(Condition(ENGINE_RESTARTED, reason, process.name), now)
            self._restarts[process.name] = process.restarts
        for code in (ENGINE_RESTARTED, GUARD_RESTARTED):
            self._control.conditions.expire(code, now - SHOWN_SECONDS, now)

    def _differences(self) -> None:
        """An engine that serves something else than what it confirmed (or nothing yet) gets it again.

        Looked at while nothing changes: what was seen in the middle of an apply would be a difference that is none.
        """
        control = self._control
        with control.changing:
            observed = self.look()
            for (application, name), content in list(control.serving.items()):
                seen = observed.get((application, name))
                if seen is not None and seen.generation is not None and seen.generation != control.engines[name].generation(content):
                    control.forget((application, name))
            control.mend()
