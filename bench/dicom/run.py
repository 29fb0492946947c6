"""The one place for one measurement and the order of many: neighbours in time, turning order, ratios, no number without proof."""

from __future__ import annotations

import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.dicom.paths import PATHS, ROOT, cpu_seconds, gurney_profiled, listens, start, until
from bench.ports import free_ports

SLOW = {"pynetdicom": 40}  # paths that get a share of the objects, so that a cell ends


@dataclass(frozen=True)
class Cell:
    """One size and number of associations; `objects` is for all associations together."""

    size: int
    associations: int
    objects: int
    maximum: int = 16384  # what the receiver advertises

    @property
    def title(self) -> str:
        unit = f"{self.size >> 20} MB" if self.size >= 1 << 20 else f"{self.size >> 10} KB"
        return f"{unit} x {self.associations}" + ("" if self.maximum == 16384 else f" ({self.maximum >> 10} KiB PDUs)")


@dataclass(frozen=True)
class Figure:
    """One measurement that was proved: every object arrived with its sha256."""

    objects_per_second: float
    megabytes_per_second: float
    cpu_per_gb: float
    p50_ms: float
    p99_ms: float
    pdu: int


class Void(Exception):
    """An object is missing or wrong, or a sender saw an error: there is no number."""


def measure(path: str, cell: Cell, account: dict[str, Any] | None = None) -> Figure:
    """Starts sink and path fresh, sends, stops, proves. Raises Void.

    With `account` the path is the profiled route process, and its account is put in there.
    """
    folder = Path(tempfile.mkdtemp(prefix="gb-", dir="/tmp"))
    port, sink_port = free_ports(2)
    each = max(2, cell.objects // SLOW.get(path, 1) // cell.associations)
    keep = (each + 10) * (cell.size + 4096) * (2 if cell.associations > 1 else 1)
    argv = [sys.executable, "-m", "bench.dicom.sink", "--port", str(sink_port), "--maximum", str(cell.maximum), "--keep", str(keep)]
    sink = start([*argv, "--results", str(folder / "results")], folder, "sink", ROOT)
    standing = None
    try:
        until(lambda: listens(sink_port), 10, "the sink listens")
        standing = (PATHS[path] if account is None else gurney_profiled)(folder, port, sink_port)
        out, cpu = _generate(standing.port, standing.pids, cell, each)
    finally:
        if standing is not None:
            standing.close()
        sink.send_signal(signal.SIGTERM)
        sink.wait(120)
        arrived = _results(folder / "results")
        if account is not None and (folder / "profile.json").exists():
            account.update(json.loads((folder / "profile.json").read_text()))
        shutil.rmtree(folder, ignore_errors=True)
    _prove(out, arrived)
    rate = out["objects"] / out["seconds"]
    return Figure(rate, out["bytes"] / out["seconds"] / 1e6, cpu / (out["bytes"] / 1e9), out["p50_ms"], out["p99_ms"], out["pdu"])


def _generate(port: int, pids: Sequence[int], cell: Cell, each: int) -> tuple[dict[str, Any], float]:
    """The generator's result and the CPU seconds of `pids` while its clock ran."""
    argv = [sys.executable, "-m", "bench.dicom.generator", "--port", str(port), "--associations", str(cell.associations)]
    argv += ["--objects", str(each), "--size", str(cell.size)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        assert p.stdin is not None and p.stdout is not None
        p.stdout.readline()
        before = cpu_seconds(pids)
        p.stdin.write("go\n")
        p.stdin.flush()
        line = p.stdout.readline()
        cpu = cpu_seconds(pids) - before
    return dict(json.loads(line)), cpu


def _results(folder: Path) -> dict[str, set[str]]:
    arrived: dict[str, set[str]] = {}
    for file in folder.glob("*.json"):
        for sop, digest in json.loads(file.read_text()):
            arrived.setdefault(sop, set()).add(digest)
    return arrived


def _prove(out: dict[str, Any], arrived: dict[str, set[str]]) -> None:
    if out["errors"]:
        raise Void(f"{len(out['errors'])} associations failed: {out['errors'][0]}")
    wrong = [sop for sop, digest in out["sent"].items() if arrived.get(sop) != {digest}]
    if wrong:
        missing = sum(sop not in arrived for sop in wrong)
        raise Void(f"{len(wrong)} of {len(out['sent'])} objects are missing ({missing}) or wrong")


@dataclass
class Result:
    """All measurements of a cell by path, in rounds; None where a round is void."""

    cell: Cell
    rounds: dict[str, list[Figure | None]]
    faults: list[str]

    def median(self, path: str, pick: Callable[[Figure], float]) -> float | None:
        """The median over the rounds; None when any round of this path was void."""
        figures = self.rounds[path]
        if not figures or any(f is None for f in figures):
            return None
        return statistics.median(pick(f) for f in figures if f is not None)

    def ratio(self, path: str, to: str) -> float | None:
        """The median of the ratios of neighbours in time (the same round)."""
        pairs = list(zip(self.rounds[path], self.rounds[to], strict=True))
        if not pairs or any(a is None or b is None for a, b in pairs):
            return None
        return statistics.median(a.objects_per_second / b.objects_per_second for a, b in pairs if a is not None and b is not None)


def run(cell: Cell, paths: Sequence[str], rounds: int, say: Callable[[str], None]) -> Result:
    """Every path once a round; the order turns by one each round."""
    result = Result(cell, {p: [] for p in paths}, [])
    for r in range(rounds):
        turn = r % len(paths)
        for path in [*paths[turn:], *paths[:turn]]:
            figure = None
            try:
                figure = measure(path, cell)
                rate = f"{figure.objects_per_second:.0f} objects/s, {figure.megabytes_per_second:.0f} MB/s"
                say(f"{cell.title}, round {r + 1}, {path}: {rate}")
            except (Void, RuntimeError, OSError, ValueError) as e:
                result.faults.append(f"{cell.title}, round {r + 1}, {path}: {e}")
                say(result.faults[-1])
            result.rounds[path].append(figure)
    return result
