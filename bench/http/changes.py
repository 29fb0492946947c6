"""The one place for how long changes take: reading and compiling a large document, applying one member to what runs."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.dicom.paths import start, until
from bench.http.paths import sink
from bench.ports import free_ports

SERVICES, MEMBERS = 500, 2000


@dataclass(frozen=True)
class Times:
    """Seconds for reading and compiling the large document and its size; milliseconds of one member's apply, each try."""

    read_s: float
    compile_s: float
    document_bytes: int
    lines: int
    apply_ms: tuple[float, ...]
    verb_ms: tuple[float, ...]
    processes_before_after: tuple[int, int]

    def median_apply(self) -> float:
        return statistics.median(self.apply_ms)


def large(services: int = SERVICES, members: int = MEMBERS) -> str:
    """A document of one application: every service has its host and its pool, on ten listeners."""
    each = members // services
    lines = ["gurney: 1", "applications:", "  web:", "    services:"]
    for i in range(services):
        listen = f"127.0.0.1:{20000 + i % 10}"
        rules = f"[{{match: {{path: /a{i}/*, method: [GET, HEAD]}}, pool: p{i}}}, {{pool: p{i}}}]"
        lines.append(f"      s{i}: {{protocol: http, listen: '{listen}', hosts: [h{i}.example.org], rules: {rules}}}")
    lines.append("    pools:")
    for i in range(services):
        own = ", ".join(f"m{k}: '10.{i // 250}.{i % 250}.{k + 1}:8080'" for k in range(each))
        lines.append(f"      p{i}: {{members: {{{own}}}}}")
    return "\n".join(lines) + "\n"


def compiled() -> tuple[float, float, int, int]:
    """(seconds to read and check, seconds to compile, bytes of the document, lines of haproxy.cfg)."""
    from gurney.compile import targets
    from gurney.compile.haproxy import bundle
    from gurney.compile.target import Ground
    from gurney.config.reader import read

    text = large()
    began = time.perf_counter()
    reading = read(text)
    middle = time.perf_counter()
    if reading.document is None:
        raise RuntimeError(f"the large document is refused: {reading.faults[:3]}")
    contents = {t.name: t.compile(reading.document, "web", Ground()) for t in targets()}
    end = time.perf_counter()
    content = contents["haproxy"]
    assert content is not None
    return middle - began, end - middle, len(text), bundle.load(content).files["haproxy.cfg"].count("\n")


def _document(port: int, sink_port: int, members: int) -> str:
    own = ", ".join(f"m{k}: '127.0.0.1:{sink_port}'" if k == 0 else f"m{k}: '127.0.{k}.1:{sink_port}'" for k in range(members))
    return (
        "gurney: 1\napplications:\n  web:\n    services:\n"
        f"      site: {{protocol: http, listen: '127.0.0.1:{port}'}}\n    pools:\n      servers: {{members: {{{own}}}}}\n"
    )


def applied(tries: int = 9) -> tuple[tuple[float, ...], tuple[float, ...], tuple[int, int]]:
    """One member added or removed, by the control socket and by the verb, in milliseconds; HAProxy processes before and after."""
    from gurney.api.client import Client

    folder = Path(tempfile.mkdtemp(prefix="gb-", dir="/tmp"))
    folder.chmod(0o755)
    port, sink_port = free_ports(2)
    origin = sink(folder, sink_port)
    state, file = folder / "state", folder / "gurney.yaml"
    file.write_text(_document(port, sink_port, 4))
    argv = [sys.executable, "-m", "gurney"]
    process = start([*argv, "up", str(file), "--state", str(state)], folder, "gurney")
    try:
        until(lambda: process.poll() is not None or "\nready" in "\n" + (folder / "gurney.log").read_text(), 40, "gurney up prints ready")
        before, control, verb = _haproxies(state), [], []
        for i in range(tries):
            text = _document(port, sink_port, 5 if i % 2 == 0 else 4)
            client = Client(state / "control.sock")
            began = time.perf_counter()
            client.apply(text, "gurney.yaml")
            control.append((time.perf_counter() - began) * 1000)
        for i in range(tries):
            file.write_text(_document(port, sink_port, 4 if i % 2 == 0 else 5))
            began = time.perf_counter()
            done = subprocess.run([*argv, "apply", str(file), "--state", str(state)], capture_output=True, text=True, timeout=60)
            verb.append((time.perf_counter() - began) * 1000)
            if done.returncode:
                raise RuntimeError(done.stdout + done.stderr)
        return tuple(control), tuple(verb), (before, _haproxies(state))
    finally:
        subprocess.run([*argv, "down", "--state", str(state)], capture_output=True, timeout=60)
        process.wait(10)
        origin.close()
        subprocess.run(["rm", "-r", str(folder)], check=False)


def _haproxies(state: Path) -> int:
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return sum(str(state) in line and "haproxy.cfg" in line for line in found)


def measure() -> Times:
    """All of it. Raises RuntimeError when a document is refused."""
    read_s, compile_s, size, lines = compiled()
    control, verb, processes = applied()
    return Times(read_s, compile_s, size, lines, control, verb, processes)


def as_json(times: Times) -> Mapping[str, object]:
    return {"read_s": times.read_s, "compile_s": times.compile_s, "apply_ms": times.apply_ms, "verb_ms": times.verb_ms}


if __name__ == "__main__":
    print(json.dumps(as_json(measure())))
