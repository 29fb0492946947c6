"""The claims about a change, and what judges them: the steps are carried out on a node and looked at after each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gurney.control.carry import Carrier
from gurney.control.journal import Journal
from gurney.errors import EngineRefused
from gurney.plan.order import plan
from gurney.plan.steps import Key, Listener, Process, Step, overlap
from gurney.telemetry.log import Log
from tests.sim.drawn import pair, processes
from tests.sim.nodes import Node, Simulated, listens, services


class Change:
    """One pair of documents: what every engine is to be before and after, and the contents that make it so."""

    def __init__(
        self, before: Mapping[Key, Process], after: Mapping[Key, Process], old: Mapping[Key, bytes], new: Mapping[Key, bytes], log: Log
    ) -> None:
        self.before, self.after = before, after
        self.old, self.new = old, new
        self.journal = Journal(log)
        self.contents = {**{old[key]: one for key, one in before.items()}, **{new[key]: one for key, one in after.items()}}

    def node(self) -> Node:
        return Node(self.contents).take(self.old)

    def carrier(self, node: Node) -> Carrier:
        engines = {"route": Simulated(node, "route", by_load=False), "haproxy": Simulated(node, "haproxy", by_load=True)}
        return Carrier(engines, lambda text: None, self.journal, lambda key, content: self.contents[content])  # type: ignore[arg-type]

    def steps(self, node: Node) -> tuple[Step, ...]:
        return plan(self.before, self.after, node.sessions()).steps


def drawn(seed: int, log: Log) -> Change:
    """A change by its seed; a generation stands for its content."""
    before, after = (processes(one) for one in pair(seed))
    old, new = ({key: str(one.generation).encode() for key, one in state.items()} for state in (before, after))
    return Change(before, after, old, new, log)


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
    wrong += _late(change, steps)
    if node.state() != end_of(change):
        wrong.append("the node is not as it is to be")
    return wrong


def _late(change: Change, steps: tuple[Step, ...]) -> list[str]:
    """What nothing stood in the way of and was left until an address had been let go: nobody waits for an address longer than he must."""
    first = next((at for at, step in enumerate(steps) if step.gap), len(steps))
    lets_go = {step.key for step in steps if step.gap}
    held = [(key, at) for key, process in change.before.items() for at in process.listeners]
    late = []
    for step in steps[first:]:
        process = change.after.get(step.key)
        if process is None or step.key in lets_go or step.kind not in ("start-application", "bind", "load"):
            continue
        own = change.before[step.key].listeners if step.key in change.before else ()
        new = [at for at in process.listeners if at not in own]
        if not any(overlap(at, other) for at in new for _, other in held):
            late.append(f"{step.kind} {step.key} comes after an address was let go")
    return late


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


def end_of(change: Change) -> dict[Key, tuple[bytes, frozenset[Listener]]]:
    return {key: (content, frozenset(change.after[key].listeners)) for key, content in change.new.items()}


def begin_of(change: Change) -> dict[Key, tuple[bytes, frozenset[Listener]]]:
    return {key: (content, frozenset(change.before[key].listeners)) for key, content in change.old.items()}
