"""A hurt member leaves, a healed one returns, per kind of check; a drained one gets nothing (reliability A6)."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import CHAOS, say
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.documents import CHECK, TCP_CHECK, web
from tests.live.harness.http.groups import Group
from tests.live.harness.http.running import Load, Website
from tests.live.harness.wait import Late, until

WITHIN = 0.5 * 2 + 0.5  # interval × fall + timeout of CHECK
HURTS: dict[str, list[dict[str, Any]]] = {
    "kill": [],
    "stop": [],
    "deaf": [{"mode": "deaf"}],
    "rst": [{"mode": "rst"}],
    "503": [{"mode": "status", "status": 503}],
    "slow": [{"mode": "slow", "seconds": 10.0}],
}
FOUND = {"http": list(HURTS), "tcp": ["kill", "deaf"]}  # what a check of that kind can see


def word(g: Gurney, member: str) -> str:
    return str(g.status()["applications"]["web"]["pools"]["servers"]["members"][member]["operational"])


def hurt(member: Website, how: str) -> None:
    if how == "kill":
        member.kill()
    elif how == "stop":
        member.signal(signal.SIGSTOP)
    else:
        for changes in HURTS[how]:
            member.set("a", **changes)


def heal(member: Website, how: str) -> None:
    if how == "kill":
        member.start()
    elif how == "stop":
        member.signal(signal.SIGCONT)
    else:
        member.set("a", mode="normal")
        member.say(op="cut", name="a")


def asked(member: Website, how: str) -> int:
    return 0 if how in ("kill", "stop") else int(member.counts("a")["requests"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_reliability_a6_http_a_hurt_member_leaves_a_healed_one_returns(room: Room, kind: str) -> None:
    """Out by its checks, nothing reaches it while it is out, back when healed; the other member serves all the time."""
    a, b = room.website("a"), room.website("b")
    port = room.port()
    g = room.gurney(web(port, {"a": a.port(), "b": b.port()}, check=CHECK if kind == "http" else TCP_CHECK, slow_start="0s"))
    load = room.load(
        Group("g", port, connections=8, pause=0.02, timeout=2), Group("close", port, connections=4, close=True, pause=0.02, timeout=2)
    )
    load.runs(50)
    times: dict[str, float] = {}
    late: dict[str, int] = {}
    to_the_out = during = 0
    for how in FOUND[kind]:
        errors = load.failed()
        began = time.monotonic()
        hurt(a, how)
        until(lambda: word(g, "a") == "down", 20, f"out after {how}", every=0.05)
        times[how] = time.monotonic() - began
        # what it had in hand when it went out ends by the client's own 2 s, where it answers nothing
        settled(load, 2.2 if how in ("stop", "slow", "deaf") else 0.5)
        during += load.failed() - errors
        errors, seen = load.failed(), asked(a, how)
        load.runs(200)
        late[how] = load.failed() - errors
        to_the_out += asked(a, how) - seen
        heal(a, how)
        until(lambda: word(g, "a") == "up", 20, f"back after {how}", every=0.05)
    assert g.verb("drain", "web/servers/a").returncode == 0
    load.runs(20)
    seen = a.counts("a")["requests"]
    load.runs(200)
    to_drained = a.counts("a")["requests"] - seen
    load.stop()
    outs = ",".join(f"{h}:{t:.1f}" for h, t in times.items())
    figures = {"errors_while_out": sum(late.values()), "to_a_member_out": to_the_out, "to_drained": to_drained}
    say("reliability-a6-http", check=kind, hurts=len(times), out_s=outs, errors_until_out=during, **figures)
    assert set(figures.values()) == {0}, (figures, late, load.now)
    if CHAOS:
        assert max(times.values()) <= WITHIN + 2  # and the time a status takes


def settled(load: Load, calm_for: float) -> None:
    """Until what was in flight at the hurt member has ended: no further error for a while (where it hangs, a time-out of the load)."""
    state = [load.failed(), time.monotonic()]

    def calm() -> bool:
        if load.failed() != state[0]:
            state[:] = [load.failed(), time.monotonic()]
        return time.monotonic() - state[1] > calm_for

    until(calm, 30, "nothing more fails")
    load.runs(20)


def test_reliability_a6_control_a_connect_only_check_misses_sigstop(room: Room) -> None:
    """The broken control: with `kind: tcp` a stopped member stays up, since the kernel still accepts for it; with `http` it goes."""
    words = {}
    for kind, check in (("http", CHECK), ("tcp", TCP_CHECK)):
        a, b = room.website(f"{kind}a"), room.website(f"{kind}b")
        port = room.port()
        g = room.gurney(web(port, {"a": a.port(), "b": b.port()}, check=check), name=kind)
        a.signal(signal.SIGSTOP)
        try:
            until(lambda g=g: word(g, "a") == "down", 20 if kind == "http" else 5, "out", every=0.1)  # type: ignore[misc]
        except Late:
            pass
        words[kind] = word(g, "a")
        a.signal(signal.SIGCONT)
    say("reliability-a6-control", sigstop_http=words["http"], sigstop_tcp=words["tcp"])
    assert words == {"http": "down", "tcp": "up"}
