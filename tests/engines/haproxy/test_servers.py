"""Members at run time, without HAProxy: what differs, what mends it, from anywhere and after any cut."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.compile.haproxy.bundle import Bundle
from gurney.engines.haproxy import servers
from gurney.engines.haproxy.commands import Command
from tests.engines.haproxy.made import Member, bundle
from tests.engines.haproxy.model import Standing, Worker

NAMES = ("a", "b", "c", "d")
members = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        Member,
        port=st.integers(2000, 2003),
        weight=st.sampled_from([1, 50, 100, 256]),
        override=st.sampled_from([None, None, "drain", "disable"]),
        maxconn=st.sampled_from([1, 2, 10]),
    ),
)
standing = st.builds(
    Standing,
    addr=st.sampled_from(["127.0.0.1:2000", "127.0.0.1:2001", "[::1]:2000"]),
    sid=st.just("7"),
    weight=st.integers(0, 256),
    maxconn=st.sampled_from([0, 1, 10]),
    maintenance=st.booleans(),
    drained=st.booleans(),
    configured=st.just(True),
)


def mended(worker: Worker, wanted: Bundle, cut: int | None = None) -> None:
    """Carry out what differs; `cut`: after so many commands everything ends."""
    left = [cut if cut is not None else 1 << 30]
    for one in servers.differences(worker.look(), wanted):
        for number, command in enumerate(one.commands):
            if not left[0]:
                return
            left[0] -= 1
            answer = worker.do(command)
            if one.replaces and number == 0 and "deleted" not in answer:
                return
            assert command.did(answer), (command.text, answer)


def texts(worker: Worker, wanted: Bundle) -> list[str]:
    return [one.text for one in servers.differences(worker.look(), wanted)]


def fresh(made: Bundle) -> Worker:
    worker = Worker()
    worker.start(made)
    return worker


@given(before=members, after=members, cut=st.integers(0, 30))
def test_any_change_converges_also_when_it_was_cut_off(before: dict[str, Member], after: dict[str, Member], cut: int) -> None:
    worker, wanted = fresh(bundle(before)), bundle(after)
    mended(worker, wanted, cut)
    mended(worker, wanted)
    assert texts(worker, wanted) == []
    for backend in wanted.backends:
        for server in backend.servers:
            one = worker.servers[backend.name][server.name]
            assert (one.weight, one.maxconn, one.maintenance) == (server.weight, server.maxconn, server.disabled)
            assert one.maintenance or not one.configured or one.checks, "in use and without its checks"


@given(found=st.dictionaries(st.sampled_from([f"s_{name}" for name in NAMES]), standing), after=members)
def test_whatever_was_done_by_hand_is_mended(found: dict[str, Standing], after: dict[str, Member]) -> None:
    worker, wanted = Worker(servers={"be_web": found}), bundle(after, twin=False)
    mended(worker, wanted)
    assert texts(worker, wanted) == []


def test_members_come_before_members_go() -> None:
    worker = fresh(bundle({"a": Member(1), "b": Member(2)}, twin=False))
    mended(worker, bundle({"b": Member(2, override="disable"), "c": Member(3)}, twin=False))
    said = worker.said
    added = next(at for at, text in enumerate(said) if text == "set server be_web/s_c state ready")
    assert added < next(at for at, text in enumerate(said) if text == "set server be_web/s_b state maint")
    assert added < next(at for at, text in enumerate(said) if text == "set server be_web/s_a state maint")
    assert said.index("enable health be_web/s_c") < added


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("weight", {"weight": 7}, "member web/a has weight 7, wanted is 100"),
        ("maxconn", {"maxconn": 3}, "member web/a takes 3 at once, wanted is 10"),
        ("no maxconn", {"maxconn": 0}, "member web/a takes any number at once, wanted is 10"),
        ("address", {"addr": "127.0.0.9:1"}, "member web/a has address 127.0.0.9:1, wanted is 127.0.0.1:1"),
        ("port", {"addr": "127.0.0.1:2"}, "member web/a has address 127.0.0.1:2, wanted is 127.0.0.1:1"),
        ("maintenance", {"maintenance": True}, "member web/a is disabled, wanted is enabled"),
        ("drain", {"drained": True}, "member web/a was set to drain by hand"),
    ],
)
def test_what_was_changed_behind_our_back_is_named(name: str, change: dict[str, object], words: str) -> None:
    wanted = bundle({"a": Member(1), "b": Member(2)}, twin=False)
    worker = fresh(wanted)
    assert texts(worker, wanted) == []
    worker.servers["be_web"]["s_a"] = replace(worker.servers["be_web"]["s_a"], **change)  # type: ignore[arg-type]
    assert texts(worker, wanted) == [words]


def test_a_member_nobody_knows_and_one_that_is_missing() -> None:
    wanted = bundle({"a": Member(1), "b": Member(2)}, twin=False)
    worker = fresh(bundle({"a": Member(1), "x": Member(9)}, twin=False))
    assert texts(worker, wanted) == [
        "member web/b is missing",
        "pool 'web' has a member at 127.0.0.1:9 (be_web/s_x) that is not in the document",
    ]
    worker.servers = {}
    assert texts(worker, wanted) == ["HAProxy has no backend be_web for pool 'web'"]


def test_what_goes_is_leaving_until_its_connections_end() -> None:
    worker = fresh(bundle({"a": Member(1), "b": Member(2)}, twin=False))
    worker.servers["be_web"]["s_a"].connections = 2
    wanted = bundle({"b": Member(2)}, twin=False)
    mended(worker, wanted)
    (one,) = servers.leaving(worker.look(), wanted)
    assert (one.server, one.sessions) == ("s_a", 2) and texts(worker, wanted) == []
    assert not servers.reap(one).did(worker.do(servers.reap(one)))
    worker.servers["be_web"]["s_a"].connections = 0
    assert servers.reap(one).did(worker.do(servers.reap(one)))
    assert servers.leaving(worker.look(), wanted) == ()


def test_a_server_that_is_just_being_added_is_not_taken_for_a_leaving_one() -> None:
    before, after = bundle({"a": Member(1)}, twin=False), bundle({"a": Member(1), "b": Member(2)}, twin=False)
    worker = fresh(before)
    (added,) = servers.differences(worker.look(), after)
    worker.do(added.commands[0])
    assert servers.leaving(worker.look(), before) == ()


def test_a_leaving_member_that_is_wanted_again_is_made_anew() -> None:
    both, one = bundle({"a": Member(1), "b": Member(2)}, twin=False), bundle({"b": Member(2)}, twin=False)
    worker = fresh(both)
    worker.servers["be_web"]["s_a"].connections = 1
    mended(worker, one)  # nobody knows with which options it was made
    (back,) = servers.differences(worker.look(), both)
    assert back.replaces and back.text == "member web/a is leaving"
    assert not back.commands[0].did(worker.do(back.commands[0])), "its connections hold it"
    worker.servers["be_web"]["s_a"].connections = 0
    mended(worker, both)
    assert texts(worker, both) == []


def test_a_leaving_member_of_the_same_options_comes_back_with_its_connections() -> None:
    both, one = bundle({"a": Member(1), "b": Member(2)}, twin=False), bundle({"b": Member(2)}, twin=False)
    worker = fresh(both)
    worker.servers["be_web"]["s_a"].connections = 1
    for difference in servers.differences(worker.look(), one, before=both):
        for command in difference.commands:
            assert command.did(worker.do(command))
    assert [one.server for one in servers.leaving(worker.look(), one)] == ["s_a"]
    mended(worker, bundle({"a": Member(3, weight=9), "b": Member(2)}, twin=False))
    back = worker.servers["be_web"]["s_a"]
    assert (back.connections, back.weight, back.maxconn, back.maintenance, back.addr) == (1, 9, 10, False, "127.0.0.1:3")


def test_members_given_by_name_are_left_to_a_reload() -> None:
    wanted = bundle({"a": Member(1), "n": Member(2, host="ehr.example.org")}, twin=False)
    worker = fresh(wanted)
    worker.servers["be_web"]["s_n"].addr = "10.0.0.7:2"  # what it resolved to
    assert texts(worker, wanted) == []
    nameless = worker.look()
    nameless.servers["be_web"]["s_n"] = nameless.servers["be_web"]["s_n"]._replace(status="MAINT (resolution)")  # type: ignore[index]
    (said,) = servers.differences(nameless, wanted)
    assert (said.text, [one.text for one in said.commands]) == ("", ["set server be_web/s_n state ready"]), "it hides what was said before"
    missing = servers.differences(fresh(bundle({"a": Member(1)}, twin=False)).look(), wanted)
    assert [one.commands for one in missing] == [()]


def test_why_equal_shapes_need_a_reload() -> None:
    before = bundle({"a": Member(1)})
    same = bundle({"a": Member(1, weight=5, override="drain", maxconn=3), "b": Member(2)})
    assert servers.reload_reason(before, same) is None
    assert servers.reload_reason(before, bundle({"a": Member(1)}, shape="other")) is not None
    assert (
        servers.reload_reason(before, bundle({"a": Member(1), "n": Member(2, host="x.example")}))
        == "member web/n cannot be added at run time"
    )
    assert servers.reload_reason(before, bundle({"a": Member(1), "b": Member(2)}, resizable=False)) is not None
    checked = before.backends[0].servers[0]
    other = replace(checked, arguments=(checked.arguments or "").replace("500ms", "900ms"))
    changed = replace(before, backends=(replace(before.backends[0], servers=(other,)), *before.backends[1:]))
    assert servers.reload_reason(before, changed) == "the options of member web/a differ"


def test_why_files_need_a_reload() -> None:
    plain = bundle({"a": Member(1)}, maps={"maps/x.map": "a b\n"}, certificates={"certificates/c.pem": "1"})
    assert (
        servers.reload_reason(plain, bundle({"a": Member(1)}, maps={"maps/x.map": "c d\n"}, certificates={"certificates/c.pem": "2"}))
        is None
    )
    fixed = replace(plain, swappable=(), materials={"certificates/c.pem": "2"})
    assert servers.reload_reason(plain, fixed) == "a file that cannot be swapped at run time differs"
    listed = replace(plain, files={**plain.files, "crt-list": "x"})
    assert servers.reload_reason(plain, listed) == "a file that is no map differs"


def test_every_command_of_a_plan_is_of_the_table() -> None:
    worker = fresh(bundle({"a": Member(1)}))
    found = servers.differences(worker.look(), bundle({"b": Member(2, override="disable"), "c": Member(3)}))
    assert all(isinstance(command, Command) for one in found for command in one.commands) and found
