"""Changes under load: 25 applies in a row break no association and refuse no object (architecture §3, reliability A4)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.live.conftest import Room
from tests.live.harness.account import tally
from tests.live.harness.counts import CHAOS, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.load import Load
from tests.live.harness.wait import until


def variant(i: int, port: int, other: int, ports: dict[str, int]) -> str:
    """The i-th document: each differs from the one before in a weight, a rule, a limit, a member or a service not in use."""
    kind = i % 5
    pool: dict[str, str] = {n: at(ports[n]) for n in ("a", "b")}
    pool["c"] = f"{{address: {at(ports['c'])}, weight: {50 + (i if kind == 0 else 0)}}}"
    rules = ["{name: mammography, match: {modality: MG}, pool: breast}", "{pool: archive}"]
    if kind == 1:
        rules.insert(0, f"{{name: r{i}, match: {{station: X{i}}}, pool: breast}}")
    if kind == 3:
        pool["d"] = at(ports["d"])
    service = f"limits: {{associations: {200 + i}}}" if kind == 2 else ""
    more = f"spare{i}:\n  protocol: dicom\n  listen: 127.0.0.1:{other}\n  rules: [{{pool: breast}}]" if kind == 4 else ""
    return pacs(port, {"archive": pool, "breast": {"m": at(ports["m"])}}, rules=rules, service=service, more=more)


@pytest.mark.timeout(600)
def test_applies_under_load_break_nothing(room: Room) -> None:
    """25 applies, a 60 s load of 4 associations in `make chaos`; at small counts as fast as they come."""
    members = {n: room.archive(n) for n in ("a", "b", "c", "d", "m")}
    ports = {n: m.port for n, m in members.items()}
    port, other = room.port(), room.port()
    g = room.gurney(variant(3, port, other, ports))
    load = Load(port, 4, per_study=10)
    until(lambda: len(load.acked) > 20, 20, "load runs")
    pid = g.route_pid()
    began, failed, seen = time.monotonic(), [], 0
    for i in range(4, 4 + 25):
        if CHAOS:
            until(lambda i=i: time.monotonic() - began > (i - 4) * 2.4, 10, "the next apply is due")  # type: ignore[misc]
        done = g.apply(variant(i, port, other, ports))
        if done.returncode != 0:
            failed.append(done.stdout + done.stderr)
        before = len(load.acked)
        until(lambda before=before: len(load.acked) > before or not any(t.is_alive() for t in load.threads), 20, "load goes on")  # type: ignore[misc]
        seen += 1
    seconds = time.monotonic() - began
    load.stop()
    counts = tally(load.things, load.acked, list(members.values()))
    figures: dict[str, Any] = {"broken": len(load.broken), "refused": len(load.refused), "lost": counts["lost"]}
    split = counts["split"]  # by the member that every fifth document takes away again
    same = g.route_pid() == pid
    say(
        "applies",
        applies=seen,
        failed=len(failed),
        seconds=f"{seconds:.0f}",
        acked=counts["acked"],
        same_route_process=same,
        split=split,
        **figures,
    )
    assert not failed, failed[0]
    assert figures == {"broken": 0, "refused": 0, "lost": 0}, load.broken[:3]
    assert same
    assert seconds < 90 or not CHAOS  # 60 s of applies that are due one after another; a time says nothing at small counts


def test_reliability_a4_bad_documents_never_serve(room: Room) -> None:
    """Invalid and impossible documents under load: exit 2 or 1, nothing changed, the generation stays, nothing breaks."""
    member = room.archive("a")
    port, taken = room.port(), room.member().port
    good = pacs(port, {"archive": {"a": at(member.port)}})
    g = room.gurney(good)
    generation = g.route("status")["generation"]
    load = Load(port, 2, per_study=10)
    until(lambda: len(load.acked) > 5, 20, "load runs")
    exits: dict[str, set[int]] = {"invalid": set(), "impossible": set()}
    for i in range(count(5, 200)):
        exits["invalid"].add(g.apply(good.replace("protocol: dicom", f"protocol: dicom{i}")).returncode)
        impossible = good.replace(f"listen: 127.0.0.1:{port}", f"listen: [127.0.0.1:{port}, 127.0.0.1:{taken}]")
        exits["impossible"].add(g.apply(impossible).returncode)
    load.stop()
    same = g.route("status")["generation"] == generation
    back = g.apply(good).returncode
    say(
        "reliability-a4",
        invalid=exits["invalid"],
        impossible=exits["impossible"],
        same_generation=same,
        errors=load.errors,
        good_again=back,
    )
    assert (exits, same, load.errors, back) == ({"invalid": {2}, "impossible": {1}}, True, 0, 0)
