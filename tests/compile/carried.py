"""The one place for running what was compiled: a real HAProxy in front, another one behind as every member, and requests through both."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gurney.compile import haproxy
from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy.bundle import Bundle
from gurney.compile.target import Ground, Machine
from gurney.config.document import Document
from gurney.config.proxied import Material
from gurney.config.reader import read
from tests.golden.real import ENVIRONMENT, PROGRAM

WAIT_S = 10.0
ORIGIN = """
global
    maxconn 500
defaults
    mode http
    timeout client 20s
frontend origin
{binds}
    http-request set-var(txn.said) req.hdrs,json
    http-request return status 200 content-type application/json lf-string '{{"port":%[dst_port],"headers":"%[var(txn.said)]"}}'
"""


@dataclass(frozen=True)
class Answer:
    """An answer: its status, headers by lower-case name, the port of the member and the headers it got (names in lower case)."""

    status: int
    headers: Mapping[str, str]
    port: int | None
    got: Mapping[str, list[str]]


@dataclass(frozen=True)
class Running:
    """A HAProxy that serves `bundle` in `folder`."""

    bundle: Bundle
    folder: Path
    process: subprocess.Popen[bytes]

    def command(self, text: str) -> str:
        """What the runtime socket answers."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self.folder / "run/admin.sock"))
            asked.sendall(text.encode() + b"\n")
            return b"".join(iter(lambda: asked.recv(65_536), b"")).decode().strip()


def document(text: str) -> Document:
    """A document that has no fault."""
    reading = read(text)
    assert reading.document is not None, [str(fault) for fault in reading.faults]
    return reading.document


def compiled(text: str, materials: Mapping[str, Material] | None = None, machine: Machine | None = None) -> Bundle:
    """The bundle of the application `web`."""
    content = haproxy.TARGET.compile(document(text), "web", Ground(machine or Machine(), materials or {}))
    assert content is not None
    return bundles.load(content)


def lay(bundle: Bundle, folder: Path, contents: Mapping[str, bytes] | None = None) -> None:
    """The bundle's files as they lie on disk; `contents` by digest."""
    (folder / "run").mkdir(parents=True)
    for name, text in bundle.files.items():
        (folder / "current" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "current" / name).write_text(text, "ascii")
    for name, digest in bundle.materials.items():
        (folder / "current" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "current" / name).write_bytes((contents or {})[digest])


@contextmanager
def serving(
    bundle: Bundle, folder: Path, contents: Mapping[str, bytes] | None = None, environment: Mapping[str, str] = ENVIRONMENT
) -> Iterator[Running]:
    """A HAProxy that serves the bundle, ended at the end."""
    lay(bundle, folder, contents)
    with _started(["-f", "current/haproxy.cfg"], folder, environment) as process:
        _until(lambda: (folder / "run/admin.sock").exists() and _connects(folder / "run/admin.sock"), process)
        yield Running(bundle, folder, process)


@contextmanager
def members(ports: list[int], folder: Path, secure: str = "") -> Iterator[None]:
    """Members on these ports that answer with their port and the headers they got; `secure`: options of their bind lines."""
    folder.mkdir(parents=True, exist_ok=True)
    binds = "\n".join(f"    bind 127.0.0.1:{port}{secure}" for port in ports)
    (folder / "origin.cfg").write_text(ORIGIN.format(binds=binds))
    with _started(["-f", "origin.cfg"], folder) as process:
        _until(lambda: all(_connects(port) for port in ports), process)
        yield


@contextmanager
def _started(arguments: list[str], folder: Path, environment: Mapping[str, str] = ENVIRONMENT) -> Iterator[subprocess.Popen[bytes]]:
    with open(folder / "said.log", "wb") as log:
        process = subprocess.Popen([PROGRAM, *arguments], cwd=folder, env=dict(environment), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until(holds: object, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + WAIT_S
    while not holds():  # type: ignore[operator]
        assert process.poll() is None, "HAProxy ended"
        assert time.monotonic() < end, "HAProxy does not answer"
        time.sleep(0.01)


def _connects(at: int | Path) -> bool:
    family, address = (socket.AF_UNIX, str(at)) if isinstance(at, Path) else (socket.AF_INET, ("127.0.0.1", at))
    with socket.socket(family) as tried:
        return tried.connect_ex(address) == 0


def request(
    port: int, lines: list[str], *, source: str | None = None, tls: ssl.SSLContext | None = None, name: str | None = None, body: bytes = b""
) -> Answer:
    """One request given as its lines; `source`: said by PROXY v1 before it; `name`: the SNI."""
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        if source is not None:
            family = "TCP6" if ":" in source else "TCP4"
            plain.sendall(f"PROXY {family} {source} {'::1' if ':' in source else '127.0.0.1'} 40000 {port}\r\n".encode())
        link = tls.wrap_socket(plain, server_hostname=name) if tls is not None else plain
        link.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body)
        return _read(_all(link))


def _all(link: socket.socket) -> bytes:
    """Everything that comes until the other side closes; one that refuses a body may do so hard, after its answer."""
    data = b""
    try:
        while part := link.recv(65_536):
            data += part
    except ConnectionResetError:
        if not data:
            raise
    return data


def _read(data: bytes) -> Answer:
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    if headers.get("content-type") != "application/json" or "content-encoding" in headers or not rest:
        return Answer(int(first.split(" ")[1]), headers, None, {})
    said = json.loads(rest)
    got: dict[str, list[str]] = {}
    for line in said["headers"].split("\r\n"):
        if line:
            got.setdefault(line.partition(":")[0].lower(), []).append(line.partition(":")[2].strip())
    return Answer(int(first.split(" ")[1]), headers, said["port"], got)
