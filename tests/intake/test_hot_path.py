"""The hot path's rules, each counted for one object on an association that stands, towards a member association that stands.

Peers are processes of their own, so that what is counted and measured here is the route process alone (architecture: hot path).
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import gurney
from tests.deliver.running import Running
from tests.live.harness import objects
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.wait import listening, until
from tests.ports import free_ports

SOURCE = str(Path(str(gurney.__file__)).parent)
SYSCALLS = frozenset({"recv", "recv_into", "send", "sendmsg", "sendall", "setsockopt", "getsockopt", "accept", "connect_ex", "socket"})
PATH = (f"{SOURCE}/intake/", f"{SOURCE}/deliver/")  # what the loop calls there is counted; its clock, record and control socket are not
CALLS = 130  # of Python functions for an object of one read, all of it: reading, its rule, its member, both answers
CALLS_A_READ = 25  # for each further read or write, whatever is in it
WARM = 4  # objects before the one that is counted


@dataclass
class Counts:
    """What one stretch of the loop's thread did: calls of Python functions of ours, system calls on sockets by name."""

    python: int = 0
    functions: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    _root: FrameType | None = None
    _apart: bool = False

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        """For `sys.setprofile` in the loop's thread, from between two of its callbacks on."""
        if event == "call":
            if self._root is None:
                self._root = frame
                self._apart = not frame.f_code.co_filename.startswith(PATH)
            if not self._apart and frame.f_code.co_filename.startswith(SOURCE):
                self.python += 1
                self.functions[frame.f_code.co_qualname] += 1
        elif event == "return":
            if frame is self._root:
                self._root = None
        elif event == "c_call" and not self._apart and self._root is not None:
            name = getattr(arg, "__name__", "")
            if name in SYSCALLS and type(getattr(arg, "__self__", None)).__name__ == "socket":
                self.calls[name] += 1


class Peers:
    """A member and a sender, each a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.journal = folder / "journal"
        behaviour = Behaviour(port=self.port, max_length=131072).as_json()
        self.member = subprocess.Popen([sys.executable, "-m", "tests.live.harness.member", str(self.journal), behaviour])
        until(lambda: listening(self.port), 10, "the member listens")
        self.senders: list[subprocess.Popen[str]] = []

    def send(self, port: int, seed: str, count: int, size: int, pdu: int) -> Callable[[], str]:
        """A sender that is ready; each call of what is returned sends one object and tells its status."""
        arguments = [str(word) for word in (port, seed, count, size, pdu)]
        sender = subprocess.Popen(
            [sys.executable, "-m", "tests.intake.sending", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.senders.append(sender)
        assert sender.stdin is not None and sender.stdout is not None
        stdin, stdout = sender.stdin, sender.stdout
        assert stdout.readline() == "ready\n"

        def one() -> str:
            stdin.write("\n")
            stdin.flush()
            return stdout.readline().strip()

        return one

    def stored(self) -> dict[str, str]:
        """SOP Instance UID -> sha256 at the member."""
        events = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return {event["sop"]: event["sha"] for event in events if event["event"] == "stored"}

    def close(self) -> None:
        for process in (*self.senders, self.member):
            process.kill()
            process.communicate()


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[Peers]:
    peers = Peers(tmp_path)
    yield peers
    peers.close()


def counted(peers: Peers, seed: str, size: int, pdu: int) -> Counts:
    """Counts of the object after the warm ones; all arrived as they were sent."""
    counts = Counts()
    with Running([peers.port]) as route:
        one = peers.send(route.port, seed, WARM + 2, size, pdu)  # the last one is never sent: no release in between
        assert [one() for _ in range(WARM)] == ["0000"] * WARM
        route.inside(lambda: sys.setprofile(counts.profile))  # between two events: what the last object began is over
        assert one() == "0000"
        route.inside(lambda: sys.setprofile(None))
    assert peers.stored() == {thing.sop_instance: thing.sha for thing in objects.study(seed, WARM + 2, size=size)[:-1]}
    return counts


def test_system_calls_of_a_small_object(peers: Peers) -> None:
    """8 KB: a read, a look at the idle link and a gathered write towards the member; a read and a write back.

    QUICKACK only where a read leaves something unfinished: here none does.
    """
    counts = counted(peers, "small", 8192, 16384)
    print(f"hot-path-8k {' '.join(f'{name}={count}' for name, count in sorted(counts.calls.items()))} python={counts.python}")
    reads = counts.calls["recv_into"]
    assert reads == 2
    assert counts.calls["recv"] == 1  # MSG_PEEK on the idle link
    assert counts.calls["sendmsg"] + counts.calls["send"] == 2
    assert counts.calls["setsockopt"] == 0
    assert sum(counts.calls.values()) == 5


def test_python_calls_of_a_small_object(peers: Peers) -> None:
    """8 KB: bounded by a number; whoever makes it larger looks at what he added."""
    counts = counted(peers, "calls", 8192, 16384)
    print(f"hot-path-calls-8k python={counts.python}")
    assert counts.python <= CALLS, counts.functions.most_common(40)


@pytest.mark.parametrize("pdu", [16384, 4096, 1024])
def test_python_calls_follow_reads_not_pdus(peers: Peers, pdu: int) -> None:
    """512 KB in 32, 128 or 512 PDUs: so many calls an object and so many a read or a write, whatever the PDUs."""
    counts = counted(peers, f"large{pdu}", 524_288, pdu)
    reads, writes = counts.calls["recv_into"], counts.calls["send"] + counts.calls["sendmsg"]
    print(f"hot-path-512k pdus={524_288 // pdu} reads={reads} writes={writes} python={counts.python}")
    assert counts.python <= CALLS + CALLS_A_READ * (reads + writes - 4), counts.functions.most_common(40)
    assert counts.calls["setsockopt"] == reads - 2  # those that bring an end, the object's and the answer's, need no QUICKACK


def test_payload_is_copied_nowhere(peers: Peers) -> None:
    """512 KB, in one process with nothing else to do: at no moment is there as much new memory as one of its PDUs."""
    with Running([peers.port]) as route:
        assert peers.send(route.port, "first", 1, 8192, 16384)() == "0000"  # from here on the member's maximum is known
        one = peers.send(route.port, "copies", WARM + 3, 524_288, 65536)
        assert [one() for _ in range(WARM)] == ["0000"] * WARM
        gc.collect()
        tracemalloc.start()
        try:
            assert one() == "0000"
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            assert one() == "0000"
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        print(f"hot-path-memory peak={peak - before}")
        assert peak - before < 32768
