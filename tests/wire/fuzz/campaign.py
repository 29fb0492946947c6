"""The one place for running a target over many inputs: what is counted, and what a failure prints so that it can be had again.

.venv/bin/python -m tests.wire.fuzz.campaign TARGET NUMBER        one input again
.venv/bin/python -m tests.wire.fuzz.campaign TARGET FILE          one input that was kept
"""

from __future__ import annotations

import logging
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from tests.wire.fuzz.mutate import mutated
from tests.wire.fuzz.targets import TARGETS

SLOW = 0.250  # seconds of CPU (reliability.md H4)
GROWTH = 50 * 1024 * 1024  # bytes of RSS
WARM = 2_000  # inputs before memory is looked at


class Found(AssertionError):
    """An input that a target could not bear."""


@dataclass
class Run:
    """What came of one campaign."""

    target: str
    words: Counter[str] = field(default_factory=Counter)
    inputs: int = 0
    slow: int = 0  # inputs over SLOW
    slowest: float = 0.0  # seconds of CPU
    grown: int = 0  # bytes of RSS since the warm-up

    def line(self) -> str:
        """The counts on one line. A run that ends has neither crashes nor undeclared exceptions: the first one ends it."""
        return (
            f"fuzz-{self.target} inputs={self.inputs} crashes=0 undeclared=0 outcomes={len(self.words)} over_250ms={self.slow}"
            f" slowest_ms={self.slowest * 1000:.1f} rss_growth_mb={self.grown / 1e6:.1f}"
        )


def run(target: str, inputs: int, first: int = 0) -> Run:
    """`inputs` mutated inputs, by their numbers from `first` on; raises `Found` at the first one that is not borne."""
    fuzzed, chance, result = TARGETS[target], random.Random(0), Run(target)
    seeds = fuzzed.seeds()
    before = 0
    logging.disable(logging.CRITICAL)  # pydicom's, about damaged files
    try:
        for number in range(first, first + inputs):
            chance.seed(number)
            data, seed = mutated(chance, seeds)
            began = time.process_time()
            try:
                result.words[fuzzed.target(data, seed.label, chance)] += 1
            except Exception as error:
                raise Found(told(target, number, data, error)) from error
            took = time.process_time() - began
            result.slowest = max(result.slowest, took)
            result.slow += took > SLOW
            result.inputs += 1
            if number == first + WARM:
                before = rss()
    finally:
        logging.disable(logging.NOTSET)
    result.grown = max(rss() - before, 0) if before else 0
    return result


def told(target: str, number: int, data: bytes, error: Exception) -> str:
    """The failure: what to run to see it again, and what to keep."""
    kind = "broken promise" if isinstance(error, AssertionError) else "undeclared exception"
    again = f".venv/bin/python -m tests.wire.fuzz.campaign {target} {number}"
    return f"{kind} {error!r}\n  again: {again}\n  keep it: bytes of tests/wire/fuzz/found/{target}-NAME.bin = {data.hex()}"


def rss() -> int:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def one(target: str, data: bytes, label: str = "") -> str:
    """One input; splits depend on the bytes only. Without a label every one that the target's seeds have is tried."""
    fuzzed = TARGETS[target]
    labels = [label] if label else sorted({seed.label for seed in fuzzed.seeds()})
    return " ".join(fuzzed.target(data, each, random.Random(crc32(data))) for each in labels)


def main() -> int:
    """See one input again."""
    target, which = sys.argv[1:]
    if which.isdecimal():
        print(run(target, 1, int(which)).words)
    else:
        print(one(target, Path(which).read_bytes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
