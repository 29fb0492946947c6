"""Make before break, proven by cutting: two thousand changes, each cut at every step, each gone back from, each resumed after its end.

The claims: a service that is in both documents serves at every cut, unless a step said that it lets go of the service's address for
another and the service waits for its new one; that is said of no other address; what ends is what was counted; after all steps, after
going back and after a resume the node is exactly as it is to be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gurney.control.carry import Carrier
from gurney.control.journal import Journal
from gurney.errors import EngineRefused
from gurney.plan.order import plan
from gurney.plan.steps import Key, Listener, Process, Step, overlap
from gurney.telemetry.log import Log
from tests.live.harness.counts import count, say
from tests.sim.drawn import pair, processes
from tests.sim.nodes import Node, Simulated, listens, services

State = Mapping[Key, Process]
SEEDS = count(2_000, 50_000)


class Change:
    """One pair of documents: what every engine is to be given before and after, by the names the simulated engines know."""

    def __init__(self, seed: int, log: Log) -> None:
        drawn = pair(seed)
        self.before, self.after = (processes(one) for one in drawn)
        self.journal = Journal(log)
        every = [*self.before.values(), *self.after.values()]
        self.contents = {str(process.generation).encode(): process for process in every}
        self.old = {key: str(process.generation).encode() for key, process in self.before.items()}
        self.new = {key: str(process.generation).encode() for key, process in self.after.items()}

    def node(self) -> Node:
        return Node(self.contents).take(self.old)

    def carrier(self, node: Node) -> Carrier:
        engines = {"route": Simulated(node, "route", by_load=False), "haproxy": Simulated(node, "haproxy", by_load=True)}
        return Carrier(engines, lambda text: None, self.journal, lambda key, content: self.contents[content])  # type: ignore[arg-type]

    def steps(self, node: Node) -> tuple[Step, ...]:
        return plan(self.before, self.after, node.sessions()).steps


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "control.log", strict=True)


def judge(change: Change, steps: tuple[Step, ...]) -> list[str]:
    """What is wrong with these steps, cut after each of them; nothing when all claims hold."""
    node, wrong = change.node(), []
    known = {at[0]: at for state in (change.before, change.after) for process in state.values() for at in process.listeners}
    given: list[Listener] = []  # addresses let go for others so far
    for step in steps:
        ended = node.ended
        try:
            change.carrier(node)._do(step, change.new)
        except (EngineRefused, AssertionError, KeyError) as error:
            return [*wrong, f"{step.kind} {step.key}: {error}"]
        if node.ended - ended != step.cuts:
            wrong.append(f"{step.kind} {step.key} ended {node.ended - ended} sessions, said {step.cuts}")
        wrong += [f"{step.kind} {step.key} lets go of {name} for nobody" for name in step.gap if not _needed(change, step, known[name])]
        given += [known[name] for name in step.gap]
        wrong += [f"after {step.kind} {step.key}: {words}" for words in _down(change, node, given)]
    if node.state() != change_end(change):
        wrong.append("the node is not as it is to be")
    return wrong


def _needed(change: Change, step: Step, listener: Listener) -> bool:
    """True if somebody is to listen there who cannot before this: another engine, or the same one under another name."""
    for key, process in change.after.items():
        if key == step.key and process.listeners_by_load:
            continue
        held = change.before[key].listeners if key in change.before else ()
        if any(overlap(listener, at) and at not in held for at in process.listeners):
            return True
    return False


def _down(change: Change, node: Node, given: Sequence[Listener]) -> list[str]:
    """Services of both documents that do not serve, and engines that serve neither document.

    Excused is only what waits: its engine serves the old document still, and a step said that it lets go of an address of the service.
    """
    wrong = []
    for key in change.before.keys() & change.after.keys():
        kept = node.running.get(key)
        if kept is not None and kept.content not in (change.old[key], change.new[key]):
            wrong.append(f"{key} serves neither document")
        for name in set(services(change.before[key])) & set(services(change.after[key])):
            waits = kept is not None and kept.content == change.old[key] != change.new[key]
            let_go = any(overlap(at, gap) for at in listens(change.before[key], name) for gap in given)
            if not node.serves(key, name) and not (waits and let_go):
                wrong.append(f"{key} {name} does not serve")
    return wrong


def change_end(change: Change) -> dict[Key, tuple[bytes, frozenset[Listener]]]:
    return {key: (content, frozenset(change.after[key].listeners)) for key, content in change.new.items()}


def change_begin(change: Change) -> dict[Key, tuple[bytes, frozenset[Listener]]]:
    return {key: (content, frozenset(change.before[key].listeners)) for key, content in change.old.items()}


def test_every_service_of_both_documents_serves_at_every_cut(log: Log) -> None:
    cuts = gaps = reloads = 0
    for seed in range(SEEDS):
        change = Change(seed, log)
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
        change = Change(seed, log)
        for at in range(1, len(change.steps(change.node())) + 1):
            node = change.node()
            node.fail_at, node.fail_after = at, after
            with pytest.raises(EngineRefused) as caught:
                change.carrier(node).all_or_nothing(change.steps(node), change.old, change.new)
            assert node.state() == change_begin(change), f"seed {seed} step {at}: {caught.value.hint}"
            cuts += 1
    say("sim-going-back", pairs=SEEDS // 2, cuts=cuts, violations=0)


def test_the_next_control_process_arrives_from_every_cut(log: Log) -> None:
    """It knows what each engine serves, and of those the guard binds for also what they listen on."""
    cuts = 0
    for seed in range(0, SEEDS, 2):
        change = Change(seed, log)
        steps = change.steps(change.node())
        for at in range(len(steps)):
            node = change.node()
            for step in steps[:at]:
                change.carrier(node)._do(step, change.new)
            left = plan(_seen(change, node), change.after).steps
            for step in left:
                change.carrier(node)._do(step, change.new)
            assert node.state() == change_end(change), f"seed {seed} cut {at}"
            cuts += 1
    say("sim-resumed", pairs=SEEDS // 2, cuts=cuts, violations=0)


def _seen(change: Change, node: Node) -> dict[Key, Process]:
    return {key: replace(change.contents[kept.content], listeners=kept.bound) for key, kept in node.running.items()}


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
        change = Change(seed, log)
        steps = change.steps(change.node())
        for other in spoil(steps):
            if other != steps:
                spoilt += 1
                red += judge(change, other) != []
    say(f"sim-bites-{spoil.__name__.strip('_')}", spoilt=spoilt, red=red)
    assert red > spoilt // 10 and red > 10
