"""`gurney blueprint test NAME` as a person types it: every blueprint keeps what it promises, and one that does not is said to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gurney.cli import blueprints
from gurney.demo import cases
from gurney.demo.trial import Result, Trial
from tests.live.harness.counts import say
from tests.live.harness.gurney import until_gone
from tests.live.harness.processes import environment


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", blueprints.names())
def test_blueprint_keeps_what_it_promises(name: str, folder: Path) -> None:
    argv = [sys.executable, "-m", "gurney", "blueprint", "test", name, "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=80, env=environment(TMPDIR=str(folder)))
    report = json.loads(done.stdout)
    failed = [one for one in report["cases"] if not one["good"]]
    say(f"blueprint-{name}", cases=len(report["cases"]), failed=len(failed), sent=sum(one["sent"] for one in report["cases"]))
    assert (failed, done.returncode, report["good"]) == ([], 0, True), done.stderr
    assert report["cases"] and all(one["sent"] > 0 for one in report["cases"])
    assert (until_gone(str(folder), 10), list(folder.iterdir())) == ([], [])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_blueprint_test_interrupted_leaves_nothing(folder: Path, number: int) -> None:
    # A shell gives its background jobs an ignored SIGINT, and `make test` may be one.
    argv = ["env", "--default-signal=INT", sys.executable, "-m", "gurney", "blueprint", "test", "tcp"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment(TMPDIR=str(folder)), start_new_session=True) as test:
        assert test.stdout is not None and test.stdout.readline().startswith("ok")
        test.send_signal(number)
        test.wait(40)
    left = until_gone(str(folder), 10)
    say("blueprint-interrupted", signal=int(number), exit=test.returncode, processes_left=len(left))
    assert (test.returncode, left, list(folder.iterdir())) == (1, [], [])


@pytest.mark.timeout(60)
def test_blueprint_that_promises_too_much_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer, a wrong pool, too many members: each case says what came instead; nothing stays behind."""
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    promised = cases.read(
        """
cases:
  - {case: answer, send: {to: devices/gateway, from: 10.20.0.1, count: 2}, expect: {answer: refused}}
  - {case: pool, send: {to: devices/gateway, from: 10.20.0.1, count: 2}, expect: {answer: answered, pool: spare}}
  - {case: number, send: {to: devices/gateway, from: 10.20.0.1, count: 2}, expect: {answer: answered, members: 2}}
  - {case: names, send: {to: devices/gateway, from: 10.20.0.1, count: 2}, expect: {answer: answered, members: [spare/x]}}
  - {case: service, send: {to: devices/getaway, count: 2}, expect: {answer: answered}}
  - {case: member, first: {kill: wards/ward-9}, send: {to: devices/gateway, count: 2}, expect: {answer: answered}}
""",
        "cases.yaml",
    )
    results: list[Result] = []
    with Trial(blueprints.text("tcp"), "gurney.yaml") as trial:
        assert not trial.run(promised, results.append)
    say("blueprint-fails", cases=len(results), failed=sum(one.why is not None for one in results))
    said = {one.case: one.why or "" for one in results}
    assert "wanted only refused, got 2 × answered" in said["answer"]
    assert "wanted pool spare, got 2 × wards/" in said["pool"]
    assert "wanted 2 members, got 2 × wards/" in said["number"]
    assert "wanted spare/x" in said["names"] and "no service" in said["service"] and "no member fits" in said["member"]
    assert (until_gone(str(folder), 10), list(folder.iterdir())) == ([], [])
