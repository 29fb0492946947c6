"""One study over four associations while its member dies: the whole study moves, to one member, and nothing is lost on the way."""

from __future__ import annotations

import json
import threading

import pytest

from tests.deliver.running import Running
from tests.live.harness import objects
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.proxy import Proxy
from tests.live.harness.sender import send


class Site:
    """Three members behind proxies."""

    def __init__(self) -> None:
        self.members = [Member(Behaviour(keep=True)) for _ in range(3)]
        self.proxies = [Proxy(m.port) for m in self.members]

    def ports(self) -> list[int]:
        return [p.port for p in self.proxies]

    def holder(self, thing: objects.Thing) -> int:
        return next(n for n, m in enumerate(self.members) if thing.sop_instance in m.data)

    def close(self) -> None:
        for proxy in self.proxies:
            proxy.close()
        for member in self.members:
            member.close()


@pytest.mark.parametrize("balance", ["study", "least-load"])
@pytest.mark.parametrize("offset", [0, 300, 85_000, 700_001])
def test_a_study_moves_to_one_member(balance: str, offset: int) -> None:
    """Its member is gone after `offset` more bytes, for good: every object is acknowledged, and those that moved meet again."""
    things = objects.study(f"{balance}{offset}", 13, size=80_000)
    site = Site()
    try:
        with Running(site.ports(), balance=balance, interval="1h") as route:
            assert len(send(route.port, things[:1]).acked) == 1
            first = site.holder(things[0])
            died = threading.Event()

            def die(proxy: Proxy) -> None:
                proxy.close()
                died.set()

            site.proxies[first].at(offset, die)
            out = send(route.port, things[1:], associations=4, timeout=20)
            assert died.is_set()
            assert out.acked == {t.sop_instance for t in things[1:]}, out
            others = {n: set(m.data) for n, m in enumerate(site.members) if n != first and m.data}
            assert len(others) == 1, {n: len(data) for n, data in others.items()}
            everywhere = {**site.members[first].data, **site.members[next(iter(others))].data}
            assert everywhere == {t.sop_instance: t.data for t in things}
            twice = set(site.members[first].data) & set(site.members[next(iter(others))].data)
            assert len(twice) <= route.count("gurney_dicom_possible_duplicates_total")
            # whatever comes later goes where the study is now
            more = objects.thing(things[0].study, things[0].sop_instance + ".1", size=20_000)
            assert len(send(route.port, [more]).acked) == 1
            assert site.holder(more) == next(iter(others))
            route.healthy()
            pins = route.inside(lambda: [pin.member for _, _, pin in route.process._dispatcher.pins])
            written = route.process._record.read("SELECT member FROM ledger_pins")
            assert pins == ["abc"[next(iter(others))]] == [row[0] for row in written], json.dumps(route.events("study.repinned"))
    finally:
        site.close()


def test_a_full_member_hands_its_study_over_once() -> None:
    """A700 to objects of one study on four associations: they all meet at one other member."""
    things = objects.study("full", 13, size=80_000)
    site = Site()
    try:
        with Running(site.ports(), balance="study") as route:
            assert len(send(route.port, things[:1]).acked) == 1
            first = site.holder(things[0])
            site.members[first].behaviour.statuses["*"] = 0xA700
            out = send(route.port, things[1:], associations=4, timeout=20)
            assert out.acked == {t.sop_instance for t in things[1:]}, out
            others = {n for n, m in enumerate(site.members) if n != first and m.data}
            assert len(others) == 1
            assert route.count("gurney_dicom_possible_duplicates_total") == 0
            route.healthy()
    finally:
        site.close()


def test_all_members_down_then_back_costs_refusals_only() -> None:
    """Nobody left: A700, never a success; back again: served."""
    things = objects.study("down", 8, size=20_000)
    site = Site()
    try:
        with Running(site.ports(), balance="study") as route:
            assert len(send(route.port, things[:1]).acked) == 1
            ports = site.ports()
            for proxy in site.proxies:
                proxy.close()
            out = send(route.port, things[1:], associations=3, timeout=20)
            assert out.acked == set() and set(out.statuses.values()) <= {0xA700}, out
            site.proxies = [Proxy(m.port, port) for m, port in zip(site.members, ports, strict=True)]
            out = send(route.port, things[1:], associations=3, timeout=20)
            assert out.acked == {t.sop_instance for t in things[1:]}, out
            route.healthy()
            assert sum(len(m.data) for m in site.members) == 8
    finally:
        site.close()
