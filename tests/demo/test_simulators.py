"""Simulated members and the demo's visitors: who answers is known, and what breaks is counted."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.demo.account import Visits, quantile
from gurney.demo.loopback import FreePorts
from gurney.demo.senders import Http, Target, Tcp
from gurney.demo.simulators import Place, Simulator
from gurney.demo.waiting import until


@pytest.fixture
def port() -> int:
    ports = FreePorts()
    free = ports()
    ports.give_back()
    return free


@pytest.fixture
def simulator(request: pytest.FixtureRequest, port: int, tmp_path: Path) -> Iterator[Simulator]:
    one = Simulator(Place("app/pool/one", request.param, "127.0.0.1", port, tmp_path), tmp_path / "log")
    one.start()
    one.wait()
    yield one
    one.kill()


@pytest.mark.parametrize("simulator", ["http"], indirect=True)
def test_an_http_member_says_who_it_is_and_what_arrived(simulator: Simulator, tmp_path: Path) -> None:
    target = Target("127.0.0.1", simulator.place.port, {}, tmp_path)
    answer = Http(target, {"path": "/x?y=1", "headers": {"X-A": "b"}, "host": "portal.example.org"}).send(0, "127.8.0.1")
    assert (answer.word, answer.member) == ("200", "app/pool/one")
    assert answer.arrived is not None and (answer.arrived["x-a"], answer.arrived["host"]) == ("b", "portal.example.org")
    simulator.kill()
    assert Http(target, {}).send(0, None).word == "refused"


@pytest.mark.parametrize("simulator", ["tcp"], indirect=True)
def test_a_tcp_member_says_who_it_is(simulator: Simulator, tmp_path: Path) -> None:
    target = Target("127.0.0.1", simulator.place.port, {}, tmp_path)
    assert Tcp(target, {}).send(0, None).member == "app/pool/one"
    simulator.kill()
    assert Tcp(target, {}).send(0, None).word == "refused"


@pytest.mark.parametrize("simulator", ["http"], indirect=True)
def test_visitors_count_every_request_and_every_error(simulator: Simulator) -> None:
    """Straight to a member without Gurney between: its death is seen, by kept connections too."""
    visits = Visits()
    argv = [sys.executable, "-m", "gurney.demo.visitors", "--port", str(simulator.place.port), "--rate", "50"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        lines = process.stdout
        reader = threading.Thread(target=lambda: [visits.take(json.loads(line)) for line in lines])
        reader.start()
        until(lambda: visits.requests >= 40, 20, "visits")
        assert (visits.errors, visits.members["app/pool/one"]) == (0, visits.requests)
        simulator.kill()
        until(lambda: visits.errors >= 10, 20, "errors")
        process.stdin.close()
        process.wait(20)
        reader.join(20)
    assert visits.done and sum(visits.why.values()) == visits.errors
    assert visits.members["app/pool/one"] == visits.requests - visits.errors


def test_quantiles() -> None:
    assert quantile([], 0.5) is None
    assert [quantile([5, 1, 3, 2, 4], share) for share in (0.5, 0.99, 0.2)] == [3, 5, 1]
