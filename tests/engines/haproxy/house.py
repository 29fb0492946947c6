"""A state folder with a real guard, bundles written by hand, and small members: what the tests of the HAProxy engine stand on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy.bundle import Backend, Bundle, Frontend, Server
from gurney.config.proxied import ProxyTable
from gurney.config.served import Listen
from gurney.control.keeper import GuardKeeper
from gurney.disk.faults import Faults
from gurney.engines.engine import Ground
from gurney.engines.haproxy.engine import Haproxy
from gurney.engines.haproxy.master import Master, Workers
from gurney.errors import NotRunning
from gurney.guard import client
from gurney.guard.client import Guard

GUARD = "import sys, pathlib; from gurney.app.guard import main; sys.exit(main(pathlib.Path(sys.argv[1])))"
ROOT = Path(__file__).parents[3]
APPLICATION = "web"
BOUND = 20.0

T = TypeVar("T")


def wait(found: Callable[[], T], what: str = "it") -> T:
    """The first true answer, within a bound."""
    deadline = time.monotonic() + BOUND
    while not (answer := found()):
        assert time.monotonic() < deadline, f"{what} did not happen within {BOUND} s"
        time.sleep(0.01)
    return answer


class Member:
    """Answers every request with its name and closes; a request of /slow is answered when `let_go` is set."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.let_go = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.let_go.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            head = sock.recv(65536)
            if head.startswith(b"GET /slow"):
                self.let_go.wait(BOUND)
            body = self.name.encode()
            sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def get(port: int, path: str = "/") -> str:
    """The body of one request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), BOUND) as sock:
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n" % path.encode())
        answer = b""
        while data := sock.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head[:200]
    return body.decode()


def by_hand(
    ports: Sequence[int],
    members: Mapping[str, int],
    *,
    weights: Mapping[str, int] | None = None,
    more: str = "",
    in_global: str = "",
    materials: Mapping[str, str] | None = None,
    timeout: str = "60s",
    bind: str = "",
    options: str = "",
    maxconn: int = 500,
) -> Bundle:
    """A bundle of one pool as somebody would write it who knows HAProxy. `more` goes into the frontends, `in_global` into `global`."""
    lines: list[tuple[str, str]] = [
        (line, "") for line in _GLOBAL.format(timeout=timeout, in_global=in_global, maxconn=maxconn).strip("\n").splitlines()
    ]
    frontends = []
    for port in ports:
        name = f"fe_{hashlib.sha256(str(port).encode()).hexdigest()[:8]}"
        lines += [(f"frontend {name}", "applications.web.services.site")]
        lines += [(f"  bind 127.0.0.1:{port}{bind}", "applications.web.services.site.listen")]
        lines += [(f"  {line}", "applications.web.services.site.rules") for line in more.splitlines()]
        lines += [("  default_backend be_00000001", "applications.web.services.site.rules")]
        frontends.append(Frontend(name, f"127.0.0.1:{port}", Listen("127.0.0.1", port), ("site",)))
    lines += [("backend be_00000001", "applications.web.pools.portal"), ("  balance roundrobin", "applications.web.pools.portal.balance")]
    servers = []
    for member, port in sorted(members.items()):
        weight = (weights or {}).get(member, 100)
        words = f"id {_number(member)} weight {weight} {options}".strip()
        name, path = f"s_{member}", f"applications.web.pools.portal.members.{member}"
        lines += [(f"  server {name} 127.0.0.1:{port} {words}", path)]
        servers.append(Server(name, f"127.0.0.1:{port}", weight, False, 0, words, f"portal/{member}", path))
    text = "\n".join(line for line, _ in lines) + "\n"
    masked = "\n".join(line for line, _ in lines if not line.startswith("  server "))
    shape = hashlib.sha256(masked.encode()).hexdigest()
    return Bundle(
        table=ProxyTable(APPLICATION, {}, {}), shape=shape, files={bundles.CONFIGURATION: text.replace("SHAPE", shape)}, maps=(),
        materials=dict(materials or {}), swappable=(), frontends=tuple(frontends),
        backends=(Backend("be_00000001", "portal", True, tuple(servers)),), lines=tuple(path for _, path in lines), granted=(), names={},
    )  # fmt: skip


def _number(member: str) -> int:
    return 100 + int(hashlib.sha256(member.encode()).hexdigest()[:6], 16)


_GLOBAL = """
global
  description SHAPE
  maxconn {maxconn}
  stats socket unix@run/admin.sock mode 600 level admin expose-fd listeners
  hard-stop-after 12h
  server-state-file run/server-state
  {in_global}
defaults
  mode http
  option idle-close-on-response
  load-server-state-from-file global
  timeout connect 5s
  timeout client {timeout}
  timeout server 60s
  timeout http-request 10s
  timeout queue 5s
"""


class House:
    """The state folder, its guard, and an engine; `said` is what the engine told of long work."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.said: list[str] = []
        (state / "apps" / APPLICATION).mkdir(parents=True)
        (state / "keys" / "certificates").mkdir(parents=True)
        self.folder = state / "apps" / APPLICATION / "haproxy"
        self.guard = Guard(state)
        self.engine = self.another()

    def another(self, faults: Faults | None = None) -> Haproxy:
        """A new engine object, as a new control process has one."""
        return Haproxy(self.ground(faults))

    def ground(self, faults: Faults | None = None) -> Ground:
        return Ground(lambda name: self.state / "apps" / name, GuardKeeper(self.state), faults or Faults(), self.said.append)

    def open(self) -> None:
        assert client.start(self.state, argv=self.command())

    def command(self) -> list[str]:
        return [sys.executable, "-c", GUARD, str(self.state)]

    def close(self) -> None:
        with contextlib.suppress(NotRunning):
            client.shutdown(self.state, 1.0, argv=self.command())

    def keep(self, data: bytes) -> str:
        """A file of the state, by its digest."""
        digest = hashlib.sha256(data).hexdigest()
        (self.state / "keys" / "certificates" / f"{digest}.pem").write_bytes(data)
        return digest

    def workers(self) -> Workers:
        return Master(self.folder).workers()

    def kill_master(self) -> None:
        os.kill(self.workers().master, signal.SIGKILL)


def crash(house: House, content: bytes, point: str, verb: str = "load") -> None:
    """A process of its own carries out `verb` and dies by SIGKILL at a crash point."""
    script = (
        "import pathlib, sys\nfrom gurney.disk import faults\nfrom tests.engines.haproxy.house import House\n"
        "house = House.__new__(House)\nhouse.state, house.said = pathlib.Path(sys.argv[1]), []\n"
        "engine = house.another(faults.parse(sys.argv[2]))\n"
        "content = sys.stdin.buffer.read()\n"
        "engine.load('web', content) if sys.argv[3] == 'load' else engine.start('web', content, ())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(house.state), f"{point}=kill@1", verb],
        input=content, capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


class Asking:
    """One request after another on connections of their own until `stop`; keeps what failed."""

    def __init__(self, port: int) -> None:
        self.count, self.failed = 0, []  # type: ignore[var-annotated]
        self._port, self._stop = port, threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(BOUND)

    def _ask(self) -> None:
        while not self._stop.wait(0.004):  # a few hundred a second: enough to meet every gap, and the machine stays usable
            try:
                get(self._port)
            except (OSError, AssertionError) as error:
                self.failed.append(repr(error))
            self.count += 1
