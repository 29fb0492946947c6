"""A change that is cut off by SIGKILL at any line, and what the next control process makes of it; HAProxy and its guard that die."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from gurney.compile.haproxy.bundle import dump
from gurney.errors import NotRunning
from tests.engines.haproxy.house import APPLICATION, Asking, House, Member, by_hand, crash, get, wait
from tests.ports import free_port

pytestmark = pytest.mark.live
Make = Callable[[str], Member]
POINTS = ("config.rendered", "config.validated", "config.renamed", "config.reloaded", "config.confirmed")


def mend(house: House, wanted: bytes) -> None:
    """What a control process does after its start: look, and where something else serves, load."""
    engine = house.another()
    if engine.observe(APPLICATION).generation != engine.generation(wanted):
        engine.load(APPLICATION, wanted)
    assert engine.observe(APPLICATION).generation == engine.generation(wanted)
    assert engine.published(APPLICATION) == wanted


@pytest.mark.parametrize("first", [True, False], ids=["onwards-first", "back-first"])
@pytest.mark.parametrize("what", ["listener", "weight", "option"])
def test_a_change_cut_off_at_each_point_is_mended_either_way(house: House, member: Make, what: str, first: bool) -> None:
    stays, one, two = free_port(), member("one"), member("two")
    members = {"one": one.port, "two": two.port}
    old = dump(by_hand([stays], members))
    house.engine.start(APPLICATION, old, ())
    asking = Asking(stays)
    points = (*POINTS, "runtime.said") if what == "weight" else POINTS
    for number, point in enumerate(points):
        onwards, more = (number % 2 == 0) == first, free_port()
        if what == "listener":
            new = dump(by_hand([stays, more], members))
        elif what == "weight":
            new = dump(by_hand([stays], members, weights={"one": 10 + number}))
        else:
            new = dump(by_hand([stays], members, options=f"maxconn {50 + number}"))
        crash(house, new, point)
        old = new if onwards else old
        mend(house, old)
        if what == "listener" and onwards:
            assert get(more) in members
        elif what == "listener":
            with pytest.raises(ConnectionRefusedError):
                get(more)
    asking.stop()
    assert not asking.failed and asking.count > 100
    print(f"A4-crash-{what} kills={len(points)} requests={asking.count} failed=0")


@pytest.mark.parametrize("point", POINTS)
def test_a_first_start_cut_off_is_mended(house: House, member: Make, point: str) -> None:
    port, one = free_port(), member("one")
    content = dump(by_hand([port], {"one": one.port}))
    crash(house, content, point, "start")
    engine = house.another()
    if engine.observe(APPLICATION).generation != engine.generation(content):
        engine.start(APPLICATION, content, ())
    assert engine.observe(APPLICATION).generation == engine.generation(content)
    assert get(port) == "one"


def test_a_killed_master_is_started_again_and_serves_what_was_published(house: House, member: Make) -> None:
    port, one, two = free_port(), member("one"), member("two")
    house.engine.start(APPLICATION, dump(by_hand([port], {"one": one.port})), ())
    content = dump(by_hand([port], {"two": two.port}))
    house.engine.load(APPLICATION, content)
    before = house.workers()
    house.kill_master()

    def serves() -> bool:
        try:
            return house.workers().master != before.master and get(port) == "two"
        except (NotRunning, OSError):
            return False

    wait(serves, "the next HAProxy")
    assert house.another().observe(APPLICATION).generation == house.engine.generation(content)


def test_a_dead_guard_leaves_haproxy_alone_and_the_next_one_adopts_it(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    content = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, content, ())
    before, asking = house.workers(), Asking(port)
    os.kill(house.guard.pid(), signal.SIGKILL)
    wait(lambda: not alive(house), "the guard's end")
    house.open()
    house.another().keep(APPLICATION, content)
    asking.stop()
    after = house.workers()
    assert (before.master, before.current and before.current.pid) == (after.master, after.current and after.current.pid)
    assert [process["adopted"] for process in house.guard.list()] == [True]
    assert not asking.failed


def alive(house: House) -> bool:
    try:
        house.guard.list()
    except NotRunning:
        return False
    return True
