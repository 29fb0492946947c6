"""apply, undo, confirm, resume: what is served is a revision, whole, or what was served before."""

from __future__ import annotations

import pytest

from gurney.control.decide import decide
from gurney.control.draft import read
from gurney.errors import DocumentRefused, EngineRefused, InputRefused, NotFound, NotRunning
from tests.control.world import BAD, SECOND, World, document


def test_a_first_apply_starts_every_application(world: World) -> None:
    outcome = world.apply(document(further=SECOND))
    assert outcome["revision"] == 1 and outcome["changed"] is True
    assert set(world.keeper.routes) == {"pacs", "second"}
    assert world.watch.waiting() == []


def test_an_apply_that_changes_nothing_does_nothing(world: World) -> None:
    world.apply(document())
    asked, loads = list(world.keeper.asked), world.keeper.routes["pacs"].loads
    outcome = world.apply(document())
    assert (outcome["changed"], outcome["revision"], outcome["steps"]) == (False, 1, [])
    assert world.keeper.asked == asked and world.keeper.routes["pacs"].loads == loads
    assert len(world.control.revisions()) == 1


def test_a_comment_is_a_revision_but_touches_no_engine(world: World) -> None:
    world.apply(document())
    asked, loads = list(world.keeper.asked), world.keeper.routes["pacs"].loads
    outcome = world.apply(document() + "# a comment\n")
    assert (outcome["revision"], outcome["steps"]) == (2, [])
    assert world.keeper.asked == asked and world.keeper.routes["pacs"].loads == loads


def test_a_change_to_one_application_touches_no_process_of_another(world: World) -> None:
    world.apply(document(further=SECOND))
    loads = world.keeper.routes["second"].loads
    world.apply(document(weight=7, further=SECOND))
    assert world.served_weight() == 7
    assert world.keeper.routes["second"].loads == loads
    assert [name for _, name in world.keeper.asked].count("second") == 1


def test_a_faulty_document_changes_nothing_and_names_every_fault(world: World) -> None:
    world.apply(document())
    with pytest.raises(DocumentRefused) as caught:
        world.apply(BAD)
    assert caught.value.faults and caught.value.exit_status == 2
    assert world.served_weight() == 100
    assert [one["revision"] for one in world.control.revisions()] == [1]


def test_an_impossible_document_leaves_all_applications_as_they_were(world: World) -> None:
    world.apply(document(further=SECOND))
    world.keeper.taken.add(11113)
    with pytest.raises(EngineRefused, match=r"^gurney.yaml:6:\d+: pacs: cannot listen on \*:11113: Address already in use"):
        world.apply(document(weight=3, listen="11112, 11113", further=SECOND.replace("B1", "B2")))
    assert world.served_weight() == 100
    assert world.keeper.listeners["pacs"] == ("*:11112",)
    assert "ApplyFailed" in world.codes()
    assert [one["failed"] is not None for one in world.control.revisions()] == [True, False]
    assert world.control.revision is not None and world.control.revision.n == 1
    assert world.watch.waiting() == []
    world.keeper.taken.clear()
    assert world.apply(document(weight=3))["revision"] == 3
    assert "ApplyFailed" not in world.codes()


def test_a_second_application_that_refuses_takes_the_first_back_with_it(world: World) -> None:
    world.apply(document(further=SECOND))
    with pytest.raises(EngineRefused):
        world.keeper.routes["second"].lie = True
        world.apply(document(weight=5, further=SECOND.replace("B1", "B2")))
    assert world.served_weight() == 100
    world.keeper.routes["second"].lie = False
    world.watch.tick()
    assert world.watch.waiting() == []


def test_a_removed_application_is_stopped(world: World) -> None:
    world.apply(document(further=SECOND))
    world.apply(document())
    assert set(world.keeper.routes) == {"pacs"}
    assert "second" not in world.watch.status()["applications"]


