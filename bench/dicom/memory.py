"""The one place for what an association costs the route process in memory: 200 idle ones, and 16 that send objects of 512 KB."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bench.dicom import wire
from bench.dicom.figures import Cell, Expected, Figure, Void
from bench.dicom.paths import Standing, forget_peak, resident
from bench.dicom.run import measure

IDLE = 200
BUSY = Cell(512 << 10, 16, 1600, warm=4)


@dataclass(frozen=True)
class Memory:
    """Bytes of the route process: before any association, for one that is idle, for one that is busy (at its peak)."""

    before: int
    idle: float
    busy: float


class Seen:
    """Looks at the route process in the course of one measurement."""

    def __init__(self) -> None:
        self.before = 0
        self.idle = self.busy = 0.0

    def ready(self, standing: Standing) -> None:
        """The path stands: idle associations come and go, then the peak begins anew."""
        pid = standing.pids[0]
        for sock in [_associate(standing.port)]:  # the first one loads what all share
            sock.close()
        self.before = resident(pid)
        held = [_associate(standing.port) for _ in range(IDLE)]
        self.idle = (resident(pid) - self.before) / IDLE
        for sock in held:
            sock.sendall(wire.pdu(5, bytes(4)))
            wire.read_pdu(sock)
            sock.close()
        forget_peak(pid)

    def sent(self, standing: Standing) -> None:
        """Everything is answered and the path still stands."""
        self.busy = (resident(standing.pids[0], "VmHWM") - self.before) / BUSY.associations


def _associate(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.sendall(wire.associate_rq(b"PACS", b"BENCH", 16384))
    kind, _ = wire.read_pdu(sock)
    if kind != 2:
        raise Void(f"PDU {kind} for an A-ASSOCIATE-RQ")
    return sock


def once(expected: Expected) -> tuple[Memory, Figure]:
    """One fresh route process. Raises Void."""
    seen = Seen()
    figure = measure("gurney", BUSY, expected, ready=seen.ready, sent=seen.sent)
    return Memory(seen.before, seen.idle, seen.busy), figure


def median(found: list[Memory]) -> Memory:
    """Each of the three by itself."""
    picks: list[Callable[[Memory], float]] = [lambda m: m.before, lambda m: m.idle, lambda m: m.busy]
    before, idle, busy = (statistics.median(pick(m) for m in found) for pick in picks)
    return Memory(int(before), idle, busy)
