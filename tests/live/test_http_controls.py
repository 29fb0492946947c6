"""The broken controls of reliability A1 and A2: Gurney's own bundle with one guard taken out must fail where the whole one does not.

On HAProxy 2.8 the master of master-worker mode hands the listeners over by a socket pair of its own, with or without `expose-fd
listeners`; the control of the hand-over is therefore a new process that is not given them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import ASKED, count, say
from tests.live.harness.http.bare import Bare, compiled
from tests.live.harness.http.groups import Group
from tests.live.harness.http.shapes import shaped, staffed
from tests.live.harness.wait import until

EXPOSE = "expose-fd listeners"
IDLE = "option idle-close-on-response"
HARD = "hard-stop-after"
ROW = 30  # reloads of the row; a control that has not failed after three times as many is blind


def driven(room: Room, group: Group, change: Callable[[], None], *, whole: bool) -> tuple[int, int, int]:
    """(changes, good answers, errors): the whole product `count` changes long, a control until it fails."""
    load = room.load(group)
    load.runs(50)
    most = count(3, 60, asked=ROW) if whole else 3 * ROW
    changes = 0
    while changes < most and (whole or not load.failed()):
        began = time.monotonic()
        change()
        changes += 1
        load.runs(1, 15) if whole else None
        until(lambda began=began: time.monotonic() - began > (1 if ASKED else 0.4) or (not whole and load.failed()), 5, "a change a second")  # type: ignore[misc]
    tally = load.stop()[group.name]
    return changes, tally.done, tally.failed


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", ["handed over", "not handed over", "stop and start"])
def test_reliability_a1_control_of_the_hand_over(room: Room, how: str) -> None:
    """64 connections with `Connection: close`: 0 errors with the hand-over; without it, and with stop and start, there are some."""
    site, port = room.website("a", "b"), room.port()
    files = compiled(staffed(port, site.ports()))
    whole = how == "handed over"
    bare = room.keep(Bare(room.folder, files, port, without=EXPOSE if how == "not handed over" else "", master=how == "stop and start"))
    change = bare.restart if how == "stop and start" else lambda: bare.replace(whole)
    changes, done, errors = driven(room, Group("g", port, connections=64, close=True, timeout=3), change, whole=whole)
    say("reliability-a1-control", guard=how.replace(" ", "-"), changes=changes, requests=done, errors=errors)
    assert (errors == 0) == whole, bare.folder


@pytest.mark.timeout(400)
@pytest.mark.parametrize("idle", [True, False])
def test_reliability_a1_control_of_idle_connections(room: Room, idle: bool) -> None:
    """Kept connections over reloads by the master: 0 errors with `option idle-close-on-response`; without it there are some."""
    site, port = room.website("a", "b"), room.port()
    files = compiled(staffed(port, site.ports()))
    bare = room.keep(Bare(room.folder, files, port, without="" if idle else IDLE))
    group = Group("g", port, connections=64, pause=0.002, timeout=3)
    changes, done, errors = driven(room, group, bare.reload, whole=idle)
    say("reliability-a1-control", guard="idle-close-on-response" if idle else "none", changes=changes, requests=done, errors=errors)
    assert (errors == 0) == idle


@pytest.mark.timeout(400)
@pytest.mark.parametrize("patient", [True, False])
def test_reliability_a2_control_of_old_workers(room: Room, patient: bool) -> None:
    """Upgraded connections over reloads: none breaks while old workers may end theirs; with `hard-stop-after 1s` all of them do."""
    site, port = room.website("a", "b"), room.port()
    files = compiled(shaped(0, port, site.ports()))
    line = next(x.strip() for x in files["haproxy.cfg"].splitlines() if x.strip().startswith(HARD))
    bare = room.keep(Bare(room.folder, files, port, put=("", "") if patient else (line, f"{HARD} 1s")))
    group = Group("g", port, kind="upgrade", connections=50, pause=0.1, timeout=5)
    changes, done, errors = driven(room, group, bare.reload, whole=patient)
    say("reliability-a2-control", old_workers="may-end" if patient else "hard-stop-after-1s", changes=changes, messages=done, broken=errors)
    assert (errors == 0) == patient
