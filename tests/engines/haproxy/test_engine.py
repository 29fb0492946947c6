"""HAProxy as an engine, with the real program under a real guard: what is confirmed serves, what is refused changes nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gurney.compile.haproxy.bundle import dump
from gurney.disk.faults import Faults
from gurney.engines.haproxy.engine import Haproxy
from gurney.engines.haproxy.master import Master
from gurney.errors import EngineRefused, NotRunning
from tests.engines.haproxy.house import APPLICATION, House, Member, by_hand, get, wait
from tests.ports import free_port

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
    bad = dump(by_hand([port], {"one": one.port}, more="http-request return status 99"))
    with pytest.raises(
        EngineRefused, match=r"web: HAProxy refuses what was compiled: .*applications\.web\.services\.site\.rules"
    ) as caught:
        house.engine.load(APPLICATION, bad)
    assert caught.value.path == "applications.web.services.site.rules"
    assert caught.value.hint is not None and "defect in Gurney" in caught.value.hint
    kept = house.folder / "refused" / house.engine.generation(bad)
    assert (kept / "bundle.json").read_bytes() == bad and "status" in (kept / "diagnostics.txt").read_text()
    assert not (house.folder / house.engine.generation(bad)).exists()
    assert house.workers().pids() == before.pids() and get(port) == "one"
    assert house.engine.published(APPLICATION) == good
    assert house.engine.observe(APPLICATION).generation == house.engine.generation(good)


class Meddling(Faults):
    """Faults of a process beside which somebody else publishes: at `config.renamed` another bundle takes `current`."""

    def __init__(self, meddle: Callable[[], None]) -> None:
        super().__init__()
        self.meddle = meddle

    def hit(self, point: str) -> int | None:
        if point == "config.renamed":
            self.meddle()
        return super().hit(point)


def meddled(house: House, one: Member, **options: Any) -> tuple[int, bytes]:
    """A change beside which another bundle is published; gives the port and the bundle that served before."""
    port = free_port()
    good, other, wanted = (dump(by_hand([port], {"one": one.port}, timeout=timeout)) for timeout in ("60s", "61s", "62s"))
    house.engine.start(APPLICATION, good, ())
    house.engine.load(APPLICATION, other)
    house.engine.load(APPLICATION, good)

    def meddle() -> None:
        (house.folder / "current").unlink()
        (house.folder / "current").symlink_to(house.engine.generation(other))

    Haproxy(house.ground(Meddling(meddle)), **options).load(APPLICATION, wanted)
    return port, good


def test_a_shape_that_is_not_the_one_published_is_not_believed(house: House, member: Make) -> None:
    with pytest.raises(EngineRefused, match=r"web: HAProxy serves shape [0-9a-f]{12} after the change to [0-9a-f]{12}"):
        meddled(house, member("one"))
    engine = house.another()
    good = engine.published(APPLICATION)
    assert good is not None and b"timeout client 60s" in good
    assert engine.observe(APPLICATION).generation == engine.generation(good)


@pytest.mark.chaos
def test_control_a4_without_the_confirmation_the_wrong_one_is_taken_for_served(house: House, member: Make) -> None:
    meddled(house, member("one"), confirms=False)
    engine = house.another()
    assert "timeout client 61s" in (house.folder / "current" / "haproxy.cfg").read_text()
    assert engine.observe(APPLICATION).generation != engine.generation(engine.published(APPLICATION) or b"")


def test_a_worker_that_dies_takes_the_master_along_and_the_guard_starts_the_next(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    content = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, content, ())
    before = house.workers()
    assert before.current is not None
    os.kill(before.current.pid, signal.SIGKILL)

    def again() -> bool:
        try:
            return house.workers().master != before.master and get(port) == "one"
        except (NotRunning, OSError):
            return False

    wait(again, "the next HAProxy")
    assert house.another().observe(APPLICATION).generation == house.engine.generation(content)


def test_a_stop_ends_what_is_in_hand_first_and_lets_go_of_the_port(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    house.engine.start(APPLICATION, dump(by_hand([port], {"one": one.port})), ())
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(get(port, "/slow")))
    asking.start()
    wait(lambda: Master(house.folder).worker("show info").count("CurrConns: 1"), "the request")
    stopping = threading.Thread(target=lambda: house.engine.stop(APPLICATION, 10.0))
    stopping.start()
    wait(lambda: refuses(port), "the closed port")
    one.let_go.set()
    asking.join(10)
    stopping.join(20)
    assert answers == ["one"] and house.guard.list() == []
    assert house.engine.published(APPLICATION) is None


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return True
    return False


def test_another_program_on_the_machine_is_no_reason_to_end_what_runs(house: House, member: Make, tmp_path: Path) -> None:
    port, one = free_port(), member("one")
    content = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, content, ())
    before = house.workers()
    shutil.copytree(house.engine.binary().path.parent, tmp_path / "newer")
    engine = house.another()
    engine._binary = replace(engine.binary(), path=tmp_path / "newer" / "haproxy")
    engine.keep(APPLICATION, content)
    engine.back(APPLICATION, content)
    assert house.workers().pids() == before.pids()
    engine.stop(APPLICATION, 5.0)
    engine.start(APPLICATION, content, ())
    assert house.guard.list()[0]["argv"][0] == str(tmp_path / "newer" / "haproxy")


def test_a_worker_that_hangs_is_said_not_to_answer(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    content = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, content, ())
    current = house.workers().current
    assert current is not None
    os.kill(current.pid, signal.SIGSTOP)
    try:
        seen = house.engine.observe(APPLICATION)
    finally:
        os.kill(current.pid, signal.SIGCONT)
    assert (seen.running, seen.generation) == (False, None) and "does not answer" in seen.why
    assert house.engine.observe(APPLICATION).generation == house.engine.generation(content)
