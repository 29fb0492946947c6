"""What one sender or one member does is not felt by the others: fair shares, and a member that takes its time (§12: 9)."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import ASKED, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.flow import Flow, Sink
from tests.live.harness.wait import until

MIB = 1 << 20


def rate(flow: Flow, which: list[int], size: int) -> float:
    """Bytes a second that these senders get through, over `size` bytes of theirs."""
    begun, before = time.monotonic(), flow.moved(which)
    until(lambda: flow.moved(which) >= before + size, 60, f"{size} bytes more", every=0.002)
    return (flow.moved(which) - before) / (time.monotonic() - begun)


@pytest.mark.timeout(600 if ASKED else 120)
@pytest.mark.parametrize("kind", ["huge", "small"])
def test_dicom_fairness_one_sender_at_full_speed(room: Room, kind: str) -> None:
    """Four senders at full speed, all of 512 KB objects, then one of them with objects of another kind: what the other three still get.

    Fair is what they got beside one of their own kind, a moment before.
    """
    sink = room.keep(Sink(room.folder, room.port()))
    port = room.port()
    room.gurney(pacs(port, {"archive": {"m": at(sink.port)}}))
    flow = room.keep(Flow(room.folder, port, 4))
    others, pairs, size = [1, 2, 3], count(1, 9, 9), count(96, 512, 512) * MIB
    shares, greedy = [], []
    for _ in range(pairs):
        flow.send(["equal"] * 4)
        rate(flow, others, size // 4)
        fair = rate(flow, others, size)
        flow.send([kind, "equal", "equal", "equal"])
        rate(flow, others, size // 4)
        shares.append(rate(flow, others, size) / fair)
        greedy.append(fair / 3)
    flow.send(["pause"] * 4)
    say(
        "dicom-fairness",
        kind=kind,
        pairs=pairs,
        share=f"{statistics.median(shares):.2f}",
        worst=f"{min(shares):.2f}",
        fair_mb_s=round(statistics.median(greedy) / 1e6),
    )
    if ASKED:
        assert statistics.median(shares) >= 0.8
