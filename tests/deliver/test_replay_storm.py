"""Everything at once, by a seed: members that fail in every way, senders that leave at every moment, revisions in between.

What is asserted is the promise: acknowledged ⊆ stored whole on some member, bytes exactly as sent, and nothing left behind.
"""

from __future__ import annotations

import random
import socket
import threading

import pytest

from tests.deliver.running import Running, document
from tests.deliver.script import Line, Script
from tests.deliver.test_slabs_accounting import budget
from tests.live.harness import objects, pdus
from tests.live.harness.pdus import Broken
from tests.live.harness.sender import Association, Refused

SIZES = ([300, 9_000, 70_000, 400_000], [9_000, 1_100_000, 2_500_000])
ECHO = (pdus.VERIFICATION, pdus.IMPLICIT_LE)


class Moody:
    """A member whose every object meets another mood; `stored` maps SOP Instance UID to the bytes it took whole and kept."""

    def __init__(self, rng: random.Random, calm: float) -> None:
        self.rng, self.calm = rng, calm
        self.lock = threading.Lock()
        self.stored: dict[str, list[bytes]] = {}
        self.script = Script(self.play, max_length=rng.choice([512, 4096, 16384, 131072, 0]))
        self.port = self.script.port

    def play(self, line: Line) -> None:
        """An act of a script."""
        while True:
            with self.lock:
                mood = "good" if self.rng.random() < self.calm else self.rng.choice(MOODS)
                cut = self.rng.randrange(1, 60_000)
            line.take_command()
            if pdus.number(line.command, 0x100) == 0x0030:
                line.conn.sendall(pdus.pdata(pdus.pdv(line.context, 3, pdus.response(line.command, 0))))
                continue
            if mood in ("reset", "close", "abort"):
                line.take(within(line, cut))
                if mood == "abort":
                    line.conn.sendall(pdus.abort(2, 0))
                elif mood == "reset":
                    line.reset()
                return
            if mood == "early":
                whole = any(control == 2 for _, control, _ in pdus.pdvs(pdus.read_pdu(line.conn)[1]))
                line.say(0xA700)
                if not whole:
                    line.take_data()
                continue
            data = line.take_data()
            if mood in STATUS:
                line.say(STATUS[mood])
                continue
            with self.lock:
                self.stored.setdefault(pdus.text(line.command, 0x1000), []).append(data)
            if mood == "no answer":
                line.reset()
                return
            if mood == "wrong id":
                line.say(0, x120=60_000)
                line.rest()
                return
            line.say(0xB000 if mood == "warning" else 0)
            if mood == "twice":
                line.say(0)
            if mood == "release":
                line.conn.sendall(pdus.pdu(pdus.RELEASE_RQ, bytes(4)))
                line.rest()
                return
            if mood == "leave":
                return


