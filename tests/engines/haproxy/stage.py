"""One real HAProxy of a hand-written configuration in a folder as the engine lays it out, without guard or engine: what `apply_changes`
and `observe` stand on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from gurney.compile.haproxy.bundle import Bundle, Server
from gurney.engines.haproxy import binary
from gurney.engines.haproxy.master import Master, Workers
from gurney.engines.haproxy.runtime import Runtime
from gurney.errors import NotRunning
from tests.live.harness.wait import Late, until

BOUND = 60.0


class Stage:
    """`bundle` is published with `publish`; `start` runs HAProxy on it; `close` ends it. `tls`: a port with the crt-list's."""

    def __init__(self, folder: Path, port: int, tls: int) -> None:
        self.folder, self.port, self.tls = folder, port, tls
        self.certificates: dict[str, str] = {}  # name in the bundle → PEM
        self.child: subprocess.Popen[bytes] | None = None
        self._count = 0
        (folder / "run").mkdir(parents=True)

    def publish(self, made: Bundle) -> None:
        """The folder of a generation, and `current` by rename."""
        self._count += 1
        place = self.folder / f"g{self._count}"
        for name, text in {**made.files, **self.certificates, "haproxy.cfg": self.text(made), "crt-list": self._listed()}.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
        fresh = self.folder / "current.new"
        fresh.symlink_to(place.name)
        os.rename(fresh, self.folder / "current")

    def text(self, made: Bundle) -> str:
        """The configuration of this bundle."""
        lines = [
            "global", f" description {made.shape}", " stats socket unix@run/admin.sock mode 600 level admin expose-fd listeners",
            " maxconn 2000", " server-state-file run/server-state",
            "defaults", " mode http", " timeout connect 2s", " timeout client 20s", " timeout server 20s", " timeout queue 5s",
            " timeout check 1s", " option idle-close-on-response", " retries 0",
            "frontend fe_web", f" bind 127.0.0.1:{self.port}",
            *(self._answer(name) for name in made.maps),
            " use_backend be_web_panic if FALSE", " default_backend be_web",
        ]  # fmt: skip
        if self.certificates:
            lines += ["frontend fe_tls", f" bind 127.0.0.1:{self.tls} ssl crt-list current/crt-list", " default_backend be_web"]
        for backend in made.backends:
            lines += [
                f"backend {backend.name}",
                " balance roundrobin",
                " stick-table type string size 1k expire 10m",
                " stick on hdr(x-client)",
            ]
            lines += [" option httpchk GET /check", *(self._server(one) for one in backend.servers)]
        return "\n".join(lines) + "\n"

    def _answer(self, name: str) -> str:
        if name.endswith(".list"):
            return f" http-request return status 204 if {{ hdr(x-listed) -m str -f current/{name} }}"
        return f" http-request return status 200 hdr x-map %[path,map(current/{name},none)] if {{ path_beg /map/ }}"

    def _server(self, one: Server) -> str:
        return f" server {one.name} {one.address} {one.arguments}{' disabled' if one.disabled else ''}"

    def _listed(self) -> str:
        return "".join(f"current/{name}\n" for name in self.certificates)

    def start(self) -> None:
        argv = [str(binary.find().path), "-W", "-S", "unix@run/master.sock,mode,600", "-f", "current/haproxy.cfg"]
        with (self.folder / "output.log").open("ab") as log:
            self.child = subprocess.Popen(argv, cwd=self.folder, env=binary.ENVIRONMENT, stdout=log, stderr=log)
        try:
            until(self._answers, BOUND, "HAProxy answers")
        except Late as late:
            raise Late(f"{late}; {(self.folder / 'output.log').read_text()}") from None

    def _answers(self) -> bool:
        try:
            return bool(Runtime(self.folder).facts()) and self.workers().current is not None
        except NotRunning:
            return False

    def workers(self) -> Workers:
        return Master(self.folder).workers()

    def reload(self) -> None:
        told = Master(self.folder).reload()
        assert told.success, told.log

    def close(self) -> None:
        if self.child is not None:
            self.child.terminate()
            self.child.wait(BOUND)
        shutil.rmtree(self.folder)
