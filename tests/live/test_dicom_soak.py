"""What holds for ten minutes of faults: acknowledged is stored, and nothing grows (§12: 41; reliability.md A7)."""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import ASKED, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.processes import Archive
from tests.live.harness.soak import Sample, Soak, drift
from tests.live.harness.wait import until

SECONDS = count(8, 600, 600)
CALM = "{kind: dicom-echo, interval: 500ms, timeout: 10s, rise: 1, fall: 2}"
MOODS = {"full": 2, "late": 2, "reset": 2}  # of a thousand objects; with the senders' own faults and the kills: one in a hundred


def moods(members: dict[str, Archive]) -> dict[str, int]:
    told = [event["mood"] for m in members.values() for event in m.events("mood")]
    return {f"member_{word}": told.count(word) for word in MOODS}


@pytest.mark.timeout(SECONDS + 180)
def test_dicom_41_soak(room: Room) -> None:
    """Four associations on three archives; an object in a hundred meets a fault; one archive after another is killed and comes back."""
    members = {n: room.archive(n, moods=MOODS) for n in ("a", "b", "c")}
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}, check=CALM))
    pid = g.route_pid()
    soak, samples, kills = Soak(port), [], 0
    rng = random.Random(41)
    begun = killed = time.monotonic()
    while (now := time.monotonic()) < begun + SECONDS:
        acked = len(soak.acked)
        until(lambda acked=acked: len(soak.acked) > acked + 20, 120, "the load goes on")  # type: ignore[misc]
        samples.append(Sample.of(pid))
        if now - killed > SECONDS / 40 + 2:
            victim = rng.choice(sorted(members))
            members[victim].kill()
            g.until_members("archive", lambda ms, victim=victim: ms[victim]["operational"] == "down", 60)  # type: ignore[misc]
            members[victim].start()
            kills, killed = kills + 1, time.monotonic()
    soak.stop()
    until(lambda: g.route("status")["services"]["store"]["associations"] == 0, 30, "no session is left")
    status = g.route("status")
    held = [m.stored() for m in members.values()]
    lost = sum(all(h.get(sop) != sha for h in held) for sop, sha in soak.acked.items())
    half = samples[len(samples) // 2 :]
    rss, descriptors, threads = ([getattr(s, word) for s in half] for word in ("rss", "descriptors", "threads"))
    growth, more = drift(rss), drift(descriptors)
    figures: dict[str, Any] = {"acked": len(soak.acked), "stored": len(soak.acked) - lost, "lost": lost, "sender_errors": len(soak.broken)}
    say(
        "dicom-41-soak",
        seconds=SECONDS,
        **figures,
        kills=kills,
        **moods(members),
        **dict(sorted(soak.counts.items())),
        rss_mb=round(statistics.median(rss) / 2**20),
        rss_drift_mb=f"{growth / 2**20:.1f}",
        descriptors=round(statistics.median(descriptors)),
        descriptors_drift=f"{more:.1f}",
        threads=f"{min(threads)}-{max(threads)}",
        replay_bytes=status["replay_bytes"],
    )
    assert (lost, soak.broken[:3], status["replay_bytes"], g.route_pid()) == (0, [], 0, pid)
    assert len(set(threads)) == 1
    assert kills > 0
    if ASKED:
        assert growth < 0.05 * statistics.median(rss)
        assert abs(more) < 4
