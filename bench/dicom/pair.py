"""The one place for the DCMTK pair: its sender and `storescp --fork`, as shipped or with TCP_NODELAY=1, with a path between them.

The rate is read from the files that storescp wrote, first to last, so that starting the sender is not in it. With +B storescp writes the
data set as it came; its sha256 is compared like everywhere.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from bench.dicom import heads, wire
from bench.dicom.figures import Cell, Expected, Figure, Void, prove
from bench.dicom.heads import element
from bench.dicom.paths import Standing, cpu_seconds, environment, listens, start, until
from bench.dicom.ways import WAYS
from bench.ports import free_ports

PATIENCE = 300  # seconds for one run of the sender


def file_of(sets: wire.DataSets, index: int, number: int) -> bytes:
    """One object as a DICOM file (PS3.10 §7.1)."""
    sop, study = wire.names(index, number)
    meta = element(2, 2, b"UI", heads.CT) + element(2, 3, b"UI", sop)
    meta += element(2, 0x10, b"UI", wire.EXPLICIT_LE + b"\0") + element(2, 0x12, b"UI", b"2.25.999")
    meta = element(2, 1, b"OB", b"\0\1") + meta
    return bytes(128) + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + sets.head(sop, study, number) + sets.tail


def data_set(file: Path) -> tuple[str, str]:
    """(SOP Instance UID, sha256 of what follows the file meta information)."""
    found = file.read_bytes()
    begin = 144 + struct.unpack_from("<I", found, 140)[0]
    at = found.index(struct.pack("<HH2s", 2, 3, b"UI"), 132, begin) + 8
    sop = found[at : at + struct.unpack_from("<H", found, at - 2)[0]]
    return sop.rstrip(b"\0").decode("latin-1"), hashlib.sha256(found[begin:]).hexdigest()


def measure(name: str, cell: Cell, expected: Expected) -> Figure:
    """Starts storescp and the path fresh, sends `objects` / `share` files over one association, proves. Raises Void."""
    folder = Path(tempfile.mkdtemp(prefix="gb-", dir="/tmp"))
    port, far = free_ports(2)
    count = cell.each(1 if name == "gurney" or cell.nodelay else 10)
    env = {"TCP_NODELAY": "1"} if cell.nodelay else {}
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    sets = wire.DataSets(cell.size, defined=True)
    for number in range(count):
        (folder / "out" / f"{number:05}.dcm").write_bytes(file_of(sets, 0, number))
    argv = ["storescp", "--fork", "+B", "-aet", "STORE", "-od", str(folder / "in"), str(far)]
    receiver = Standing("storescp", far, [], [start(argv, folder, "storescp", env=env)])
    standing = None
    try:
        until(lambda: listens(far), 10, "storescp listens")
        standing = WAYS[name].start(folder, port, far)
        cpu = _send(cell, standing, folder, env)
    finally:
        if standing is not None:
            standing.close()
        receiver.close()
        written = sorted((file.stat().st_mtime_ns, file) for file in (folder / "in").iterdir())
        arrived: dict[str, set[str]] = {}
        for _, file in written:
            sop, digest = data_set(file)
            arrived.setdefault(sop, set()).add(digest)
        shutil.rmtree(folder, ignore_errors=True)
    prove(arrived, [expected.of(cell.size, 0, number, defined=True) for number in range(count)])
    seconds = (written[-1][0] - written[0][0]) / 1e9
    rate = (count - 1) / seconds
    return Figure(rate, rate * cell.size / 1e6, cpu / (count * cell.size / 1e9))


def _send(cell: Cell, standing: Standing, folder: Path, env: dict[str, str]) -> float:
    """Runs the sender to its end; the CPU seconds of the path meanwhile. Raises Void when it fails."""
    files = sorted(str(file) for file in (folder / "out").iterdir())
    before = cpu_seconds(standing.pids)
    argv = [cell.sender, "-aec", "STORE", "127.0.0.1", str(standing.port), *files]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, env=environment(env))
    if done.returncode:
        raise Void(f"{cell.sender} ends with {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
    return cpu_seconds(standing.pids) - before
