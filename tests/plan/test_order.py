"""The order of steps, what they cut, and that a plan cut anywhere leaves everything serving that ought to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gurney.config.document import Application, Listen
from gurney.plan.order import plan
from gurney.plan.steps import Key, Listener, Process, overlap
from tests.balance.hospital import member, pool, service
from tests.plan.world import ROUTE, World, listener, listeners


def application(name: str, services: Mapping[str, tuple[Listen, ...]], weight: int = 100) -> Application:
    made = {at: service(name=at, listen=listen) for at, listen in services.items()}
    return Application(name, f"applications.{name}", made, {"archive": pool(member("a", weight=weight))})


def generation(application: Application) -> str:
    return repr(application)


def wanted(*applications: Application) -> dict[Key, Process]:
    return {(one.name, ROUTE): Process(one, generation(one), listeners(one)) for one in applications}


def world(before: tuple[Application, ...], after: tuple[Application, ...]) -> World:
    known = {generation(one): one for one in (*before, *after)}
    return World({one.name: one for one in before}, known, {one.name: generation(one) for one in before})


def kinds(before: tuple[Application, ...], after: tuple[Application, ...]) -> list[str]:
    there = world(before, after)
    steps = plan(there.running(), wanted(*after)).steps
    for step in steps:
        there.carry_out(step)
    assert there.is_as(wanted(*after))
    return [f"{step.kind} {step.application}" for step in steps]


P1, P2, P3 = Listen("", 1), Listen("", 2), Listen("", 3)
PACS = application("pacs", {"store": (P1,)})


def test_equal_states_need_no_step() -> None:
    assert plan(world((PACS,), ()).running(), wanted(PACS)).steps == ()
    assert plan({}, {}).steps == ()


def test_a_weight_is_one_load() -> None:
    after = application("pacs", {"store": (P1,)}, weight=50)
    assert kinds((PACS,), (after,)) == ["load pacs"]
    made = plan(world((PACS,), ()).running(), wanted(after), {("pacs", ROUTE): {"store": 9}})
    assert made.cuts == 0
    assert made.steps[0].as_json()["text"].splitlines() == [
        "pacs: load the new route table between objects",
        "     applications.pacs.pools.archive.members.a.weight: 100 → 50",
    ]
    assert made.changes == made.steps[0].changes


def test_a_new_listener_is_bound_before_the_load_and_an_old_one_closed_after_it() -> None:
    assert kinds((PACS,), (application("pacs", {"store": (P2,)}),)) == ["bind pacs", "load pacs", "unbind pacs"]


def test_new_applications_start_before_old_ones_stop() -> None:
    other = application("other", {"store": (P2,)})
    assert kinds((PACS,), (other,)) == ["start-application other", "stop-application pacs"]


def test_an_address_that_moves_is_let_go_as_late_as_can_be() -> None:
    assert kinds((PACS,), (application("other", {"store": (P1,)}),)) == ["stop-application pacs", "start-application other"]
    taken = (application("pacs", {"store": (P2,)}), application("other", {"store": (P1,)}))
    assert kinds((PACS,), taken) == ["bind pacs", "load pacs", "unbind pacs", "start-application other"]
    swapped = (application("pacs", {"store": (P2,)}), application("other", {"store": (P1,)}))
    both = (PACS, application("other", {"store": (P2,)}))
    assert kinds(both, swapped) == ["unbind other", "bind pacs", "load pacs", "unbind pacs", "bind other", "load other"]


def test_every_address_and_one_address_stand_in_each_others_way() -> None:
    one = application("pacs", {"store": (Listen("10.0.0.1", 1),)})
    assert kinds((PACS,), (one,)) == ["unbind pacs", "bind pacs", "load pacs"]
    assert kinds((one,), (PACS,)) == ["unbind pacs", "bind pacs", "load pacs"]


def test_what_cannot_be_told_is_loaded_again() -> None:
    running = {("pacs", ROUTE): Process(None, None, ())}
    steps = plan(running, wanted(PACS)).steps
    assert [step.kind for step in steps] == ["bind", "load"]
    assert steps[-1].detail == "load the route table again"
    assert steps[-1].changes == ()


def test_what_a_step_cuts_is_what_was_open() -> None:
    before = application("pacs", {"store": (P1,), "second": (P2,)})
    sessions = {("pacs", ROUTE): {"store": 4, "second": 3, "archive/a": 7}, ("other", ROUTE): {"store": 1}}
    made = plan(world((before,), ()).running(), wanted(PACS), sessions)
    assert [(step.kind, step.cuts) for step in made.steps] == [("load", 3), ("unbind", 0)]
    assert "3 sessions of second end" in made.steps[0].detail
    made = plan(world((before,), ()).running(), {}, sessions)
    assert [(step.kind, step.cuts) for step in made.steps] == [("stop-application", 7)]
    assert made.cuts == 7


HOSTS = st.sampled_from(["", "", "10.0.0.1", "10.0.0.2"])
LISTENS = st.builds(Listen, HOSTS, st.integers(1, 4))
SERVICES = st.dictionaries(
    st.sampled_from(["store", "second"]), st.lists(LISTENS, min_size=1, max_size=3, unique=True), min_size=1, max_size=2
)
NODES = st.dictionaries(st.sampled_from(["pacs", "other", "third"]), st.tuples(SERVICES, st.sampled_from([50, 100])), max_size=3)
Drawn = dict[str, tuple[dict[str, list[Listen]], int]]


def sound(drawn: Drawn) -> tuple[Application, ...]:
    """Applications without two listeners in each other's way; what would be in the way is left out."""
    taken: list[Listener] = []
    found = []
    for name, (services, weight) in drawn.items():
        kept: dict[str, tuple[Listen, ...]] = {}
        for at, listens in services.items():
            free = []
            for one in listens:
                if not any(overlap(listener(one), held) for held in taken):
                    taken.append(listener(one))
                    free.append(one)
            if free:
                kept[at] = tuple(free)
        if kept:
            found.append(application(name, kept, weight))
    return tuple(found)


