"""Observation beside what is published: what generation serves, conditions with their beginning, explanations with live members."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.engines.haproxy import changes, commands, observe, servers
from gurney.engines.haproxy.commands import Verb
from gurney.engines.haproxy.explain import explain
from gurney.engines.haproxy.runtime import Runtime
from gurney.errors import NotFound
from tests.engines.haproxy.made import Member, bundle
from tests.engines.haproxy.stage import Stage
from tests.live.harness.http.running import Website
from tests.live.harness.wait import until
from tests.ports import free_ports


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "haproxy", *free_ports(2))
    yield made
    made.close()


@pytest.fixture
def website(tmp_path: Path) -> Iterator[Website]:
    made = Website(tmp_path, "m0", "m1")
    yield made
    made.kill()


def test_the_generation_is_that_of_the_bundle_that_runs(stage: Stage, website: Website) -> None:
    old = bundle({"m0": Member(website.port("m0"))}, port=stage.port, maps={"maps/x.map": "/map/1 a\n"})
    new = bundle({"m0": Member(website.port("m0"), 7)}, port=stage.port, maps={"maps/x.map": "/map/1 a\n"})
    stage.publish(old)
    stage.start()
    observer = observe.Observer()
    assert observer.observe(stage.folder, [("old", old)]).generation == "old"
    stage.publish(new)
    seen = observer.observe(stage.folder, [("new", new), ("old", old)])
    assert (seen.generation, seen.why) == ("old", "")
    assert observer.observe(stage.folder, [("new", new)]).generation is None
    changes.apply_changes(stage.folder, new)
    assert observer.observe(stage.folder, [("new", new), ("old", old)]).generation == "new"
    nothing = observer.observe(stage.folder, [])
    assert (nothing.running, nothing.generation, nothing.why) == (True, None, "nothing is published")


def test_a_map_of_the_bundle_before_is_looked_at_too(stage: Stage, website: Website) -> None:
    one = {"m0": Member(website.port("m0"))}
    old = bundle(one, port=stage.port, maps={"maps/x.map": "/map/1 a\n"})
    new = bundle(one, port=stage.port, maps={"maps/x.map": "/map/1 b\n"})
    stage.publish(old)
    stage.start()
    stage.publish(new)
    other = bundle(one, port=stage.port, maps={"maps/x.map": "/map/1 c\n"})
    observer = observe.Observer()
    assert observer.observe(stage.folder, [("new", new), ("other", other), ("old", old)]).generation == "old"


def test_nothing_that_left_is_taken_away_while_a_change_is_under_way(stage: Stage, website: Website) -> None:
    both = {name: Member(website.port(name)) for name in ("m0", "m1")}
    stage.publish(bundle(both, port=stage.port))
    stage.start()
    runtime, left = Runtime(stage.folder), bundle({"m0": both["m0"]}, port=stage.port)
    name = next(iter(runtime.look().servers["be_web"].keys() - {server.name for server in left.backends[0].servers}))
    leave = ((Verb.WEIGHT, 0), (Verb.MAXCONN, servers.mark(None)), (Verb.MAINTENANCE,))
    for backend in left.backends:
        runtime.done(commands.on_server(verb, backend.name, name, *more) for verb, *more in leave)
    observer = observe.Observer()
    assert observer.observe(stage.folder, [("left", left)], lambda: False).generation == "left"
    assert name in runtime.look().servers["be_web"]
    assert observer.observe(stage.folder, [("left", left)]).generation == "left"
    assert name not in runtime.look().servers["be_web"]


def test_members_down_conditions_and_explanation(stage: Stage, website: Website) -> None:
    clock = iter(range(1000, 2000))
    made = bundle({"m0": Member(website.port("m0")), "m1": Member(website.port("m1"))}, port=stage.port)
    stage.publish(made)
    stage.start()
    observer = observe.Observer(clock=lambda: float(next(clock)))
    until(lambda: _status(observer, stage, made)["checked"], 10, "the first results")
    website.set("m0", mode="status", status=503)
    website.set("m1", mode="status", status=503)
    until(lambda: _words(observer, stage, made) == {"m0": "down", "m1": "down"}, 20, "both are down")
    told = explain(stage.folder, made, "www", {"method": "GET", "path": "/"})
    assert told["pool"] == "web" and all("L7STS 503" in one["why"] for one in told["members"])
    with pytest.raises(NotFound):
        explain(stage.folder, made, "nobody", {})
    panics = [_panic(observer, stage, made) for _ in range(3)]
    assert panics[0] is not None and panics[0] == panics[1] == panics[2], "a condition keeps its beginning"
    website.set("m0", mode="normal")
    until(lambda: _panic(observer, stage, made) is None, 20, "one of two is more than 30 %")
    assert _words(observer, stage, made)["m0"] == "up"


def _status(observer: observe.Observer, stage: Stage, made: observe.Bundle) -> dict[str, object]:
    seen = observer.observe(stage.folder, [("g", made)])
    assert seen.status is not None and seen.generation == "g"
    return dict(seen.status)


def _words(observer: observe.Observer, stage: Stage, made: observe.Bundle) -> dict[str, str]:
    pools: dict[str, dict[str, dict[str, dict[str, str]]]] = _status(observer, stage, made)["pools"]  # type: ignore[assignment]
    return {name: one["operational"] for name, one in pools["web"]["members"].items()}


def _panic(observer: observe.Observer, stage: Stage, made: observe.Bundle) -> float | None:
    found: list[dict[str, object]] = _status(observer, stage, made)["conditions"]  # type: ignore[assignment]
    return next((one["since"] for one in found if one["code"] == "PoolPanics"), None)  # type: ignore[return-value]


def test_many_look_at_once(stage: Stage, website: Website) -> None:
    made = bundle({"m0": Member(website.port("m0"))}, port=stage.port, maps={"maps/x.map": "/map/1 a\n"})
    stage.publish(made)
    stage.start()
    observer, seen = observe.Observer(), []
    threads = [threading.Thread(target=lambda: seen.append(observer.observe(stage.folder, [("g", made)]).generation)) for _ in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert seen == ["g"] * 16


def test_an_ending_worker_is_not_the_one_that_serves(stage: Stage, website: Website) -> None:
    """Over reloads every look is answered by a worker that serves, never by one that only ends its sessions."""
    made = bundle({"m0": Member(website.port("m0"))}, port=stage.port)
    stage.publish(made)
    stage.start()
    done, seen = threading.Event(), []

    def look() -> None:
        while not done.is_set():
            seen.append(Runtime(stage.folder).facts()["Stopping"])

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(5):
        stage.reload()
    done.set()
    looking.join(20)
    assert len(seen) > 5 and set(seen) == {"0"}
