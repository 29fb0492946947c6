"""The one place for one measurement with our own generator and sink: both and the path start fresh, no number without proof."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.dicom.figures import Cell, Expected, Figure, Void, prove
from bench.dicom.paths import ROOT, Standing, cpu_seconds, listens, start, until
from bench.dicom.ways import WAYS, Way, certificate
from bench.ports import free_ports

STALLED = 60.0  # seconds without one more object at the sink, after which a path that answers before it sends is given up


def nothing(standing: Standing) -> None:
    """Nobody looks."""


def measure(
    name: str,
    cell: Cell,
    expected: Expected,
    *,
    ready: Callable[[Standing], None] = nothing,
    sent: Callable[[Standing], None] = nothing,
    ended: Callable[[Path], None] | None = None,
) -> Figure:
    """Starts sink and path fresh, sends, stops, proves. Raises Void.

    Who looks: `ready` before the generator starts, `sent` when everything is answered, `ended` at the folder when the path is gone.
    """
    folder = Path(tempfile.mkdtemp(prefix="gb-", dir="/tmp"))
    way = WAYS[name]
    port, sink_port = free_ports(2)
    each = cell.each(way.share)
    sink = start(_sink(cell, way, each, sink_port, folder), folder, "sink", ROOT)
    standing = None
    try:
        until(lambda: listens(sink_port), 10, "the sink listens")
        standing = way.start(folder, port, sink_port)
        ready(standing)
        out, cpu = _generate(standing, cell, way, folder, each)
        sent(standing)
    finally:
        if standing is not None:
            standing.close()
        sink.send_signal(signal.SIGTERM)
        sink.wait(300)
        arrived, last, connections = _results(folder / "results")
        if ended is not None:
            ended(folder)
        shutil.rmtree(folder, ignore_errors=True)
    if out["errors"]:
        raise Void(f"{len(out['errors'])} associations failed: {out['errors'][0]}")
    prove(arrived, [expected.of(cell.size, i, n, way.rewrites) for i in range(cell.associations) for n in range(cell.warm + each)])
    seconds = max(out["end"], last) - out["begin"]
    rate, volume = out["objects"] / seconds, out["bytes"] / seconds / 1e6
    return Figure(rate, volume, cpu / (out["bytes"] / 1e9), out["p50_ms"], out["p99_ms"], out["pdu"], connections)


def accounted(name: str, cell: Cell, expected: Expected) -> tuple[Figure, dict[str, Any]]:
    """The same through a route process that is watched (`profiled`, `sampled`), with its account."""
    account: dict[str, Any] = {}

    def read(folder: Path) -> None:
        file = folder / "profile.json"
        if file.exists():
            account.update(json.loads(file.read_text()))

    return measure(name, cell, expected, ended=read), account


def _sink(cell: Cell, way: Way, each: int, port: int, folder: Path) -> list[str]:
    """The sink's command line, with the memory that is ready for a connection."""
    spread = min(way.spread, 1.2 * cell.associations) if cell.associations <= 16 else 1.2
    keep = int((each + cell.warm) * (cell.size + 4096) * spread) + (4 << 20)
    argv = [sys.executable, "-m", "bench.dicom.sink", "--port", str(port), "--maximum", str(cell.maximum), "--keep", str(keep)]
    argv += ["--tls", str(certificate(folder))] if way.tls == "sink" else []
    argv += ["--tell", str(folder / "arrived")] if way.later else []
    return [*argv, "--results", str(folder / "results")]


def _generate(standing: Standing, cell: Cell, way: Way, folder: Path, each: int) -> tuple[dict[str, Any], float]:
    """The generator's result and the CPU seconds of the path's processes while its clock ran."""
    argv = [sys.executable, "-m", "bench.dicom.generator", "--port", str(standing.port), "--associations", str(cell.associations)]
    argv += ["--objects", str(each), "--warm", str(cell.warm), "--size", str(cell.size), "--advertised", str(cell.maximum)]
    argv += ["--every", str(cell.associations / cell.rate)] if cell.rate else []
    argv += ["--defined"] if way.rewrites else []
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
