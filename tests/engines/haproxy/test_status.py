"""The status of one application from recordings, and its counters over workers."""

from __future__ import annotations

import json
from dataclasses import replace

from gurney.compile.haproxy.bundle import Frontend
from gurney.engines.haproxy import conditions, status
from gurney.engines.haproxy.running import Row, Running
from gurney.engines.haproxy.status import Counters, Flows, Totals
from tests.engines.haproxy.made import Member, bundle
from tests.engines.haproxy.test_running import recorded

MEMBERS = {name: Member(1) for name in ("up", "slow", "refused", "silent", "drained", "disabled", "named", "hand", "full", "sick", "added")}


def told(running: Running, **changes: Member) -> dict[str, object]:
    return status.status(bundle({**MEMBERS, **changes}), running, Totals(), {})


def member(running: Running, name: str) -> dict[str, object]:
    return dict(status.status(bundle(MEMBERS), running, Totals(), {"web/disabled": "down"})["pools"]["web"]["members"][name])


def test_members_in_three_words() -> None:
    seen = recorded()
    words = {name: member(seen, name)["operational"] for name in MEMBERS}
    assert words == {
        "up": "up", "slow": "full", "refused": "down", "silent": "down", "drained": "up", "disabled": "down", "named": "down", "hand": "up",
        "full": "full", "sick": "down", "added": "up",
    }  # fmt: skip
    assert member(seen, "refused")["why"] == "L4CON: connection refused"
    drained = bundle({**MEMBERS, "drained": Member(1, override="drain")})
    shown = status.status(drained, seen, Totals(), {})["pools"]["web"]["members"]["drained"]
    assert (shown["configured"], shown["override"]) == ("enabled", "drain")


def test_a_disabled_member_keeps_the_word_it_had() -> None:
    before = dict(status.operational(status.status(bundle(MEMBERS), recorded(), Totals(), {})))
    assert before["web/sick"] == "down" and "web/disabled" not in before


def test_what_the_panic_twin_carries_is_added() -> None:
    seen = recorded()
    twin = seen.servers["be_web_panic"]["s_up"]._replace(scur="4", req_tot="11", econ="2", qcur="1")
    servers = {**seen.servers, "be_web_panic": {"s_up": twin}}
    one = member(replace(seen, servers=servers), "up")
    assert (one["sessions"], one["requests_total"], one["failures_total"], one["queued"]) == (5, 11, 2, 1)
    assert (one["operational"], one["why"]) == ("full", "L7OK 200 in 0 ms"), "what waits there waits for it"


def test_first_results_are_waited_for() -> None:
    seen = recorded()
    assert told(seen)["checked"] is False, "one was added and not checked yet"
    known = {name: one for name, one in MEMBERS.items() if name != "added"}
    assert status.status(bundle(known, twin=False), seen, Totals(), {})["checked"] is True
    assert status.status(bundle({"nobody": Member(1)}, twin=False), seen, Totals(), {})["checked"] is False


def test_a_service_and_one_that_shares_its_listener() -> None:
    seen = recorded()
    seen.frontends["fe_web"]._asdict()
    row = seen.frontends["fe_web"]._replace(stot="9", req_tot="20", req_rate="3", hrsp_2xx="15", hrsp_5xx="2", ereq="1", dreq="4")
    made = bundle(MEMBERS)
    shared = replace(made, frontends=(Frontend("fe_web", "x", made.frontends[0].listen, ("www", "other")),))
    www = status.status(shared, replace(seen, frontends={"fe_web": row}), Totals(), {})["services"]["www"]
    assert (www["accepting"], www["sessions"], www["requests_total"], www["requests_per_second"]) == (True, 3, 20, 3)
    assert (www["errors"], www["refused"], www["answers"]["2xx"], www["shares_listener_with"]) == (3, 4, 15, ["other"])
    closed = status.status(made, replace(seen, frontends={"fe_web": row._replace(status="STOP")}), Totals(), {})["services"]["www"]
    assert closed["accepting"] is False
    assert status.status(made, replace(seen, frontends={}), Totals(), {})["services"]["www"]["accepting"] is False


def test_what_is_leaving_is_shown() -> None:
    seen = recorded()
    left = seen.servers["be_web"]["s_left"]._replace(slim=str(1 << 30), scur="2")
    servers = {**seen.servers, "be_web": {**seen.servers["be_web"], "s_left": left}}
    pools = status.status(bundle(MEMBERS), replace(seen, servers=servers), Totals(), {})["pools"]
    assert pools["web"]["leaving"] == [{"address": "127.0.0.1:18099", "sessions": 2}]
    assert "leaving" not in status.status(bundle(MEMBERS), seen, Totals(), {})["pools"]["web"]


def test_the_status_is_json() -> None:
    assert json.loads(json.dumps(told(recorded()))) == told(recorded())


def test_totals_go_on_over_workers_and_over_a_server_that_begins_anew() -> None:
    totals = Totals()
    row = Row(*("" for _ in Row._fields))._replace(pxname="be", svname="s", req_tot="10")

    requests = Counters("req_tot", "stot")

    def at(worker: str, count: int) -> int:
        totals.begin((worker, "1"))
        return totals.of(row._replace(req_tot=str(count)), requests)[0]

    assert [at("1", 10), at("1", 10), at("1", 12), at("2", 3), at("2", 4), at("3", 100)] == [10, 10, 12, 15, 16, 116]
    assert [at("3", 2), at("3", 5)] == [118, 121], "deleted and added again in the same worker"


def test_counters_of_members_that_are_gone_do_not_pile_up() -> None:
    totals, requests = Totals(), Counters("req_tot", "stot")
    row = Row(*("" for _ in Row._fields))._replace(pxname="be", req_tot="1")
    for look in range(3000):
        totals.begin(("1", "1"))
        assert totals.of(row._replace(svname="stays"), requests)[0] == 1
        totals.of(row._replace(svname=f"s{look}"), requests)
    assert len(totals._sums) < 1010


def test_bytes_per_second() -> None:
    flows = Flows()

    def at(now: float, total: int) -> float:
        return dict(flows.of({"www": {"bytes_in": total, "bytes_out": 0}}, now))["www"]

    assert at(100.0, 5_000_000) == 0, "what was carried before the first look is no rate"
    assert 90 < at(110.0, 5_001_000) < 120 and 90 < at(111.0, 5_001_000) < 120
    assert at(130.0, 5_001_000) == 0


def test_conditions() -> None:
    made = bundle({name: Member(1) for name in ("a", "b", "c", "d")})  # panic below 30 %
    state = {name: {"operational": "down"} for name in "abcd"}
    seen = {"workers": {"old": []}, "pools": {"web": {"members": {**state, "a": {"operational": "up"}}}}}
    assert list(conditions.conditions(made, seen, root=False)) == [
        ("PoolPanics", "portal/web", "1 of 4 members usable, panic is below 30 %")
    ]
    seen["pools"]["web"]["members"]["b"] = {"operational": "full"}  # type: ignore[index]
    old = [{"pid": n, "since": 0, "sessions": 2} for n in range(4)]
    found = list(conditions.conditions(made, {**seen, "workers": {"old": old}}, root=True))
    assert [code for code, _, _ in found] == ["RunsAsRoot", "ReloadWaits"]
    assert found[1][2] == "4 old workers hold 8 sessions"
