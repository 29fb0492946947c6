"""The one place for what the control process writes down: the events of changes, steps, overrides and conditions."""

from __future__ import annotations

from collections.abc import Iterable

from gurney.config.overrides import Override
from gurney.control.conditions import Condition
from gurney.errors import GurneyError
from gurney.plan.steps import Step
from gurney.state.revisions import Revision
from gurney.telemetry.log import Log


class Journal:
    """Events in the words of `telemetry.events`; documents and their contents never stand in them."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def applied(self, revision: Revision, steps: int, seconds: float) -> None:
        """Every engine serves this revision."""
        self._log.info("control.applied", revision=revision.n, steps=steps, by=revision.who, why=revision.why, seconds=seconds)

    def refused(self, revision: Revision, error: GurneyError) -> None:
        """An engine refused; everything is as it was."""
        self._log.error("control.refused", revision=revision.n, by=revision.who, error=error.message, reason=error.hint)

    def undone(self, revision: Revision, was: int) -> None:
        """Revision `was` is no longer wanted."""
        self._log.info("control.undone", revision=revision.n, was=str(was), by=revision.who, why=revision.why)

    def step(self, step: Step, outcome: str, seconds: float) -> None:
        """One step of a plan was carried out, or refused."""
        self._log.info("control.step", step=step.kind, app=step.application, name=step.engine, outcome=outcome, seconds=seconds)

    def overridden(self, before: Iterable[Override], after: Iterable[Override]) -> None:
        """What was laid over members, and what was taken off them."""
        old, new = {one.object: one for one in before}, {one.object: one for one in after}
        for name, one in new.items():
            if old.get(name) != one:
                seconds = one.until - one.since if one.until is not None else None
                self._log.info("control.override", object=name, word=one.word, by=one.by, why=one.why, seconds=seconds)
        for name in old.keys() - new.keys():
            self._log.info("control.override", object=name, word="none")

    def guard(self, outcome: str) -> None:
        """What became of the guard."""
        self._log.warning("control.guard", outcome=outcome)

    def raised(self, condition: Condition) -> None:
        """A condition began."""
        self._log.warning("condition.raised", code=condition.code, object=condition.object, reason=condition.reason)

    def cleared(self, condition: Condition, seconds: float) -> None:
        """A condition is over, after that many seconds."""
        self._log.info("condition.cleared", code=condition.code, object=condition.object, reason=condition.reason, seconds=seconds)
