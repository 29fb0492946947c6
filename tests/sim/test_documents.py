"""The same claims from text to steps: documents as people write them, read, compiled for the real engines, planned and cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from gurney.control.decide import Decision, decide
from gurney.control.draft import read
from gurney.errors import DocumentRefused
from gurney.plan.order import plan
from gurney.telemetry.log import Log
from tests.live.harness.counts import count, say
from tests.sim.changes import Change, judge
from tests.sim.drawn import World, pair
from tests.sim.written import text

SEEDS = count(120, 2_000)


def decision(world: World, before: Decision | None = None) -> Decision | None:
    """What is wanted of a document; nothing of one that has no application, or that the reader refuses."""
    if not world:
        return None
    try:
        return decide(read(text(world), "g"), (), before.wanted if before is not None else {}, before=before)
    except DocumentRefused:
        return None


def test_documents_are_changed_as_safely_as_what_they_are_compiled_to(tmp_path: Path) -> None:
    log, changes, cuts, refused = Log(tmp_path / "control.log", strict=True), 0, 0, 0
    for seed in range(SEEDS):
        worlds = pair(seed)
        before = decision(worlds[0])
        after = decision(worlds[1], before)
        if before is None or after is None:
            refused += 1
            continue
        change = Change(before.processes, after.processes, before.wanted, after.wanted, log)
        steps = change.steps(change.node())
        assert after.steps == plan(change.before, change.after).steps
        assert judge(change, steps) == [], f"seed {seed}\n{text(worlds[0])}\n{text(worlds[1])}"
        changes += 1
        cuts += len(steps)
    say("sim-documents", pairs=SEEDS, changes=changes, cuts=cuts, without=refused, violations=0)
    assert changes > SEEDS // 2 and cuts > changes


@pytest.mark.parametrize("seed", range(5))
def test_a_written_document_says_what_was_drawn(seed: int) -> None:
    before, _ = pair(seed + 20)
    made = decision(before)
    if made is not None:
        assert set(made.processes) == {
            (name, "route" if at in ("store", "second") else "haproxy") for name, drawn in before.items() for at in drawn.services
        }
