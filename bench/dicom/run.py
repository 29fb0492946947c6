"""The one place for one measurement and the order of many: neighbours in time, turning order, ratios, no number without proof."""

from __future__ import annotations

import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.dicom import wire
from bench.dicom.paths import ROOT, Standing, cpu_seconds, listens, start, until
from bench.dicom.ways import WAYS, Way, certificate
from bench.ports import free_ports

STALLED = 60.0  # seconds without one more object at the sink, after which a path that answers before it sends is given up


@dataclass(frozen=True)
class Cell:
    """One size and number of associations; `objects` is for all associations together, `warm` for each before the clock."""

    size: int
    associations: int
    objects: int
    maximum: int = 16384  # what the receiver advertises
    warm: int = 8

    @property
    def title(self) -> str:
        unit = next(f"{self.size >> bits} {name}" for bits, name in ((30, "GB"), (20, "MB"), (10, "KB")) if self.size >> bits)
        return f"{unit} x {self.associations}, {self.maximum >> 10} KiB PDUs"

    def each(self, way: Way) -> int:
        """Objects an association through this way while the clock runs."""
        return max(1, round(self.objects / way.share / self.associations))


@dataclass(frozen=True)
class Figure:
    """One measurement that was proved: every object arrived with its sha256."""

    objects_per_second: float
    megabytes_per_second: float
    cpu_per_gb: float
    p50_ms: float
    p99_ms: float
    pdu: int
    connections: int  # to the sink, that carried objects


class Void(Exception):
    """An object is missing or wrong, or a sender saw an error: there is no number."""


class Expected:
    """What every object of a size must be at the sink. UIDs are the same in every measurement, so each is hashed once a run."""

    def __init__(self) -> None:
        self._images: dict[int, wire.Image] = {}
        self._digests: dict[tuple[int, int, int], tuple[str, str]] = {}

    def of(self, size: int, index: int, number: int) -> tuple[str, str]:
        """(SOP Instance UID, sha256 of the data set)."""
        found = self._digests.get((size, index, number))
        if found is None:
            image = self._images.setdefault(size, wire.Image(size, 16384))
            sop, study = wire.names(index, number)
            found = sop.rstrip(b"\0").decode(), image.digest(sop, study, number)
            self._digests[size, index, number] = found
        return found


def measure(name: str, cell: Cell, expected: Expected, look: Callable[[Path, Standing], Any] | None = None) -> Figure:
    """Starts sink and path fresh, sends, stops, proves. Raises Void. `look` sees the path's folder before it is removed."""
    folder = Path(tempfile.mkdtemp(prefix="gb-", dir="/tmp"))
    way = WAYS[name]
    port, sink_port = free_ports(2)
    each = cell.each(way)
    sink = start(_sink(cell, way, each, sink_port, folder), folder, "sink", ROOT)
    standing = None
    try:
        until(lambda: listens(sink_port), 10, "the sink listens")
        standing = way.start(folder, port, sink_port)
        out, cpu = _generate(standing, cell, way, folder, each)
    finally:
        if standing is not None:
            standing.close()
        sink.send_signal(signal.SIGTERM)
        sink.wait(300)
        arrived, last, connections = _results(folder / "results")
        if look is not None and standing is not None:
            look(folder, standing)
        shutil.rmtree(folder, ignore_errors=True)
    _prove(out, arrived, [expected.of(cell.size, i, n) for i in range(cell.associations) for n in range(cell.warm + each)])
    seconds = max(out["end"], last) - out["begin"]
    rate = out["objects"] / seconds
    return Figure(rate, out["bytes"] / seconds / 1e6, cpu / (out["bytes"] / 1e9), out["p50_ms"], out["p99_ms"], out["pdu"], connections)


def accounted(name: str, cell: Cell, expected: Expected) -> tuple[Figure, dict[str, Any]]:
    """The same through a route process that is watched (`profiled`, `sampled`), with its account."""
    account: dict[str, Any] = {}
    figure = measure(name, cell, expected, lambda folder, _: account.update(json.loads((folder / "profile.json").read_text())))
    return figure, account


def _sink(cell: Cell, way: Way, each: int, port: int, folder: Path) -> list[str]:
    """The sink's command line, with the memory that is ready for a connection."""
    spread = min(way.spread, 1.2 * cell.associations)
    keep = int((each + cell.warm) * (cell.size + 4096) * spread) + (4 << 20)
    argv = [sys.executable, "-m", "bench.dicom.sink", "--port", str(port), "--maximum", str(cell.maximum), "--keep", str(keep)]
    argv += ["--tls", str(certificate(folder))] if way.tls == "sink" else []
    argv += ["--tell", str(folder / "arrived")] if way.later else []
    return [*argv, "--results", str(folder / "results")]


