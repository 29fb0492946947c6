"""The one place for load that lasts: associations that break off some of their objects, send each until it is acked, keep only hashes."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from . import objects, pdus
from .objects import Thing
from .pdus import Broken
from .sender import Association, Refused

SIZES = (8_000, 8_000, 30_000, 60_000, 60_000, 250_000, 500_000, 2_000_000)
BREAKS = ("abort", "reset", "close")


class Soak:
    """`associations` threads, studies of 50 objects; `faults` of a thousand objects are broken off in mid data set, then sent whole.

    `acked` maps SOP Instance UID to sha256; `counts` tells what happened, in words.
    """

    def __init__(self, port: int, associations: int = 4, faults: int = 5) -> None:
        self.port, self.faults = port, faults
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.acked: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.broken: list[str] = []
        self.threads = [threading.Thread(target=self._work, args=(i,), daemon=True) for i in range(associations)]
        for t in self.threads:
            t.start()

    def _count(self, word: str) -> None:
        with self.lock:
            self.counts[word] += 1

    def _work(self, index: int) -> None:
        rng = random.Random(index)
        a: Association | None = None
        number = 0
        while not self.stopping.is_set():
            study = objects.uid(rng)
            for _ in range(50):
                number += 1
                t = objects.thing(study, objects.uid(rng), size=rng.choice(SIZES))
                if rng.randrange(1000) < self.faults:
                    a = self._break_off(a or self._open(), t, rng)
                a = self._until_acked(a, t)
                if self.stopping.is_set():
                    break
        if a is not None:
            a.release()

    def _open(self) -> Association:
        return Association(self.port, pdus.offers_for([(objects.CT, pdus.EXPLICIT_LE)]), timeout=120)

    def _break_off(self, a: Association, t: Thing, rng: random.Random) -> None:
        """Some of the object, then away."""
        how = rng.choice(BREAKS)
        message = b"".join(
            pdus.message_pdus(a.accepted[t.pair], pdus.store_rq(t.sop_class, t.sop_instance, a.message + 1), t.data, a.pdu_size)
        )
        a.sock.sendall(message[: rng.randrange(1, len(message) - 1)])
        self._count(f"sender_{how}")
        if how == "abort":
            a.abort()
        elif how == "reset":
            a.reset()
        else:
            a.sock.close()

    def _until_acked(self, a: Association | None, t: Thing) -> Association | None:
        while not self.stopping.is_set():
            try:
                a = a or self._open()
                status = a.store(t)
            except Refused as e:
                self._note(f"rejected {e}")
                self.stopping.wait(0.1)
                continue
            except (OSError, Broken) as e:
                self._note(f"{type(e).__name__}: {e}")
                if a is not None:
                    a.sock.close()
                a = None
                continue
            if status == 0:
                with self.lock:
                    self.acked[t.sop_instance] = t.sha
                return a
            self._count(f"refused_{status:04x}")
            self.stopping.wait(0.1)
        return a

    def _note(self, text: str) -> None:
        with self.lock:
            self.broken.append(text)

    def stop(self) -> None:
        self.stopping.set()
        for t in self.threads:
            t.join(130)
            assert not t.is_alive()


@dataclass(frozen=True)
class Sample:
    """What a process holds at one moment."""

    rss: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Sample:
        words = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return cls(int(words["VmRSS"].split()[0]) << 10, len(os.listdir(f"/proc/{pid}/fd")), int(words["Threads"]))


def drift(values: list[int]) -> float:
    """The straight line through `values`, from its first to its last point, in their unit."""
    n = len(values)
    mean_x, mean_y = (n - 1) / 2, sum(values) / n
    above = sum((x - mean_x) * (y - mean_y) for x, y in enumerate(values))
    below = sum((x - mean_x) ** 2 for x in range(n))
    return above / below * (n - 1) if below else 0.0