def test_an_address_may_move_from_one_application_to_another(world: World) -> None:
    world.apply(document(further=SECOND))
    world.apply(document(listen="11200", further=SECOND.replace("11200", "11112")))
    assert world.keeper.listeners == {"pacs": ("*:11200",), "second": ("*:11112",)}


def test_undo_walks_back_revision_by_revision(world: World) -> None:
    for weight in (1, 2, 3):
        world.apply(document(weight=weight))
    assert world.control.undo(who="me")["revision"] == 4
    assert world.served_weight() == 2
    world.control.undo(who="me")
    assert world.served_weight() == 1
    with pytest.raises(InputRefused, match="no revision before"):
        world.control.undo(who="me")
    assert [one["revision"] for one in world.control.revisions()] == [5, 4, 3, 2, 1]


def test_what_is_not_confirmed_in_time_is_undone(world: World) -> None:
    world.apply(document())
    world.apply(document(weight=9), confirm=600.0)
    assert world.served_weight() == 9 and "ConfirmPending" in world.codes()
    world.now += 599
    world.watch.tick()
    assert world.served_weight() == 9
    world.now += 2
    world.watch.tick()
    assert world.served_weight() == 100 and "ConfirmPending" not in world.codes()
    assert world.control.revisions()[0]["who"] == "gurney"


def test_confirmed_stays(world: World) -> None:
    world.apply(document())
    world.apply(document(weight=9), confirm=600.0)
    world.control.confirm(who="me")
    world.now += 601
    world.watch.tick()
    assert world.served_weight() == 9 and "ConfirmPending" not in world.codes()
    with pytest.raises(InputRefused):
        world.control.confirm(who="me")


def test_the_same_document_again_confirms_it_or_with_confirm_waits_anew(world: World) -> None:
    world.apply(document())
    world.apply(document(weight=9), confirm=600.0)
    world.now += 500
    world.apply(document(weight=9), confirm=600.0)
    world.now += 500
    world.watch.tick()
    assert world.served_weight() == 9 and "ConfirmPending" in world.codes()
    world.apply(document(weight=9))
    world.now += 5000
    world.watch.tick()
    assert world.served_weight() == 9 and "ConfirmPending" not in world.codes()


def test_two_unconfirmed_ones_go_back_to_the_last_that_was(world: World) -> None:
    world.apply(document())
    world.apply(document(weight=8), confirm=600.0)
    world.apply(document(weight=9), confirm=600.0)
    world.now += 601
    world.watch.tick()
    assert world.served_weight() == 100


def test_an_unconfirmed_one_is_undone_by_the_next_control_process_too(world: World) -> None:
    world.apply(document())
    world.apply(document(weight=9), confirm=600.0)
    world.now += 5000
    world.again()
    world.control.resume()
    world.watch.tick()
    assert world.served_weight() == 100


def test_resuming_adopts_what_serves_the_same_generation(world: World) -> None:
    world.apply(document(further=SECOND))
    asked, loads = list(world.keeper.asked), {name: route.loads for name, route in world.keeper.routes.items()}
    world.again()
    world.control.resume()
    assert world.keeper.asked == asked
    assert {name: route.loads for name, route in world.keeper.routes.items()} == loads
    assert world.watch.waiting() == []


def test_resuming_with_nothing_running_starts_the_newest(world: World) -> None:
    world.apply(document(weight=4))
    world.keeper.close()
    world.keeper.listeners.clear()
    world.again()
    world.control.resume()
    assert world.served_weight() == 4


def test_resuming_leaves_no_application_dead_for_another(world: World) -> None:
    world.apply(document(further=SECOND))
    world.keeper.close()
    world.keeper.listeners.clear()
    world.keeper.taken.add(11112)
    world.again()
    world.control.resume()
    assert set(world.keeper.routes) == {"second"}
    assert "ApplyFailed" in world.codes() and world.watch.waiting()
    world.keeper.taken.clear()
    for _ in range(5):
        world.watch.tick()
    assert set(world.keeper.routes) == {"pacs", "second"} and world.watch.waiting() == []


