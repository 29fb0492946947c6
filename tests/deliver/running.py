"""The one place for a whole route process inside a test: in a thread, with its document, reached by raw peers, looked at from within."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from gurney.app.route import RouteProcess
from gurney.compile.route import compiler
from gurney.config import reader
from gurney.errors import NotRunning
from gurney.net.messages import Connection
from tests.live.harness.wait import until

T = TypeVar("T")

DOCUMENT = """
gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: 127.0.0.1:{port}, accept_from: [127.0.0.0/8]{service}}}
    pools:
      archive:
        balance: {balance}
        check: {{kind: {check}, interval: {interval}, timeout: 2s, rise: 1, fall: {fall}}}
        members: {{{members}}}
"""


def document(
    port: int, members: Sequence[int], *, service: str = "", member: str = "", balance: str = "failover", check: str = "tcp",
    interval: str = "1h", fall: int = 3,
) -> str:  # fmt: skip
    """One service over one pool; members are a, b, c … in the order of their ports. `service` and `member` are further keys."""
    named = ", ".join(f'{"abcdefgh"[n]}: {{address: "{"ABCDEFGH"[n]}@127.0.0.1:{port}"{member}}}' for n, port in enumerate(members))
    return DOCUMENT.format(port=port, service=service, balance=balance, members=named, check=check, interval=interval, fall=fall)


class Running:
    """A route process as its guard and its control process would have made it; `broken` holds what reached the loop unhandled."""

    def __init__(self, members: Sequence[int], **words: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gh-", dir="/tmp"))  # unix socket paths are short
        self.app = self.folder / "apps" / "pacs"
        (self.app / "objects").mkdir(parents=True)
        (self.folder / "keys").mkdir()
        (self.folder / "keys" / "site.key").write_bytes(bytes(32))
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = listener.getsockname()[1]
        self.write(document(self.port, members, **words))
        self.broken: list[str] = []
        self.loop = uvloop.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.broken.append(repr(context.get("exception", context))))
        self.ended = threading.Event()
        self.process: RouteProcess
        threading.Thread(target=self._run, daemon=True).start()
        self.control = until(self._connected, 10, "route.sock is listened on")
        self.control.ask({"op": "listeners", "names": [f"127.0.0.1:{self.port}"]}, [listener.fileno()])
        listener.close()
        until(lambda: self.status()["checked"], 10, "every check has had one result")

    def _connected(self) -> Connection | None:
        try:
            return Connection(self.app / "route.sock")
        except NotRunning:
            return None

    def _run(self) -> None:
        self.process = RouteProcess(self.loop, self.app)
        self.loop.run_forever()
        self.ended.set()

    def write(self, text: str) -> None:
        """The route table of a document, as control would write it."""
        reading = reader.read(text)
        assert reading.document is not None, [str(fault) for fault in reading.faults]
        (self.app / "route.json").write_bytes(compiler.compile(reading.document, "pacs").bytes)

    def load(self, text: str) -> None:
        """A new revision, in force when this returns."""
        self.write(text)
        assert self.control.ask({"op": "load"})[0]["ok"]

    def status(self) -> dict[str, Any]:
        """What `status` on route.sock answers."""
        return self.control.ask({"op": "status"})[0]

    def store(self) -> dict[str, Any]:
        """The service's part of it."""
        part: dict[str, Any] = self.status()["services"]["store"]
        return part

    def member(self, name: str = "a") -> dict[str, Any]:
        """A member's part of it."""
        part: dict[str, Any] = self.status()["pools"]["archive"]["members"][name]
        return part

    def count(self, name: str) -> int:
        """A counter of the process, all labels together."""
        return sum(cell["value"] for cell in self.status()["counters"].get(name, ()))

    def inside(self, work: Callable[[], T]) -> T:
        """`work()` done by the loop's thread between two events."""
        done = threading.Event()
        box: list[T] = []

        def run() -> None:
            try:
                box.append(work())
            finally:
                done.set()

        self.loop.call_soon_threadsafe(run)
        assert done.wait(10)
        return box[0]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Lines of route.log of one event."""
        return [line for line in map(json.loads, (self.app / "route.log").read_text().splitlines()) if line.get("event") == name]

    def healthy(self) -> None:
        """Nothing is left of what went through: no session, no memory, no busy association, no defect."""

        def rest() -> bool:
            status = self.status()
            pools = status["pools"].values()
            return (
                status["replay_bytes"] == 0
                and all(s["associations"] == 0 and s["unassociated"] == 0 for s in status["services"].values())
                and all(m["in_flight_bytes"] == 0 and m["queued"] == 0 for pool in pools for m in pool["members"].values())
            )

        try:
            until(rest, 5, "nothing is left")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.status()}") from None
        assert self.inside(lambda: self.process._dispatcher._of) == {}
        self.undamaged()

    def undamaged(self) -> None:
        """No defect of ours was met so far."""
        assert self.events("session.failed") == []
        assert self.broken == []
        assert all(service["failures"] == 0 for service in self.status()["services"].values())

    def stop(self) -> None:
        """End the process and whatever it left."""
        if not self.ended.is_set():
            self.control.ask({"op": "stop", "within": 2})
            assert self.ended.wait(10)
        self.control.close()
        self.loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
