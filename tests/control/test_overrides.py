"""Overrides are wanted state: over applies, over restarts, until their time is over."""

from __future__ import annotations

import pytest

from gurney.errors import EngineRefused, InputRefused, NotFound
from tests.control.world import World, document


def test_a_drain_is_served_and_shown_in_the_three_words(world: World) -> None:
    world.apply(document())
    world.control.override("pacs/archive/archive-1", "drain", who="me", why="disk")
    member = world.member()
    assert (member["configured"], member["override"], member["operational"]) == ("enabled", "drain", "up")
    assert member["override_why"] == "disk"
    table = world.keeper.routes["pacs"].table
    assert table is not None and table.pools["archive"].members["archive-1"].override == "drain"
    assert world.member("archive-2")["override"] is None


def test_globs_name_many_and_nobody_is_an_error(world: World) -> None:
    world.apply(document())
    assert world.control.override("pacs/*/archive-*", "disable", who="me")["objects"] == [
        "pacs/archive/archive-1",
        "pacs/archive/archive-2",
    ]
    with pytest.raises(NotFound):
        world.control.override("pacs/archive/nobody", "drain", who="me")
    with pytest.raises(InputRefused):
        world.control.override("archive-1", "drain", who="me")
    with pytest.raises(InputRefused):
        world.control.override("pacs/archive/archive-1", "drained", who="me")


def test_it_survives_an_apply_and_a_restart(world: World) -> None:
    world.apply(document())
    world.control.override("pacs/archive/archive-1", "weight=3", who="me")
    world.apply(document(weight=50))
    assert world.member()["override"] == "weight=3" and world.served_weight() == 3
    world.again()
    world.control.resume()
    assert world.member()["override"] == "weight=3" and world.served_weight() == 3


def test_enable_takes_it_off(world: World) -> None:
    world.apply(document())
    world.control.override("pacs/*/*", "drain", who="me")
    assert world.control.lift("pacs/archive/archive-2")["lifted"] == ["pacs/archive/archive-2"]
    assert world.member("archive-2")["override"] is None and world.member()["override"] == "drain"
    assert world.control.lift("pacs/archive/archive-2")["lifted"] == []


def test_its_time_ends_it(world: World) -> None:
    world.apply(document())
    world.control.override("pacs/archive/archive-1", "drain", who="me", seconds=1800.0)
    assert world.member()["override_until"] is not None
    world.now += 1801
    world.watch.tick()
    assert world.member()["override"] is None
    assert world.memory.overrides.all() == ()


def test_one_without_its_member_is_a_condition_until_forgotten(world: World) -> None:
    world.apply(document())
    world.control.override("pacs/archive/archive-2", "drain", who="me")
    world.apply(document().replace("          archive-2: A2@10.0.0.2:104\n", ""))
    assert "OverrideUnused" in world.codes()
    world.control.lift("pacs/archive/archive-2")
    assert "OverrideUnused" not in world.codes()


def test_one_that_no_engine_takes_is_forgotten_again(world: World) -> None:
    world.apply(document())
    world.keeper.routes["pacs"].lie = True
    with pytest.raises(EngineRefused):
        world.control.override("pacs/archive/archive-1", "drain", who="me")
    world.keeper.routes["pacs"].lie = False
    assert world.memory.overrides.all() == () and world.member()["override"] is None
