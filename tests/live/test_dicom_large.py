"""Objects larger than memory should be: they flow, whatever their size, and what cannot be sent again is refused honestly (§12: 41)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.conftest import Room
from tests.live.harness import bulk, objects, pdus
from tests.live.harness.bulk import Large, Sink
from tests.live.harness.counts import ASKED, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.sender import Association, send
from tests.live.harness.wait import until

MIB = 1 << 20
MOST = 200 * MIB  # RSS of the route process, dicom.md §11


def peak(pid: int) -> int:
    """The most a process has had resident since it began, bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:", 1)[1].split()[0]) << 10


def opened(port: int, *larges: Large) -> Association:
    return Association(port, pdus.offers_for([one.pair for one in larges]), max_length=131072, timeout=300)


@pytest.mark.timeout(600 if ASKED else 120)
def test_dicom_41_objects_larger_than_memory(room: Room) -> None:
    """One object of 2 GB, then one of 4.1 GiB, over one association: nothing grows with them, no counter is 32 bits wide."""
    sink = room.keep(Sink())
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {"m": at(sink.port)}}))
    large = [
        Large("2.25.4101", "2.25.41", count(160 * MIB, 2_000_000_000, 2_000_000_000)),
        Large("2.25.4102", "2.25.41", count(96 * MIB, 4_402_341_478, 4_402_341_478), encapsulated=True),
        Large("2.25.4103", "2.25.41", 1 * MIB),
    ]
    a = opened(port, *large)
    sent = [bulk.store(a, one) for one in large]
    a.release()
    rss = peak(g.route_pid())
    whole = [sink.taken.get(one.sop_instance) == (s.size, s.sha) for one, s in zip(large, sent, strict=True)]
    headers = sum(-(-s.size // (a.pdu_size - 6)) * 12 for s in sent)
    until(lambda: g.route("status")["services"]["store"]["objects_total"] == 3, 10, "they are counted")
    counted = g.route("status")["services"]["store"]["bytes_total"]
    total = sum(s.size for s in sent)
    say(
        "dicom-41",
        bytes=total,
        largest=max(s.size for s in sent),
        stored=sum(whole),
        statuses=",".join(f"{s.status:04x}" for s in sent),
        counted=counted,
        peak_rss_mb=rss // MIB,
    )
    assert ([s.status for s in sent], whole) == ([0, 0, 0], [True, True, True])
    assert total <= counted <= total + headers + 3 * 12
    assert rss < MOST


def test_dicom_41_what_cannot_be_sent_again_is_refused(room: Room) -> None:
    """Its member dies behind `replay_limit`: A700 and why, no member has it, the association goes on. Under the limit it is replayed.

    What has not left yet keeps what is before it: on a busy machine all may still be there, and then it is replayed too, whole.
    """
    first, second = room.keep(Sink(buffer=65536)), room.keep(Sink())
    port, limit = room.port(), count(8, 64, 64) * MIB
    service = f"replay_limit: {limit // MIB}MiB"
    members = {"a": at(first.port), "b": at(second.port)}
    g = room.gurney(pacs(port, {"archive": members}, service=service, pool="balance: failover"))
    size = count(64, 1024, 1024) * MIB
    under, over = Large("2.25.4111", "2.25.411", limit - MIB), Large("2.25.4112", "2.25.412", size)
    a = opened(port, under, over)
    first.reset_at = MIB
    replayed = bulk.store(a, under)
    g.until_members("archive", lambda ms: ms["a"]["operational"] == "up")
    first.reset_at = 2 * limit
    refused = bulk.store(a, over)
    again = bulk.store(a, over)
    a.release()
    holders = [one.sop_instance in member.taken for one in (under, over) for member in (first, second)]
    rss = peak(g.route_pid())
    say(
        "dicom-41",
        replay_limit=limit,
        replayed=f"{replayed.status:04x}",
        past_it=f"{refused.status:04x}",
        cut_at=first.cut,
        again=f"{again.status:04x}",
        false_success=int(refused.status == 0),
        peak_rss_mb=rss // MIB,
    )
    assert (replayed.status, again.status) == (0, 0)
    if refused.status:
        assert refused.status == 0xA700 and "too large to be sent again" in refused.comment
    else:
        assert second.taken[over.sop_instance] == (refused.size, refused.sha)
    assert second.taken[under.sop_instance] == (replayed.size, replayed.sha)
    assert holders[:2] == [False, True]
    assert any(holders[2:])
    assert rss < MOST
    healthy = send(port, objects.study("41-after", 3))
    assert len(healthy.acked) == 3
