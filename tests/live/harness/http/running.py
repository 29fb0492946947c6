"""The one place where a test starts the harness's programs: members (`Website`) and load (`Load`)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.live.harness.processes import Child, environment
from tests.live.harness.wait import Late, until
from tests.ports import free_ports

from . import behaviour, groups
from .behaviour import Site
from .groups import Group, Tally


class Website:
    """A member program with one or more listeners, each with its name and port."""

    def __init__(self, folder: Path, *names: str, **same: Any) -> None:
        self.folder = folder
        ports = free_ports(len(names))
        self.sites = {n: Site(n, p, **same) for n, p in zip(names, ports, strict=True)}
        self.path = folder / f"{names[0]}.web"
        self.child: Child | None = None
        self.start()

    def start(self) -> None:
        """Start (again) with the sites as they stand here."""
        self.path.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "tests.live.harness.http.website", str(self.path), behaviour.as_json(list(self.sites.values()))]
        self.child = Child(argv, self.folder, self.path.stem)
        until(self._answers, 15, f"member {self.path.stem} is there; {self.child.log}")

    def _answers(self) -> bool:
        try:
            return bool(self.say(op="counts"))
        except OSError:
            return False

    def port(self, name: str | None = None) -> int:
        return self.sites[name or next(iter(self.sites))].port

    def ports(self) -> dict[str, int]:
        return {n: s.port for n, s in self.sites.items()}

    def say(self, **order: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(self.path))
            s.sendall(json.dumps(order).encode() + b"\n")
            return dict(json.loads(s.makefile("rb").readline()))

    def set(self, name: str, **changes: Any) -> None:
        """Another behaviour from now on; `mode="normal"` heals."""
        self.sites[name] = self.sites[name].changed(**changes)
        self.say(op="set", name=name, **changes)

    def counts(self, name: str) -> dict[str, Any]:
        return dict(self.say(op="counts", name=name)[name])

    def requests(self) -> dict[str, int]:
        return {n: c["requests"] for n, c in self.say(op="counts").items()}

    def signal(self, number: int) -> None:
        assert self.child is not None
        self.child.signal(number)

    def kill(self) -> None:
        if self.child is not None:
            self.child.signal(signal.SIGCONT)
            self.child.kill()

    close = kill


class Load:
    """The load program at work; `stop` ends it and gives the tallies by group."""

    def __init__(self, folder: Path, *what: Group) -> None:
        argv = [sys.executable, "-m", "tests.live.harness.http.load", groups.as_json(list(what))]
        self.log = folder / "load.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment(), start_new_session=True
            )
        self.now: dict[str, Tally] = {g.name: Tally() for g in what}
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.now = {n: Tally(**t) for n, t in json.loads(line).items()}

    def done(self, name: str | None = None) -> int:
        return sum(t.done for n, t in self.now.items() if name in (None, n))

    def failed(self, name: str | None = None) -> int:
        return sum(t.failed for n, t in self.now.items() if name in (None, n))

    def runs(self, more: int = 50, seconds: float = 30, name: str | None = None) -> None:
        """Until `more` further good answers came."""
        before = self.done(name)
        try:
            until(lambda: self.done(name) >= before + more or self.process.poll() is not None, seconds, "load goes on")
        except Late as e:
            raise Late(f"{e}; {self.now}; {self.log.read_text()[-1000:]}") from None
        if self.process.poll() is not None and self.done(name) < before + more:
            raise AssertionError(f"the load ended: {self.log.read_text()[-2000:]}")

    def wait(self, seconds: float = 60) -> dict[str, Tally]:
        """Until it ends by itself (every group has a `most`)."""
        self.process.wait(seconds)
        return self.stop()

    def stop(self) -> dict[str, Tally]:
        if self.process.stdin is not None and not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except OSError:
                pass
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        self.reader.join(5)
        assert self.process.returncode == 0, self.log.read_text()[-2000:]
        return self.now

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        self.reader.join(5)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except OSError:
                    pass