def test_nothing_to_resume_is_said(world: World) -> None:
    with pytest.raises(InputRefused, match="no revision"):
        world.control.resume()
    with pytest.raises(NotRunning):
        world.control.explain("pacs", "store", {})


def test_what_serves_something_unknown_is_loaded_again(world: World) -> None:
    world.apply(document())
    route = world.keeper.routes["pacs"]
    route.generation = "f" * 64
    world.again()
    world.control.resume()
    assert world.keeper.routes["pacs"] is route and world.watch.waiting() == []


def test_plan_changes_nothing(world: World) -> None:
    world.apply(document())
    plan = world.control.plan(document(weight=5, further=SECOND), "gurney.yaml")
    assert [step["kind"] for step in plan["steps"]] == ["start-application", "load"]
    assert world.served_weight() == 100 and set(world.keeper.routes) == {"pacs"}
    assert len(world.control.revisions()) == 1


def test_explain_is_the_running_engines_answer(world: World) -> None:
    world.apply(document())
    assert world.control.explain("pacs", "store", {"modality": "MG"})["facts"] == {"modality": "MG"}
    with pytest.raises(NotFound):
        world.control.explain("pacs", "stroe", {})


def test_a_document_of_nodes_needs_to_know_which_one_this_is(world: World) -> None:
    sites = "\nsites:\n  here: {jurisdiction: GB, nodes: {lb1: 10.0.0.2, lb2: 10.0.0.3}}\n"
    with pytest.raises(InputRefused, match="2 nodes"):
        world.apply(document() + sites)
    world.control.hostname = "lb2.example.org"
    world.apply(document() + sites)
    assert world.control.node == "lb2"


def test_a_revision_whose_apply_was_cut_short_is_taken_whole_or_the_one_before_it_stands(world: World) -> None:
    world.apply(document(further=SECOND))
    world.memory.revisions.add(
        text=document(weight=2, further=SECOND.replace("11200", "11201")), file="g", now=world.now, who="me", before=1
    )
    world.keeper.taken.add(11201)
    world.again()
    world.control.resume()
    assert world.control.revision is not None and world.control.revision.n == 1
    assert world.served_weight() == 100 and world.watch.waiting() == []
    assert "ApplyFailed" in world.codes() and world.control.revisions()[0]["failed"]
    world.memory.revisions.add(text=document(weight=3, further=SECOND), file="g", now=world.now, who="me", before=1)
    world.again()
    world.control.resume()
    assert world.served_weight() == 3 and world.control.revisions()[0]["served"]


def test_without_the_confirmation_a_refused_generation_would_be_shown_as_served(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row A4's broken control: the same change with the confirmation taken out."""
    world.apply(document())
    route = world.control.engines["route"]
    new = route.generation(decide(read(document(weight=2), "g"), (), {}).wanted["pacs", "route"])
    world.keeper.routes["pacs"].refuse.add(new)
    with pytest.raises(EngineRefused):
        world.apply(document(weight=2))
    assert world.watch.waiting() == []
    monkeypatch.setattr(route, "_confirm", lambda application, content: None)
    world.apply(document(weight=2))
    shown = world.control.engines["route"].generation(world.control.serving["pacs", "route"])
    assert shown == new != world.keeper.routes["pacs"].generation


def test_changes_are_written_down_without_their_documents(world: World) -> None:
    world.apply(document())
    world.control.override("pacs/archive/archive-1", "drain", who="me", why="disk")
    world.keeper.taken.add(11113)
    with pytest.raises(EngineRefused):
        world.apply(document(listen="11113"))
    assert [(line["revision"], line["steps"]) for line in world.events("control.applied")] == [(1, 1), (1, 1)]
    assert [line["object"] for line in world.events("control.override")] == ["pacs/archive/archive-1"]
    assert [line["revision"] for line in world.events("control.refused")] == [2]
    assert "ApplyFailed" in [line["code"] for line in world.events("condition.raised")]
    assert "A1@10.0.0.1" not in world.folder.control_log.read_text()
