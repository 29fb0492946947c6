"""The one place for one measurement over HTTP and the order of many: wrk on one path at a time, neighbours in time, ratios."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.dicom.paths import Standing, cpu_seconds
from bench.http.paths import PATHS, certificate, installed, sink
from bench.ports import free_ports

CONNECTIONS = 64
SECONDS = 2
SCRIPT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"us":%d,"bad":%d,"p50":%d,"p99":%d}\\n', summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


class Void(Exception):
    """No number: an error at the generator, or no generator."""


@dataclass(frozen=True)
class Cell:
    """`tls` or in the clear, connections kept or one a request."""

    tls: bool
    close: bool

    @property
    def title(self) -> str:
        return f"{'TLS' if self.tls else 'clear'}, {'one request a connection' if self.close else 'kept'}"


CELLS = tuple(Cell(tls, close) for tls in (False, True) for close in (False, True))


@dataclass(frozen=True)
class Figure:
    """Requests a second, latency in milliseconds, errors the generator saw; `cpu_us` of the path's processes a request."""

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    bad: int


@dataclass
class Result:
    """Every figure of a cell by path, in rounds."""

    cell: Cell
    rounds: dict[str, list[Figure]] = field(default_factory=dict)

    def median(self, path: str, pick: Callable[[Figure], float] = lambda f: f.rate) -> float:
        return statistics.median(pick(f) for f in self.rounds[path])

    def ratio(self, path: str, to: str) -> float:
        """The median of the ratios of neighbours in time."""
        return statistics.median(a.rate / b.rate for a, b in zip(self.rounds[path], self.rounds[to], strict=True))

    def cpu_ratio(self, path: str, to: str) -> float:
        """The same of processor time a request, `to` ÷ `path`: what else the machine does matters less to it."""
        return statistics.median(b.cpu_us / a.cpu_us for a, b in zip(self.rounds[path], self.rounds[to], strict=True))


def generate(folder: Path, port: int, cell: Cell, tls: bool, pids: Sequence[int], seconds: float = SECONDS) -> Figure:
    """wrk with 64 connections on one thread; `pids` carry the bytes. Raises Void when it says nothing usable."""
    program = shutil.which("wrk")
    if program is None:
        raise Void("wrk is not installed")
    script = folder / "say.lua"
    script.write_text(SCRIPT)
    argv = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", "-s", str(script)]
    argv += ["-H", "Connection: close"] if cell.close else []
    argv.append(f"http{'s' if tls else ''}://127.0.0.1:{port}/")
    before = cpu_seconds(pids)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60 + seconds)
    cpu = cpu_seconds(pids) - before
    found = re.search(r"^\{.*\}$", done.stdout, re.M)
    if found is None:
        raise Void(done.stderr or done.stdout)
    said = json.loads(found[0])
    if not said["requests"]:
        raise Void("no request was served")
    rate = said["requests"] / (said["us"] / 1e6)
    return Figure(rate, cpu / said["requests"] * 1e6, said["p50"] / 1000, said["p99"] / 1000, said["bad"])


def run(rounds: int, say: Callable[[str], None], cells: tuple[Cell, ...] = CELLS) -> list[Result]:
    """Every path once a round in every cell; the two that are compared are neighbours. Raises Void, RuntimeError."""
    folder = Path(tempfile.mkdtemp(prefix="gb-", dir="/tmp"))
    folder.chmod(0o755)
    certificate(folder)
    names = installed()
    sink_port, *ports = free_ports(1 + 2 * len(names))
    standing: dict[str, Standing] = {}
    origin = sink(folder, sink_port)
    try:
        for i, name in enumerate(names):
            standing[name] = PATHS[name](folder, ports[2 * i], ports[2 * i + 1], sink_port)
        where = {n: (ports[2 * i], ports[2 * i + 1]) for i, n in enumerate(names)}
        pids = {n: p.pids for n, p in standing.items()} | {"direct": origin.pids}
        return [_cell(folder, cell, where, sink_port, pids, rounds, say) for cell in cells]
    finally:
        for path in standing.values():
            path.close()
        origin.close()
        shutil.rmtree(folder, ignore_errors=True)


def _cell(
    folder: Path,
    cell: Cell,
    where: Mapping[str, tuple[int, int]],
    sink_port: int,
    pids: Mapping[str, Sequence[int]],
    rounds: int,
    say: Callable[[str], None],
) -> Result:
    names = ["direct", *where]
    result = Result(cell, {n: [] for n in names})
    for name in where:  # warm: what a first request pays is not measured
        generate(folder, where[name][cell.tls], cell, cell.tls, pids[name], 1)
    for r in range(rounds):
        pair = ["by-hand", "gurney"][:: 1 if r % 2 == 0 else -1]  # always neighbours, each first by turns
        order = ["direct", *(n for n in where if n not in pair), *pair]
        for name in order:
            port = sink_port if name == "direct" else where[name][cell.tls]
            figure = generate(folder, port, cell, cell.tls and name != "direct", pids[name])
            result.rounds[name].append(figure)
            words = f"{figure.rate:.0f} requests/s, {figure.cpu_us:.0f} µs CPU each, p99 {figure.p99_ms:.1f} ms, errors {figure.bad}"
            say(f"{cell.title}, round {r + 1}, {name}: {words}")
    return result