def within(line: Line, cut: int) -> int:
    """At most what this object has for sure: its SOP class says nothing, its UID carries its size."""
    return min(cut, int(pdus.text(line.command, 0x1000).rpartition(".")[2]) // 2)


STATUS = {"full": 0xA701, "fault": 0x0110, "object": 0xC001, "refused": 0x0124}
MOODS = [*STATUS, "reset", "close", "abort", "early", "no answer", "wrong id", "warning", "twice", "release", "leave"]


def framed(rng: random.Random, context: int, command: bytes, data: bytes, maximum: int) -> bytes:
    """A message in PDUs of at most `maximum`: one PDV each, or now and then several, odd ones, empty ones, the command beside data."""
    if rng.random() < 0.6:
        return b"".join(pdus.message_pdus(context, command, data, maximum))
    out, items, room = [], [pdus.pdv(context, 3, command)], maximum - len(command) - 6
    at = 0
    while at < len(data) or not at:
        size = min(rng.choice([0, 1, 501, 4000, maximum]), len(data) - at, room - 6)
        if size < 0 or len(items) > 3:
            out.append(pdus.pdata(*items))
            items, room = [], maximum
            continue
        at += size
        items.append(pdus.pdv(context, 2 if at == len(data) else 0, data[at - size : at]))
        room -= size + 6
    return b"".join([*out, pdus.pdata(*items)])


class Sender(threading.Thread):
    """Sends its objects one after the other, leaving in the middle now and then; `acked` are those with a positive answer."""

    def __init__(self, port: int, rng: random.Random, things: list[objects.Thing], name: str) -> None:
        super().__init__(daemon=True)
        self.port, self.rng, self.things, self.ae = port, rng, things, name
        self.acked: set[str] = set()
        self.late: list[str] = []

    def run(self) -> None:
        a: Association | None = None
        for thing in self.things:
            try:
                if a is None:
                    a = Association(self.port, pdus.offers_for([thing.pair, ECHO]), calling=self.ae, timeout=20)
                a = self.one(a, thing)
            except Refused:
                a = None
            except TimeoutError:
                self.late.append(thing.sop_instance)
                a = None
            except (OSError, Broken):
                a = None
        if a is not None:
            try:
                a.release()
            except (OSError, Broken):
                pass

    def one(self, a: Association, thing: objects.Thing) -> Association | None:
        a.message += 1
        command = pdus.store_rq(thing.sop_class, thing.sop_instance, a.message)
        data = framed(self.rng, a.accepted[thing.pair], command, thing.data, a.pdu_size)
        how = self.rng.random()
        if how < 0.1:
            a.sock.sendall(data[: self.rng.randrange(len(data))])
            a.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            a.sock.close()
            return None
        if how < 0.15:
            a.sock.sendall(data + pdus.abort())
            a.sock.close()
            return None
        if how < 0.2:
            a.sock.sendall(data + pdus.pdu(pdus.RELEASE_RQ, bytes(4)))
        elif how < 0.4:
            step = self.rng.randrange(1, 20_000)
            for at in range(0, len(data), step):
                a.sock.sendall(data[at : at + step])
        else:
            a.sock.sendall(data)
        status = a.status()
        if status == 0 or status >> 12 == 0xB:
            self.acked.add(thing.sop_instance)
        if how < 0.2:
            a.sock.close()
            return None
        if self.rng.random() < 0.2:
            assert a.echo() == 0
        return a


@pytest.mark.parametrize("seed", range(4))
def test_nothing_acknowledged_is_missing_or_changed(seed: int) -> None:
    """Six senders, three members, four revisions: all by the seed."""
    rng = random.Random(seed)
    members = [Moody(random.Random(f"{seed}m{n}"), rng.choice([0.3, 0.6, 0.9])) for n in range(3)]
    things = [objects.study(f"{seed}-{n % 4}", 12, size=rng.choice(SIZES[seed % 2])) for n in range(6)]
    things = [
        [objects.thing(t.study, f"{t.sop_instance[:30]}.{n}.{len(t.data)}", size=len(t.data)) for t in ts] for n, ts in enumerate(things)
    ]
    ports = [m.port for m in members]
    memory = rng.choice([6, 12, 256])
    how = {
        "service": f", replay_limit: {rng.choice([1, 64])}MiB",
        "check": rng.choice(["tcp", "dicom-echo"]),
        "interval": rng.choice(["1h", "500ms"]),
        "balance": rng.choice(["study", "least-load", "round-robin", "failover"]),
        "member": f", max_associations: {rng.choice([1, 2, 8])}",
    }
    try:
        with Running(ports, **how) as route:
            senders = [Sender(route.port, random.Random(f"{seed}s{n}"), ts, f"AE{n % 3}") for n, ts in enumerate(things)]
            budget(route, memory)
            for sender in senders:
                sender.start()
            for n in range(4):
                senders[n].join(0.3)
                route.load(document(route.port, ports if n % 2 else ports[:2], **how))
            for sender in senders:
                sender.join(30)
            assert not any(sender.is_alive() for sender in senders)
            assert [sender.late for sender in senders] == [[]] * 6
            route.healthy()
    finally:
        for member in members:
            member.script.close()
    sent = {t.sop_instance: t.data for ts in things for t in ts}
    acked = set[str]().union(*(sender.acked for sender in senders))
    stored: dict[str, list[bytes]] = {}
    for member in members:
        for uid, copies in member.stored.items():
            stored.setdefault(uid, []).extend(copies)
    print(f"storm-{seed} sent={len(sent)} acked={len(acked)} stored={len(stored)} lost={len(acked - set(stored))}")
    assert acked <= set(stored)
    assert acked or seed < 0
    assert all(copy == sent[uid] for uid, copies in stored.items() for copy in copies)
