"""Make before break, proven by cutting: two thousand changes, each cut at every step, each gone back from, each resumed after its end.

The claims: a service that is in both documents serves at every cut, unless a step said that it lets go of the service's address for
another and the service waits for its new one; that is said of no other address; what ends is what was counted; after all steps, after
going back and after a resume the node is exactly as it is to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gurney.errors import EngineRefused
from gurney.plan.order import plan
from gurney.plan.steps import Key, Process, Step
from gurney.telemetry.log import Log
from tests.live.harness.counts import count, say
from tests.sim.changes import Change, begin_of, drawn, end_of, judge
from tests.sim.nodes import Node

SEEDS = count(2_000, 50_000)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "control.log", strict=True)


def test_every_service_of_both_documents_serves_at_every_cut(log: Log) -> None:
    cuts = gaps = reloads = 0
    for seed in range(SEEDS):
        change = drawn(seed, log)
        steps = change.steps(change.node())
        assert judge(change, steps) == [], f"seed {seed}: {[(step.kind, step.key, step.gap) for step in steps]}"
        cuts += len(steps)
        gaps += sum(bool(step.gap) for step in steps)
        reloads += sum("reload" in step.detail for step in steps)
    say("sim-make-before-break", pairs=SEEDS, cuts=cuts, gaps=gaps, reloads=reloads, violations=0)
    assert cuts > 2 * SEEDS and gaps > SEEDS // 20 and reloads > SEEDS // 10


@pytest.mark.parametrize("after", [False, True])
def test_going_back_from_every_cut_gives_the_old_node(log: Log, after: bool) -> None:
    cuts = 0
    for seed in range(0, SEEDS, 2):
        change = drawn(seed, log)
        for at in range(1, len(change.steps(change.node())) + 1):
            node = change.node()
            node.fail_at, node.fail_after = at, after
            with pytest.raises(EngineRefused) as caught:
                change.carrier(node).all_or_nothing(change.steps(node), change.old, change.new)
            assert node.state() == begin_of(change), f"seed {seed} step {at}: {caught.value.hint}"
            cuts += 1
    say("sim-going-back", pairs=SEEDS // 2, cuts=cuts, violations=0)


def test_the_next_control_process_arrives_from_every_cut(log: Log) -> None:
    """It knows what each engine serves, and of those the guard binds for also what they listen on."""
    cuts = 0
    for seed in range(0, SEEDS, 2):
        change = drawn(seed, log)
        steps = change.steps(change.node())
        for at in range(len(steps)):
            node = change.node()
            for step in steps[:at]:
                change.carrier(node)._do(step, change.new)
            left = plan(_seen(change, node), change.after).steps
            for step in left:
                change.carrier(node)._do(step, change.new)
            assert node.state() == end_of(change), f"seed {seed} cut {at}"
            cuts += 1
    say("sim-resumed", pairs=SEEDS // 2, cuts=cuts, violations=0)


def _seen(change: Change, node: Node) -> dict[Key, Process]:
    """What HAProxy let go of by a run-time word nobody remembers: it is taken to listen on all of what it serves."""
    found: dict[Key, Process] = {}
    for key, kept in node.running.items():
        process = change.contents[kept.content]
        found[key] = process if process.listeners_by_load else replace(process, listeners=kept.bound)
    return found


def _reversed_pairs(steps: tuple[Step, ...]) -> list[tuple[Step, ...]]:
    return [(*steps[:at], steps[at + 1], steps[at], *steps[at + 2 :]) for at in range(len(steps) - 1)]


def _load_first(steps: tuple[Step, ...]) -> list[tuple[Step, ...]]:
    return [tuple(sorted(steps, key=lambda step: step.kind != "load"))]


def _unbind_first(steps: tuple[Step, ...]) -> list[tuple[Step, ...]]:
    return [tuple(sorted(steps, key=lambda step: step.kind != "unbind"))]


def _says_nothing(steps: tuple[Step, ...]) -> list[tuple[Step, ...]]:
    return [tuple(replace(step, gap=()) for step in steps)]


def _says_too_much(steps: tuple[Step, ...]) -> list[tuple[Step, ...]]:
    return [tuple(replace(step, gap=tuple(at[0] for at in step.listeners)) for step in steps)]


@pytest.mark.parametrize("spoil", [_reversed_pairs, _load_first, _unbind_first, _says_nothing, _says_too_much])
def test_the_simulator_bites(log: Log, spoil: Callable[[tuple[Step, ...]], list[tuple[Step, ...]]]) -> None:
    """Broken controls: two steps the other way round, stopping or letting go first, a gap not said, a gap said for nothing."""
    spoilt = red = 0
    for seed in range(200):
        change = drawn(seed, log)
        steps = change.steps(change.node())
        for other in spoil(steps):
            if other != steps:
                spoilt += 1
                red += judge(change, other) != []
    say(f"sim-bites-{spoil.__name__.strip('_')}", spoilt=spoilt, red=red)
    assert red > spoilt // 10 and red > 10
