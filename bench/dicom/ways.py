"""The one place for the ways an object can take from generator to sink: each starts fresh and names the processes that carry its bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.dicom import peers
from bench.dicom.paths import ROOT, Standing, argv_of, haproxy_binary, listens, processes, start, until

HAPROXY = """
global
    nbthread {threads}
    maxconn 4000
{tune}
defaults
    mode tcp
    timeout connect 5s
    timeout client 2m
    timeout server 2m
{more}
listen dicom
    bind 127.0.0.1:{port}{tls}
    server sink 127.0.0.1:{sink}
"""
# Every object is routed by its content: a rule on the modality, then its study. Limits allow what is measured from one address.
GURNEY = """
gurney: 1
applications:
  pacs:
    services:
      store:
        protocol: dicom
        listen: 127.0.0.1:{port}
        accept_from: [127.0.0.0/8]
        limits: {{associations: 1024, associations_per_address: 1024, associations_per_ae: 1024, unassociated_per_address: 512}}
        rules: [{{match: {{modality: [CT, MR]}}, pool: archive}}, {{pool: rest}}]{more}
    pools:
      archive:
        check: {{kind: dicom-echo, interval: 5s, timeout: 5s, rise: 1, fall: 3}}
        members: {{sink: {{address: STORE@127.0.0.1:{sink}, max_associations: 64}}}}
      rest:
        check: {{kind: dicom-echo, interval: 5s, timeout: 5s, rise: 1, fall: 3}}
        members: {{sink: {{address: STORE@127.0.0.1:{sink}, max_associations: 64}}}}
"""


@dataclass(frozen=True)
class Way:
    """How a path is started, and what is special about measuring it."""

    start: Callable[[Path, int, int], Standing]
    share: int = 1  # it gets objects / share, so that a cell ends
    rounds: int = 1 << 30  # at most
    later: bool = False  # it answers before it sends: the clock stops when the sink has everything
    spread: float = 1.2  # times its share of the objects that one connection to the sink may carry before memory is sought in the clock
    rewrites: bool = False  # it writes undefined lengths anew: it gets objects without them
    tls: str = ""  # "" in the clear; "path": the path ends TLS; "sink": the sink does


def certificate(folder: Path) -> Path:
    """A PEM file of a key and its certificate (ECDSA P-256), made once a folder."""
    file = folder / "tls.pem"
    if not file.exists():
        key, cert = folder / "key.pem", folder / "cert.pem"
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        argv += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run([*argv, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
        file.touch(0o600)
        file.write_bytes(key.read_bytes() + cert.read_bytes())
        key.unlink()
    return file


def direct(folder: Path, port: int, sink: int) -> Standing:
    """The generator on the sink."""
    return Standing("direct", sink)


def _haproxy(name: str, tune: str, more: str, tls: bool = False) -> Callable[[Path, int, int], Standing]:
    def begin(folder: Path, port: int, sink: int) -> Standing:
        config = folder / f"{name}.cfg"
        words = f" ssl crt {certificate(folder)} ssl-min-ver TLSv1.2" if tls else ""
        config.write_text(HAPROXY.format(threads=os.cpu_count() or 1, tune=tune, more=more, port=port, sink=sink, tls=words))
        process = start([haproxy_binary(), "-db", "-f", str(config)], folder, name)
        path = Standing(name, port, [process.pid], [process])
        until(lambda: listens(port), 10, f"{name} listens")
        return path

    return begin


def _gurney(more: str, tls: bool = False) -> Callable[[Path, int, int], Standing]:
    def begin(folder: Path, port: int, sink: int) -> Standing:
        state, file = folder / "state", folder / "gurney.yaml"
        words = f"\n        tls: {{certificate: {certificate(folder).name}}}" if tls else ""
        file.write_text(GURNEY.format(port=port, sink=sink, more=more + words))
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
        return path

    return begin


def _profiled(*more: str) -> Callable[[Path, int, int], Standing]:
    def begin(folder: Path, port: int, sink: int) -> Standing:
        argv = [sys.executable, "-m", "bench.dicom.profiled", "--port", str(port), "--sink", str(sink), "--folder", str(folder), *more]
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

    return begin


SPREAD = 3.0  # Gurney shares its connections to a member among its senders
TUNE = "    tune.bufsize 262144\n    tune.pipesize 1048576"
WAYS: dict[str, Way] = {
    "direct": Way(direct),
    "haproxy": Way(_haproxy("haproxy", "", "")),  # TCP mode as installed
    # best tuned: 256 KiB buffers, splice in both directions (TCP_NODELAY is its default)
    "haproxy-tuned": Way(_haproxy("haproxy-tuned", TUNE, "    option splice-auto")),
    "gurney": Way(_gurney(""), spread=SPREAD),
    "gurney-replay-8M": Way(_gurney("\n        replay_limit: 8MiB"), spread=SPREAD),
    "pynetdicom": Way(peers.pynetdicom_relay, share=20, rounds=3),
    "orthanc": Way(peers.orthanc, share=20, rounds=3, later=True, rewrites=True, spread=20.0),
    "dcmtk-forward": Way(peers.dcmtk_forward, share=40, rounds=3, later=True, rewrites=True, spread=0.0),
    "profiled": Way(_profiled(), spread=SPREAD),  # the route process alone, under cProfile: `profile.json` in the folder once it has ended
    "sampled": Way(_profiled("--sample"), spread=SPREAD),  # the same, looked at every millisecond of its CPU time
    "direct-tls": Way(direct, tls="sink"),
    "haproxy-tls": Way(_haproxy("haproxy-tls", "", "", tls=True), tls="path"),
    "haproxy-tuned-tls": Way(_haproxy("haproxy-tuned-tls", TUNE, "    option splice-auto", tls=True), tls="path"),
    "gurney-tls": Way(_gurney("", tls=True), tls="path", spread=SPREAD),
}
