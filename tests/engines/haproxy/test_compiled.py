"""What the compiler makes, carried by the engine: clients that stay with their member over reloads, members added without a new worker."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gurney.compile import haproxy
from gurney.compile.target import Ground, Machine
from gurney.config.reader import read
from gurney.engines.haproxy.master import Master
from tests.engines.haproxy.house import APPLICATION, Asking, House, Member, get, wait
from tests.ports import free_port

pytestmark = pytest.mark.live
Make = Callable[[str], Member]
UID = 60706  # what state/users.py gives to the first application


def compiled(service: str, pool: str, uid: int | None = None) -> bytes:
    text = f"gurney: 1\napplications:\n  {APPLICATION}:\n    services: {{site: {service}}}\n    pools: {{portal: {pool}}}\n"
    reading = read(text, "gurney.yaml")
    assert reading.document is not None, reading.faults
    content = haproxy.TARGET.compile(reading.document, APPLICATION, Ground(Machine(uid=uid)))
    assert content is not None
    return content


def members(*some: Member) -> str:
    return "{" + ", ".join(f"{one.name}: {{address: '127.0.0.1:{one.port}'}}" for one in some) + "}"


@pytest.mark.parametrize("uid", [None, UID], ids=["own-user", "user-of-its-own"])
def test_a_client_stays_with_its_member_over_reloads(house: House, member: Make, uid: int | None) -> None:
    if uid is not None and os.geteuid() != 0:
        pytest.skip("not proven: persistence under a uid of its own (needs root)")
    first, second, one, two = free_port(), free_port(), member("one"), member("two")
    pool = f"{{balance: round-robin, persist: source, members: {members(one, two)}}}"

    def content(*ports: int) -> bytes:
        return compiled(f"{{protocol: http, listen: [{', '.join(f'127.0.0.1:{port}' for port in ports)}]}}", pool, uid)

    house.engine.start(APPLICATION, content(first), ())
    if uid is not None:
        current = house.workers().current
        assert current is not None
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in Path(f"/proc/{current.pid}/status").read_text()
    stays = get(first)
    for ports in ((first, second), (first,), (first, second)):
        before = house.workers().current
        house.engine.load(APPLICATION, content(*ports))
        assert before is not None and house.workers().current != before
        wait(lambda: "used:1" in table(house), "the table of the worker before")
        assert {get(first) for _ in range(4)} == {stays}


def table(house: House) -> str:
    return Master(house.folder).worker("show table")


def test_members_come_and_go_without_a_new_worker(house: House, member: Make) -> None:
    port, some = free_port(), [member(name) for name in ("a", "b", "c", "d")]
    service = f"{{protocol: http, listen: '127.0.0.1:{port}'}}"
    house.engine.start(APPLICATION, compiled(service, f"{{members: {members(*some[:2])}}}"), ())
    before = house.workers()
    for wanted in (some, some[1:], some[1:2], some):
        content = compiled(service, f"{{members: {members(*wanted)}}}")
        house.engine.load(APPLICATION, content)
        assert house.workers().pids() == before.pids()
        assert {get(port) for _ in range(24)} == {one.name for one in wanted}
        assert house.engine.observe(APPLICATION).generation == house.engine.generation(content)
    print(f"http-15-engine changes=4 new_processes=0 workers={len(house.workers().pids())}")


def test_one_address_becomes_every_address_and_one_again(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    pool = f"{{members: {members(one)}}}"
    narrow = compiled(f"{{protocol: http, listen: '127.0.0.1:{port}'}}", pool)
    wide = compiled(f"{{protocol: http, listen: {port}}}", pool)
    house.engine.start(APPLICATION, narrow, ())
    asking = Asking(port)
    for content in (wide, narrow, wide):
        house.engine.load(APPLICATION, content)
        assert house.engine.observe(APPLICATION).generation == house.engine.generation(content)
    asking.stop()
    assert not asking.failed
