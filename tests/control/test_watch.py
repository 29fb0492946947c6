"""What control does by itself: the next guard, engines that serve something else, conditions that come and go."""

from __future__ import annotations

from tests.control.world import World, document


def test_a_guard_that_is_gone_is_followed_by_the_next_and_told_everything(world: World) -> None:
    world.apply(document())
    loads = world.keeper.routes["pacs"].loads
    world.keeper.gone = True
    world.watch.tick()
    assert world.guards == 1
    assert world.keeper.asked[-1] == ("run", "pacs") and world.keeper.routes["pacs"].loads == loads
    assert "GuardRestarted" in world.codes()
    world.now += 16 * 60
    world.watch.tick()
    assert "GuardRestarted" not in world.codes()


def test_no_guard_is_started_once_everything_is_going_down(world: World) -> None:
    world.apply(document())
    world.keeper.gone = True
    world.watch.ended = True
    world.watch.tick()
    assert world.guards == 0


def test_a_restarted_engine_is_a_condition_for_a_while(world: World) -> None:
    world.apply(document())
    world.watch.tick()
    world.keeper.restarts["pacs"] = 1
    world.watch.tick()
    assert "EngineRestarted" in world.codes()
    world.now += 16 * 60
    world.watch.tick()
    assert "EngineRestarted" not in world.codes()


def test_an_engine_that_serves_something_else_gets_it_again(world: World) -> None:
    world.apply(document(weight=6))
    world.keeper.routes["pacs"].generation = "e" * 64
    for _ in range(5):
        world.watch.tick()
    assert world.watch.waiting() == []


def test_what_was_seen_before_an_apply_is_no_difference_after_it(world: World) -> None:
    """A look that began before a change and ends after it must not have what was just loaded loaded again."""
    world.apply(document())
    stale = world.watch.look()
    world.apply(document(weight=5))
    world.control.observed = stale
    loads = world.keeper.routes["pacs"].loads
    world.watch._differences()
    assert world.keeper.routes["pacs"].loads == loads


def test_members_and_pools_that_are_down_are_conditions_with_a_reason(world: World) -> None:
    world.apply(document())
    route = world.keeper.routes["pacs"]
    route.down["archive/archive-1"] = "refused"
    [condition] = [one for one in world.watch.status()["conditions"] if one["code"] == "MemberDown"]
    assert condition["object"] == "pacs/archive/archive-1" and condition["reason"] == "refused"
    assert condition["since"].endswith("Z")
    assert world.member()["operational"] == "down"
    route.down["archive/archive-2"] = "answer-timeout"
    assert "PoolDown" in world.codes()
    route.down.clear()
    assert world.codes() == []


def test_since_does_not_move_while_a_condition_holds(world: World) -> None:
    world.apply(document().replace("accept_from: [10.0.0.0/8]", "echo: local"))
    [first] = world.watch.status()["conditions"]
    world.now += 3600
    world.watch.tick()
    assert world.watch.status()["conditions"] == [first]
    assert (first["code"], first["object"]) == ("AcceptsEveryone", "pacs/store")


def test_an_engine_that_does_not_answer_is_said_and_its_members_are_down(world: World) -> None:
    world.apply(document())
    world.keeper.routes["pacs"].close()
    assert "EngineSilent" in world.codes()
    assert world.member()["operational"] == "down"
    assert world.watch.waiting()
    del world.keeper.routes["pacs"]


def test_ready_waits_for_the_first_checks(world: World) -> None:
    world.apply(document())
    world.keeper.routes["pacs"].checked = False
    assert world.watch.waiting() == ["pacs: first checks of route are running"]
