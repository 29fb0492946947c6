"""Applications with two engines, and changes across engines: what each is asked, what is shown, what comes back."""

from __future__ import annotations

import pytest

from gurney.errors import EngineRefused, NotFound
from tests.control.world import World, document, web

BOTH = """
  mixed:
    services:
      store: {protocol: dicom, listen: 11200, accept_from: [10.0.0.0/8]}
      portal: {protocol: http, listen: 8081, accept_from: [10.0.0.0/8]}
      raw: {protocol: tcp, listen: 9000, accept_from: [10.0.0.0/8], rules: [{pool: plain}]}
    pools:
      archive: [B1@10.0.1.1:104]
      portal: {members: {p-1: "10.0.2.9:8080"}}
      plain: {members: {r-1: "10.0.2.9:9000"}}
"""
TWO_POOLS = BOTH.replace("listen: 11200,", "listen: 11200, rules: [{pool: archive}],").replace(
    "listen: 8081,", "listen: 8081, rules: [{pool: portal}],"
)


def kinds(outcome: dict[str, object]) -> list[str]:
    return [f"{step['kind']} {step['application']}/{step['engine']}" for step in outcome["steps"]]  # type: ignore[attr-defined]


def test_an_application_gets_the_engines_it_needs(world: World) -> None:
    outcome = world.apply(document(further=TWO_POOLS + web()))
    assert sorted(kinds(outcome)) == [
        "start-application mixed/haproxy",
        "start-application mixed/route",
        "start-application pacs/route",
        "start-application web/haproxy",
    ]
    assert set(world.keeper.routes) == {"pacs", "mixed"} and set(world.machine.running) == {"mixed", "web"}
    assert world.watch.waiting() == []


def test_the_status_of_two_engines_is_one(world: World) -> None:
    world.apply(document(further=TWO_POOLS))
    mixed = world.watch.status()["applications"]["mixed"]
    assert list(mixed["engines"]) == ["route", "haproxy"] and all(one["confirmed"] for one in mixed["engines"].values())
    assert set(mixed["services"]) == {"store", "portal", "raw"} and set(mixed["pools"]) == {"archive", "portal", "plain"}
    assert mixed["services"]["portal"]["requests_total"] == 5 and mixed["services"]["store"]["associations"] == 0
    assert mixed["pools"]["portal"]["members"]["p-1"]["why"] == "L7OK 200 in 3 ms"
    assert mixed["engines"]["haproxy"]["workers"]["current"] == 7 and mixed["checked"] is True
    world.machine.checked = False
    assert world.watch.waiting() == ["mixed: first checks of haproxy are running"]


def test_a_weight_is_a_change_at_run_time_and_a_listener_a_reload(world: World) -> None:
    world.apply(document(further=web()))
    running = world.machine.running["web"]
    outcome = world.apply(document(further=web(weight=50)))
    assert (running.changes, running.reloads) == (1, 0)
    assert "change 1 member of portal while HAProxy runs" in outcome["steps"][0]["text"]  # type: ignore[index]
    assert outcome["steps"][0]["cuts"] == 0  # type: ignore[index]
    world.watch.look()
    outcome = world.apply(document(further=web(weight=50, listen="[8080, 8090]")))
    assert (running.changes, running.reloads) == (1, 1)
    text = outcome["steps"][0]["text"]  # type: ignore[index]
    assert "reload HAProxy without a pause: services.portal.listen; 2 sessions stay with the process of before until they end" in text


def test_a_change_to_one_engine_leaves_the_other_alone(world: World) -> None:
    world.apply(document(further=TWO_POOLS))
    asked, loads = len(world.proxy.steps), world.keeper.routes["mixed"].loads
    world.apply(document(further=TWO_POOLS.replace("B1@", "B2@")))
    assert len(world.proxy.steps) == asked and world.keeper.routes["mixed"].loads == loads + 1
    world.apply(document(further=TWO_POOLS.replace("B1@", "B2@").replace("10.0.2.9:8080", "10.0.2.8:8080")))
    assert world.keeper.routes["mixed"].loads == loads + 1 and len(world.proxy.steps) == asked + 1


def test_a_port_moves_from_a_route_process_to_haproxy_and_back(world: World) -> None:
    world.apply(document(listen="11112, 8080", further=web("8090")))
    outcome = world.apply(document(further=web("[8090, 8080]")))
    assert kinds(outcome) == ["load pacs/route", "unbind pacs/route", "load web/haproxy"]
    assert "nobody listens on *:8080 until" in outcome["steps"][1]["text"]  # type: ignore[index]
    world.control.undo(who="me")
    assert world.keeper.listeners["pacs"] == ("*:11112", "*:8080")


def test_two_haproxys_swap_their_ports(world: World) -> None:
    world.apply(document(further=web("8080") + web("8090", name="other")))
    outcome = world.apply(document(further=web("8090") + web("8080", name="other")))
    assert len([step for step in outcome["steps"] if step["gap"]]) == 2  # type: ignore[attr-defined]
    assert {name: one.listeners[0][2] for name, one in world.machine.running.items()} == {"web": 8090, "other": 8080}


