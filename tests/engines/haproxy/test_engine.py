"""HAProxy as an engine, with the real program under a real guard: what is confirmed serves, what is refused changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gurney.compile.haproxy.bundle import dump
from gurney.errors import EngineRefused
from tests.engines.haproxy.house import APPLICATION, House, Member, by_hand, free_port, get

pytestmark = pytest.mark.live
Make = Callable[[str], Member]


def test_a_start_serves_and_names_its_generation(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    content = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, content, ())
    assert get(port) == "one"
    assert house.engine.published(APPLICATION) == content
    assert house.engine.observe(APPLICATION).generation == house.engine.generation(content)
    assert [process["name"] for process in house.guard.list()] == ["web.haproxy"]


def test_a_listener_comes_and_goes_by_a_reload_and_the_master_stays(house: House, member: Make) -> None:
    first, second, one = free_port(), free_port(), member("one")
    house.engine.start(APPLICATION, dump(by_hand([first], {"one": one.port})), ())
    before = house.workers()
    content = dump(by_hand([second], {"one": one.port}))
    house.engine.load(APPLICATION, content)
    after = house.workers()
    assert before.master == after.master and before.current != after.current
    assert get(second) == "one"
    with pytest.raises(ConnectionRefusedError):
        get(first)
    assert house.engine.observe(APPLICATION).generation == house.engine.generation(content)
    assert not (house.folder / "run" / "server-state").exists()


def test_a_weight_changes_without_a_new_worker(house: House, member: Make) -> None:
    port, one, two = free_port(), member("one"), member("two")
    house.engine.start(APPLICATION, dump(by_hand([port], {"one": one.port, "two": two.port})), ())
    before = house.workers()
    content = dump(by_hand([port], {"one": one.port, "two": two.port}, weights={"one": 0}))
    house.engine.load(APPLICATION, content)
    assert house.workers().current == before.current or house.workers().current.pid == before.current.pid
    assert {get(port) for _ in range(6)} == {"two"}
    assert house.engine.observe(APPLICATION).generation == house.engine.generation(content)


def test_what_haproxy_refuses_changes_nothing_and_is_kept_beside_its_words(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    good = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, good, ())
    before = house.workers()
    bad = dump(by_hand([port], {"one": one.port}, more="http-request set-var(nothing) int(1)"))
    with pytest.raises(
        EngineRefused, match=r"web: HAProxy refuses what was compiled: .*applications\.web\.services\.site\.rules"
    ) as caught:
        house.engine.load(APPLICATION, bad)
    assert caught.value.path == "applications.web.services.site.rules"
    assert caught.value.hint is not None and "defect in Gurney" in caught.value.hint
    kept = house.folder / "refused" / house.engine.generation(bad)
    assert (kept / "bundle.json").read_bytes() == bad and "set-var" in (kept / "diagnostics.txt").read_text()
    assert house.workers().pids() == before.pids() and get(port) == "one"
    assert house.engine.published(APPLICATION) == good
    assert house.engine.observe(APPLICATION).generation == house.engine.generation(good)