def blocked(before: tuple[Application, ...], after: Application) -> bool:
    """True if the application wants an address that somebody else, or itself under another name, listens on now."""
    held = [(one.name, at) for one in before for at in listeners(one)]
    own = {at for name, at in held if name == after.name}
    return any(overlap(new, at) for new in listeners(after) if new not in own for _, at in held)


@given(NODES, NODES)
def test_a_plan_cut_anywhere_leaves_serving_what_ought_to_serve(drawn_before: Drawn, drawn_after: Drawn) -> None:
    before, after = sound(drawn_before), sound(drawn_after)
    there, goal = world(before, after), wanted(*after)
    steps = plan(there.running(), goal).steps
    for step in (None, *steps):
        if step is not None:
            there.carry_out(step)
        for old in before:
            new = next((one for one in after if one.name == old.name), None)
            if new is None:
                continue
            for name in old.services.keys() & new.services.keys():
                stays = set(old.services[name].listen) & set(new.services[name].listen)
                if stays or not blocked(before, new):
                    assert there.serves(old.name, name), (step, old, new)
    assert there.is_as(goal)


@given(NODES, NODES, st.integers(0, 12))
def test_a_plan_made_after_a_cut_still_arrives(drawn_before: Drawn, drawn_after: Drawn, cut: int) -> None:
    before, after = sound(drawn_before), sound(drawn_after)
    there, goal = world(before, after), wanted(*after)
    for step in plan(there.running(), goal).steps[:cut]:
        there.carry_out(step)
    for step in plan(there.running(), goal).steps:
        there.carry_out(step)
    assert there.is_as(goal)
    assert plan(there.running(), goal).steps == ()


@given(NODES, NODES)
def test_no_application_is_touched_by_a_change_to_another(drawn_before: Drawn, drawn_after: Drawn) -> None:
    before, after = sound(drawn_before), sound(drawn_after)
    same = {one.name for one in after if one in before}
    held = [at for one in before if one.name in same for at in listeners(one)]
    assert not [step for step in plan(world(before, after).running(), wanted(*after)).steps if step.application in same], held


def test_applications_that_both_want_an_address_are_told_to_bind_it_and_the_node_refuses() -> None:
    """The reader refuses such a document; a plan hides it no less."""
    steps = plan({}, wanted(PACS, replace(PACS, name="other"))).steps
    assert [(step.kind, step.application) for step in steps] == [("start-application", "pacs"), ("start-application", "other")]
