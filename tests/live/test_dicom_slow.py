"""Slow, silent and half-said peers starve nobody (dicom.md §12: 38; reliability.md H1, H2): all of them share one window of time."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.live.conftest import Room
from tests.live.harness import hostile, objects, pdus
from tests.live.harness.account import tally
from tests.live.harness.counts import ASKED, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.sender import Association, Outcome, send
from tests.live.harness.slow import Deaf, Dripper, Honest, Shut, high, sources
from tests.live.harness.wait import until

SHUT_SECONDS = 45.0  # reliability.md H1
RARE = "{kind: dicom-echo, interval: 3s, timeout: 3s, rise: 1, fall: 5}"


def whole(a: Association, thing: objects.Thing) -> bytes:
    """A C-STORE as bytes."""
    return b"".join(
        pdus.message_pdus(a.accepted[thing.pair], pdus.store_rq(thing.sop_class, thing.sop_instance, 1), thing.data, a.pdu_size)
    )


def begun(port: int, thing: objects.Thing, bytes_said: int, **how: Any) -> tuple[socket.socket, bytes]:
    """An association with the beginning of an object on it, and the rest of the object."""
    a = Association(port, pdus.offers_for([thing.pair]), **how)
    data = whole(a, thing)
    a.sock.settimeout(0.2)
    try:
        a.sock.sendall(data[:bytes_said])
    except TimeoutError:
        pass  # it is not read any more
    return a.sock, data[bytes_said:]


def test_dicom_38_idle_connections_and_half_pdus(room: Room) -> None:
    """500 connections that say nothing, 10 half requests, 40 half objects: every honest sender is in, none of the others is at a member.

    510 of the 512 unproven connections a service has (dicom.md §8): honest ones have what is left, and whoever is over 1 s old makes room.
    """
    member = room.member()
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {"m": at(member.port)}}))
    thing = objects.study("38-half", 1, size=40_000)[0]
    warm = objects.study("38-warm", 1)
    assert all(send(port, warm, calling=calling).acked for calling in ("HALF0", "HALF1", "HONEST"))
    known = len(member.requests)
    held: list[socket.socket] = []
    try:
        held += [hostile.connection(port, source) for source in sources(38, 500, 30)]
        rq = pdus.associate_rq("PACS", "HALF", pdus.offers_for([thing.pair]))
        for source in sources(39, 10, 5):
            held.append(hostile.connection(port, source))
            held[-1].sendall(rq[: len(rq) // 2])
        held += [begun(port, thing, 9, calling=f"HALF{n // 30}", source=source)[0] for n, source in enumerate(sources(40, 40, 20))]
        counted = g.route("status")["services"]["store"]
        took: list[float] = []
        acked: set[str] = set()
        honest = [t for n in range(count(40, 400)) for t in objects.study(f"38-{n}", 1)]
        for t in honest:
            begin = time.monotonic()
            a = Association(port, pdus.offers_for([t.pair]), calling="HONEST")
            took.append(time.monotonic() - begin)
            if a.store(t) == 0:
                acked.add(t.sop_instance)
            a.release()
        reached = sum("HALF" in rq.calling for rq in member.requests[known:]) + member.partial
    finally:
        for sock in held:
            sock.close()
    reached += len(member.stored().keys() - {t.sop_instance for t in (*honest, *warm)})
    p95 = round(1000 * high(took, 0.95))
    over = sum(seconds > 0.1 for seconds in took)
    say("dicom-38", idle=counted["unassociated"], half=50, in_=len(took), p95_ms=p95, over_100_ms=over, reached_members=reached)
    assert (len(acked), reached) == (len(honest), 0)
    assert counted["unassociated"] >= 400  # they were there all at once, or nothing was proven
    until(lambda: g.route("status")["services"]["store"]["unassociated"] == 0, 20, "the connections are gone")


class Window:
    """The legs of one window, each with what it stands for; nothing here waits for more than its end."""

    def __init__(self, room: Room) -> None:
        self.member, self.shut = room.member(), room.keep(Shut())
        self.port, self.beside = room.port(), room.port()
        more = f"beside: {{protocol: dicom, listen: 127.0.0.1:{self.beside}, rules: [{{pool: shut}}]}}"
        pools = {"archive": {"m": at(self.member.port)}, "shut": {"s": at(self.shut.port), "t": at(self.member.port)}}
        self.g = room.gurney(pacs(self.port, pools, rules=["{pool: archive}"], more=more, check=RARE, pool="balance: failover"))
        self.pid = self.g.route_pid()
        self.opening, self.inside = room.keep(Dripper()), room.keep(Dripper())
        self.big = objects.study("h1-shut", 1, size=8 << 20)[0]
        self.out: list[Outcome] = []

    def honest(self, name: str, senders: int) -> Honest:
        """Senders of small objects, without an end of their own."""
        return Honest(self.port, [objects.study(f"{name}-{n}", 600, size=20_000) for n in range(senders)])

    def crowd(self, slow: int, deaf: int, room: Room) -> list[Deaf]:
        """Half of the slow ones never finish their request, half never finish an object."""
        rq = pdus.associate_rq("PACS", "SLOW", hostile.OFFERS)
        for source in sources(41, slow // 2, 25):
            self.opening.add(hostile.connection(self.port, source), rq)
        for n, source in enumerate(sources(42, slow // 2, 25)):
            thing = objects.study(f"h2-slow-{n}", 1, size=60_000)[0]
            self.inside.add(*begun(self.port, thing, 400, calling=f"SLOW{n // 25}", source=source))
        found = [room.keep(Deaf(self.port, f"DEAF{n // 25}", source)) for n, source in enumerate(sources(43, deaf, 20))]
        filling = [threading.Thread(target=one.fill) for one in found]
        for thread in filling:
            thread.start()
        for thread in filling:
            thread.join(60)
        return found

    def send_big(self) -> threading.Thread:
        """The object whose member does not read."""
        sending = threading.Thread(target=lambda: self.out.append(send(self.beside, [self.big], timeout=120)), daemon=True)
        sending.start()
        assert self.shut.begun.wait(20)
        return sending


@pytest.mark.timeout(240)
def test_reliability_h1_h2_shut_windows_and_slow_peers(room: Room) -> None:
    """45 s: whoever lives with a shut window is not cut, in either role; 100 slow peers and 20 deaf ones are felt by none of 20 others."""
    w = Window(room)
    quiet = w.honest("idle", 20)
    until(lambda: len(quiet.seconds) > 200 or quiet.faults, 30, "honest senders alone")
    quiet.end()
    before, beside_idle = hostile.rss(w.pid), high(quiet.seconds, 0.99)
    end = time.monotonic() + SHUT_SECONDS
    sending = w.send_big()
    deaf = w.crowd(count(100, 1000, 100), count(20, 200, 20), room)
    w.opening.start()
    w.inside.start()
    honest = w.honest("busy", 20)
    until(lambda: w.opening.gone() == len(w.opening.lines), 30, "ARTIM has ended every request that was not finished")
    until(lambda: time.monotonic() > end, SHUT_SECONDS + 5, "the window is over")
    early, served = w.inside.gone(), len(honest.seconds)
    until(lambda: len(honest.seconds) > served + 20, 10, "honest senders go on while slow ones have held their slots longer than patience")
    growth = hostile.rss(w.pid) - before
    honest.end()
    w.shut.opened.set()
    with ThreadPoolExecutor(len(deaf)) as threads:
        heard = list(threads.map(Deaf.listen, deaf))
    sending.join(60)
    if ASKED:
        until(lambda: w.inside.gone() == len(w.inside.lines), 40, "the deadline inside a message has ended every slow object")
    counts = tally([w.big], w.out[0].acked if w.out else (), [w.shut, w.member])
    cut = sum(due != came for due, came in heard) + (counts["acked"] != 1) + (w.shut.attempts != 1) + early
    peers = {"slow": len(w.opening.lines) + len(w.inside.lines), "deaf": len(deaf), "answers_late": sum(due for due, _ in heard)}
    times = {"p99_ms": round(1000 * high(honest.seconds, 0.99)), "idle_p99_ms": round(1000 * beside_idle)}
    zeros = {"honest_errors": len(honest.faults + quiet.faults), "cut_alive": cut, "on_another": counts["twice"]}
    say("reliability-h1-h2", **peers, honest=len(honest.seconds), **times, rss_growth_mb=growth >> 20, **zeros)
    assert zeros == {"honest_errors": 0, "cut_alive": 0, "on_another": 0}, (honest.faults[:3], heard[:3], w.out, w.shut.attempts)
    assert growth <= 64 << 20
    assert counts["stored"] == 1 and w.shut.stored() == {w.big.sop_instance: w.big.sha}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("slow", "said"), [(300, 20_000), *([(50, 7_000_000)] if ASKED else [])])
def test_reliability_h2_slow_senders_do_not_hold_the_memory_of_others(room: Room, slow: int, said: int) -> None:
    """Objects begun and hardly gone on with, each within its limits: C-ECHO and objects of 4 MB pass, here and on another service."""
    member = room.member()
    port, other = room.port(), room.port()
    many = "limits: {associations: 1000, associations_per_ae: 1000, associations_per_address: 1000}"
    more = f"other: {{protocol: dicom, listen: 127.0.0.1:{other}, rules: [{{pool: archive}}]}}"
    g = room.gurney(pacs(port, {"archive": {"m": at(member.port)}}, rules=["{pool: archive}"], service=many, more=more))
    held: list[socket.socket] = []
    assert send(port, objects.study("h2-warm", 1)).acked
    try:
        made = [objects.study(f"h2-{n}", 1, size=said + 60_000)[0] for n in range(slow)]
        held += [begun(port, thing, said, source=s)[0] for thing, s in zip(made, sources(44, slow, 50), strict=True)]
        until(lambda: g.route("status")["services"]["store"]["associations"] == slow, 20, "all have begun")
        echoes = sum(hostile.served(service) for service in (port, other) for _ in range(5))
        before = hostile.rss(g.route_pid())
        things = [t for n in range(4) for t in objects.study(f"h2-honest-{n}", 1, size=4 << 20)]
        outs = [send(port, things[:2], timeout=40), send(other, things[2:], timeout=40)]
    finally:
        for sock in held:
            sock.close()
    acked, refused = sum(len(out.acked) for out in outs), sum(len(out.refused) for out in outs)
    replayable = g.route("status").get("replay_bytes", 0)
    growth = hostile.rss(g.route_pid()) - before
    say(
        "reliability-h2",
        slow=slow,
        said_each=said,
        acked=acked,
        refused=refused,
        echoes=echoes,
        replay_mb=replayable >> 20,
        rss_growth_mb=growth >> 20,
    )
    # Where slow ones hold all memory and all slots as well, an object may wait its 30 s and hear A700: never silence.
    assert (acked + refused, echoes) == (len(things), 10) and acked >= (len(things) if said < 1 << 20 else 2), [out.errors for out in outs]
