"""Reloads: old workers counted and named, waited for, refused when there are too many; health carried over, nothing else."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from gurney.compile.haproxy.bundle import dump
from gurney.config.limits import OLD_WORKERS, OLD_WORKERS_MOST
from gurney.engines.haproxy.engine import Haproxy
from gurney.engines.haproxy.master import Master
from gurney.engines.haproxy.reload import teaches
from gurney.errors import EngineRefused
from tests.engines.haproxy.house import APPLICATION, Asking, House, Member, by_hand, get, wait
from tests.ports import free_port

pytestmark = pytest.mark.live
Make = Callable[[str], Member]


class Changes:
    """One change after another that needs a reload, and before each a request that its worker cannot end."""

    def __init__(self, house: House, engine: Haproxy, one: Member) -> None:
        self.port, self._house, self._engine, self._one = free_port(), house, engine, one
        self.held: list[socket.socket] = []
        self._engine.start(APPLICATION, self.content(0), ())

    def content(self, turn: int) -> bytes:
        return dump(by_hand([self.port], {"one": self._one.port}, timeout=f"{60 + turn}s"))

    def hold(self) -> None:
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        current = self._house.workers().current
        assert current is not None
        wait(lambda: Master(self._house.folder).sessions(current.pid), "the session")
        self.held.append(sock)

    def change(self, turn: int) -> None:
        self._engine.load(APPLICATION, self.content(turn))

    def close(self) -> None:
        for sock in self.held:
            sock.close()


@pytest.fixture
def changes(house: House, member: Make) -> Iterator[Changes]:
    one = Changes(house, Haproxy(house.ground(), patience=0.3), member("one"))
    yield one
    one.close()


def test_old_workers_are_counted_and_the_apply_names_what_holds_them(house: House, changes: Changes) -> None:
    for turn in range(1, 4):
        changes.hold()
        changes.change(turn)
    master, workers = Master(house.folder), house.workers()
    assert [master.connections(one.pid) for one in workers.old] == [1, 1, 1]
    assert [len(master.sessions(one.pid)) for one in workers.old] == [1, 1, 1]
    last = house.said[-1]
    assert last.startswith("web: a new worker serves; ")
    for one in workers.old:
        assert f"old worker {one.pid} (since " in last
    assert last.count(f"holds 1 session: 127.0.0.1 on listener 127.0.0.1:{changes.port} to pool portal") == 3
    assert get(changes.port) == "one"
    print(f"reload-old workers={len(workers.old)} sessions=3")


def test_with_four_old_workers_the_next_reload_waits_and_says_who_holds_them_and_with_eight_it_is_refused(
    house: House, changes: Changes
) -> None:
    for turn in range(1, OLD_WORKERS_MOST + 1):
        changes.hold()
        said = len(house.said)
        changes.change(turn)
        waited = any("waiting for old workers to end: old worker " in text for text in house.said[said:])
        assert waited == (turn > OLD_WORKERS)
    before = house.workers()
    assert len(before.old) == OLD_WORKERS_MOST
    with pytest.raises(EngineRefused, match=rf"{OLD_WORKERS_MOST} old workers still hold sessions: old worker \d+ .* to pool portal"):
        changes.change(99)
    assert house.workers().pids() == before.pids() and get(changes.port) == "one"
    assert house.engine.published(APPLICATION) == changes.content(OLD_WORKERS_MOST)
    changes.close()
    wait(lambda: not house.workers().old, "the end of the old workers")
    changes.change(99)
    assert house.engine.observe(APPLICATION).generation == house.engine.generation(changes.content(99))


def test_reloads_one_a_second_lose_no_request(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    members = {"one": one.port}
    house.engine.start(APPLICATION, dump(by_hand([port], members)), ())
    asking = [Asking(port) for _ in range(4)]
    for turn in range(1, 6):
        house.engine.load(APPLICATION, dump(by_hand([port], members, timeout=f"{60 + turn}s")))
    for some in asking:
        some.stop()
    failed = [failure for some in asking for failure in some.failed]
    assert not failed
    print(f"A1-engine reloads=5 requests={sum(some.count for some in asking)} errors=0")


def test_health_is_carried_over_a_reload_and_only_health(house: House, member: Make) -> None:
    port, one, dead = free_port(), member("one"), free_port()
    members = {"one": one.port, "two": dead}
    check = "check inter 100ms rise 2 fall 1"
    house.engine.start(APPLICATION, dump(by_hand([port], members, options=check)), ())
    master = Master(house.folder)

    def down() -> bool:
        return "s_two 127.0.0.1 0 " in master.worker("show servers state")

    wait(down, "the dead member's first check")
    # weights that only the run-time socket knows, and a port that changes, must not come back by way of the state file
    house.engine.load(APPLICATION, dump(by_hand([port], members, options=check, weights={"one": 7})))
    house.engine.load(APPLICATION, dump(by_hand([port], members, options="check inter 60s rise 2 fall 1", timeout="61s")))
    rows = {row.split()[3]: row.split() for row in master.worker("show servers state").splitlines()[2:]}
    assert rows["s_two"][5] == "0"  # still down, though the next check is a minute away
    assert rows["s_one"][7] == "100"
    moved = member("moved")
    house.engine.load(
        APPLICATION, dump(by_hand([port], {"one": moved.port, "two": dead}, options="check inter 60s rise 2 fall 1", timeout="62s"))
    )
    assert get(port) == "moved"
    assert not (house.folder / "run" / "server-state").exists()


LINE = (  # as 2.8.25 wrote it
    "0x266c5a90: [10/Jan/2027:14:27:56] id=local disabled=0 flags={} resync_timeout=4s task_calls=4\n"
    "  0x9: id=local(local,inactive)\n        flags=0x0\n"
)


@pytest.mark.parametrize(
    ("shown", "may"),
    [("", True), (LINE.format("0x11"), False), (LINE.format("0x0"), False), (LINE.format("0x33"), True), (LINE.format("0x1103"), True)],
)
def test_a_worker_hands_its_tables_on_only_when_it_has_done_with_learning(shown: str, may: bool) -> None:
    assert teaches(shown) is may