def test_a_swap_that_is_refused_at_its_end_goes_back_whole(world: World) -> None:
    before = document(further=web("8080") + web("8090", name="other"))
    world.apply(before)
    for refused in ("web", "other"):
        world.machine.refuse = {refused: ("cannot find the page", f"applications.{refused}.services.portal.listen")}
        with pytest.raises(EngineRefused, match=r"gurney.yaml:\d+:\d+: ") as caught:
            world.apply(document(further=web("8090") + web("8080", name="other")))
        assert caught.value.hint is None or "going back failed" not in caught.value.hint
        world.machine.refuse = {}
        assert {name: one.listeners[0][2] for name, one in world.machine.running.items()} == {"web": 8080, "other": 8090}
        assert world.watch.waiting() == [] and "ApplyFailed" in world.codes()


def test_a_refusal_names_the_line_of_the_document(world: World) -> None:
    world.apply(document(further=web()))
    text = document(further=web(weight=50))
    world.machine.refuse = {"web": ("bad weight", "applications.web.pools.portal.members.web-1.weight")}
    with pytest.raises(EngineRefused) as caught:
        world.apply(text)
    line = next(at for at, one in enumerate(text.splitlines(), 1) if "weight: 50" in one)
    assert caught.value.message.startswith(f"gurney.yaml:{line}:")
    [condition] = [one for one in world.watch.status()["conditions"] if one["code"] == "ApplyFailed"]
    assert condition["reason"] == caught.value.message


def test_overrides_reach_members_haproxy_carries_and_stay(world: World) -> None:
    world.apply(document(further=web()))
    assert world.control.override("web/*/web-1", "drain", who="me", seconds=1800.0)["objects"] == ["web/portal/web-1"]
    assert world.machine.running["web"].changes == 1 and world.machine.running["web"].reloads == 0

    def member() -> dict[str, object]:
        found: dict[str, object] = world.watch.status()["applications"]["web"]["pools"]["portal"]["members"]["web-1"]
        return found

    assert member()["override"] == "drain"
    world.apply(document(further=web("[8080, 8090]")))
    assert member()["override"] == "drain"
    world.again()
    world.control.resume()
    assert member()["override"] == "drain"
    world.now += 1801
    world.watch.tick()
    assert member()["override"] is None and world.machine.running["web"].reloads == 1


def test_explain_asks_the_engine_that_carries_the_service(world: World) -> None:
    world.apply(document(further=TWO_POOLS))
    assert world.control.explain("mixed", "portal", {"path": "/x"})["chosen"] == "web-1"
    assert world.control.explain("mixed", "store", {"modality": "MG"})["chosen"] == "archive-1"
    with pytest.raises(NotFound):
        world.control.explain("mixed", "nobody", {})


def test_an_engine_that_is_no_longer_needed_is_stopped_and_the_other_stays(world: World) -> None:
    world.apply(document(further=TWO_POOLS))
    world.watch.look()
    text = document(further=TWO_POOLS)
    for line in ("portal: {protocol", "raw: {protocol", "portal: {members", "plain: {members"):
        text = "\n".join(one for one in text.splitlines() if line not in one)
    outcome = world.apply(text)
    assert kinds(outcome) == ["stop-application mixed/haproxy"]
    assert outcome["steps"][0]["cuts"] == 4 and "4 sessions end within 10 s" in outcome["steps"][0]["text"]  # type: ignore[index]
    assert set(world.keeper.routes) == {"pacs", "mixed"} and world.machine.running == {}


def test_what_runs_is_adopted_by_the_next_control_process(world: World) -> None:
    world.apply(document(further=TWO_POOLS + web()))
    world.again()
    world.control.resume()
    assert world.proxy.steps == [] and world.watch.waiting() == []


def test_conditions_of_what_haproxy_carries(world: World) -> None:
    world.apply(document(further=web().replace(", accept_from: [10.0.0.0/8]", "").replace("members:", "check: {kind: tcp}, members:")))
    assert world.codes().count("CheckIsWeak") == 2 and "PlainListener" in world.codes()
    world.machine.down["portal/web-1"] = "L4CON: connection refused"
    world.machine.down["portal/web-2"] = "L4CON: connection refused"
    found = {(one["code"], one["object"]) for one in world.watch.status()["conditions"]}
    assert {("MemberDown", "web/portal/web-1"), ("PoolDown", "web/portal")} <= found
    del world.machine.running["web"]
    assert ("EngineSilent", "web.haproxy") in {(one["code"], one["object"]) for one in world.watch.status()["conditions"]}


def test_what_an_engine_says_while_it_works_reaches_whoever_asked(world: World) -> None:
    world.apply(document(further=web()))
    load = world.proxy.load

    def slow(application: str, content: bytes) -> None:
        world.telling(f"{application}: waiting for old workers to end: old worker 7 holds 3 sessions")
        load(application, content)

    world.proxy.load = slow  # type: ignore[method-assign]
    assert world.apply(document(further=web("8090")))["said"] == ["web: waiting for old workers to end: old worker 7 holds 3 sessions"]
    assert "web: waiting for old workers to end: old worker 7 holds 3 sessions" in world.told
    world.proxy.load = load  # type: ignore[method-assign]
    assert world.apply(document(further=web()))["said"] == []


def test_a_service_of_tcp_is_checked_by_connecting_and_nobody_complains(world: World) -> None:
    world.apply(document(further=TWO_POOLS))
    assert world.codes() == []