def _generate(standing: Standing, cell: Cell, way: Way, folder: Path, each: int) -> tuple[dict[str, Any], float]:
    """The generator's result and the CPU seconds of the path's processes while its clock ran."""
    argv = [sys.executable, "-m", "bench.dicom.generator", "--port", str(standing.port), "--associations", str(cell.associations)]
    argv += ["--objects", str(each), "--warm", str(cell.warm), "--size", str(cell.size), "--advertised", str(cell.maximum)]
    argv += ["--tls", str(certificate(folder).with_name("cert.pem"))] if way.tls else []
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        assert p.stdin is not None and p.stdout is not None
        p.stdout.readline()
        before = cpu_seconds(standing.pids)
        p.stdin.write("go\n")
        p.stdin.flush()
        out = dict(json.loads(p.stdout.readline()))
        if way.later and not out["errors"]:
            _arrival(folder / "arrived", cell.associations * (cell.warm + each))
        cpu = cpu_seconds(standing.pids) - before
    return out, cpu


def _arrival(file: Path, count: int) -> None:
    """Waits until the sink has `count` objects, or has got none for `STALLED` seconds: what is missing then is seen as missing."""
    seen, since = -1, time.monotonic()

    def all_or_stalled() -> bool:
        nonlocal seen, since
        now = file.stat().st_size if file.exists() else 0
        if now != seen:
            seen, since = now, time.monotonic()
        return now >= count or time.monotonic() - since > STALLED

    until(all_or_stalled, 3600, "the objects arrive")


def _results(folder: Path) -> tuple[dict[str, set[str]], float, int]:
    """(SOP Instance UID -> digests, when the last object was whole, connections with objects) of all the sink's processes."""
    arrived: dict[str, set[str]] = {}
    last = 0.0
    files = list(folder.glob("*.json"))
    for file in files:
        said = json.loads(file.read_text())
        last = max(last, said["last"])
        for sop, digest in said["objects"]:
            arrived.setdefault(sop, set()).add(digest)
    return arrived, last, len(files)


def _prove(out: dict[str, Any], arrived: dict[str, set[str]], expected: Sequence[tuple[str, str]]) -> None:
    if out["errors"]:
        raise Void(f"{len(out['errors'])} associations failed: {out['errors'][0]}")
    wrong = [sop for sop, digest in expected if arrived.get(sop) != {digest}]
    if wrong:
        missing = sum(sop not in arrived for sop in wrong)
        raise Void(f"{len(wrong)} of {len(expected)} objects are missing ({missing}) or wrong")


@dataclass
class Result:
    """All measurements of a cell: round -> path -> figure, None where it is void; a path that a round leaves out is not in it."""

    cell: Cell
    rounds: list[dict[str, Figure | None]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The paths that were measured here."""
        return list(self.rounds[0]) if self.rounds else []

    def median(self, path: str, pick: Callable[[Figure], float]) -> float | None:
        """The median over the rounds; None when any round of this path was void, or there was none."""
        figures = [r[path] for r in self.rounds if path in r]
        if not figures or any(f is None for f in figures):
            return None
        return statistics.median(pick(f) for f in figures if f is not None)

    def ratio(self, path: str, to: str) -> float | None:
        """The median of the ratios of neighbours in time (the same round)."""
        pairs = [(r[path], r[to]) for r in self.rounds if path in r and to in r]
        if not pairs or any(a is None or b is None for a, b in pairs):
            return None
        return statistics.median(a.objects_per_second / b.objects_per_second for a, b in pairs if a is not None and b is not None)


def run(cell: Cell, names: Sequence[str], rounds: int, expected: Expected, say: Callable[[str], None]) -> Result:
    """Every path once a round, a slow one in its first rounds only; the order turns by one each round."""
    result = Result(cell)
    for r in range(rounds):
        here = [n for n in names if r < WAYS[n].rounds]
        turn = r % len(here)
        row: dict[str, Figure | None] = {}
        for name in [*here[turn:], *here[:turn]]:
            row[name] = None
            try:
                figure = row[name] = measure(name, cell, expected)
                rate = (
                    f"{figure.objects_per_second:.0f} objects/s, {figure.megabytes_per_second:.0f} MB/s, {figure.cpu_per_gb:.2f} CPU s/GB"
                )
                say(f"{cell.title}, round {r + 1}, {name}: {rate}")
            except (Void, RuntimeError, OSError, ValueError) as e:
                result.faults.append(f"{cell.title}, round {r + 1}, {name}: {e}")
                say(result.faults[-1])
        result.rounds.append({n: row[n] for n in here})
    return result
