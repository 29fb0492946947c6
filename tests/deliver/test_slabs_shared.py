"""Receive memory that is only kept for a replay is no reason for others to wait (dicom.md §8: replay memory, then unreplayable)."""

from __future__ import annotations

from threading import Thread

from gurney.net.slabs import SLAB, Slab, Slabs
from tests.deliver.running import Running
from tests.deliver.test_slabs_accounting import budget, in_hand
from tests.live.harness import bulk, objects, pdus
from tests.live.harness.bulk import Large
from tests.live.harness.sender import Association
from tests.live.harness.wait import until

MIB = 1 << 20


def test_memory_kept_for_a_replay_is_given_up_for_who_has_none() -> None:
    """A member has whole objects and does not answer; all memory is kept for them. Another sender's object goes on, they are answered."""
    sink = bulk.Sink()
    sink.answering.clear()
    late = [Large(f"2.25.88{i}", "2.25.88", 3 * MIB - 300_000) for i in range(2)]
    other = objects.study("other", 1, size=20_000)[0]
    out: list[bulk.Sent] = []
    try:
        with Running([sink.port]) as route:
            budget(route, 6)
            opened = [Association(route.port, pdus.offers_for([one.pair]), max_length=131072) for one in late]
            senders = [Thread(target=lambda a=a, one=one: out.append(bulk.store(a, one))) for a, one in zip(opened, late, strict=True)]
            for sender in senders:
                sender.start()
            until(lambda: len(sink.taken) == 2, 10, "the member has both")
            until(
                lambda: all(t.whole and t.link is not None and t.link.sent_all for t in in_hand(route)),
                5,
                "nothing of them is left to send",
            )
            budget(route, route.status()["replay_bytes"] // MIB)
            b = Association(route.port, pdus.offers_for([other.pair]), calling="OTHER")
            answer = Thread(target=lambda: statuses.append(b.store(other)))
            statuses: list[int] = []
            answer.start()
            until(lambda: other.sop_instance in sink.taken, 10, "the other object goes on")
            sink.answering.set()
            for thread in (*senders, answer):
                thread.join(10)
            for a in (*opened, b):
                a.release()
            route.healthy()
    finally:
        sink.close()
    assert ([sent.status for sent in out], statuses) == ([0, 0], [0])


def test_what_cannot_be_replayed_any_more_is_not_kept() -> None:
    """Once its beginning is gone an object flows through the memory that is at hand: nothing more is gathered up to the limit."""
    sink = bulk.Sink()
    large = Large("2.25.889", "2.25.88", 40 * MIB)
    looked = 0
    try:
        with Running([sink.port], service=", replay_limit: 16MiB") as route:

            def look(sent: int) -> None:
                nonlocal looked
                if sent > 24 * MIB:
                    looked += 1
                    until(lambda: all(t.held <= 2 * MIB for t in in_hand(route)), 5, "it is not kept")

            a = Association(route.port, pdus.offers_for([large.pair]), max_length=131072)
            sent = bulk.store(a, large, look)
            a.release()
            route.healthy()
    finally:
        sink.close()
    assert (sent.status, sink.taken[large.sop_instance], looked > 2) == (0, (sent.size, sent.sha), True)


def test_slabs_of_one_size_make_room_for_those_of_the_other() -> None:
    """Large ones that lie ready while small ones are leased go back: together they are never more than the budget."""
    slabs = Slabs(8 * MIB, 0)

    def lease() -> list[Slab]:
        return list(iter(slabs.lease, None))

    def ready() -> int:
        return sum(len(free) * size for size, free in slabs._free.items())

    held = lease()
    for slab in [one for one in held if one.size == SLAB]:
        slab.give_back()
    lease()
    assert slabs.leased == 8 * MIB
    assert slabs.leased + ready() <= 8 * MIB
