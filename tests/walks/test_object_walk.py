"""The walk of one object (architecture §4): `intake → wire → balance → deliver → ledger`, recorded in a living route process."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from gurney.app.route import RouteProcess
from gurney.compile.route import compiler
from gurney.config import reader
from gurney.net.messages import Connection
from tests.live.harness import objects
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.sender import send
from tests.live.harness.wait import until
from tests.walks.recorder import Recorder

WALK = ["intake", "wire", "balance", "deliver", "ledger"]
GROUND = {"net", "disk", "telemetry", "config", "errors", "health"}

DOCUMENT = """
gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: 127.0.0.1:{port}, accept_from: [127.0.0.0/8]}}
    pools:
      archive:
        check: {{kind: tcp, interval: 1h, timeout: 2s, rise: 1, fall: 3}}
        members: {{a: A@127.0.0.1:{member}}}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="gw-", dir="/tmp"))  # unix socket paths are short
    yield path
    shutil.rmtree(path, ignore_errors=True)


class Running:
    """A route process in a thread of this one, as its guard and its control process would have made it."""

    def __init__(self, folder: Path, member: int, recorder: Recorder) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        app = folder / "apps" / "pacs"
        (app / "objects").mkdir(parents=True)
        (folder / "keys").mkdir()
        (folder / "keys" / "site.key").write_bytes(bytes(32))
        reading = reader.read(DOCUMENT.format(port=self.port, member=member))
        assert reading.document is not None, reading.faults
        compiled = compiler.compile(reading.document, "pacs")
        (app / "route.json").write_bytes(compiled.bytes)
        self.loop = uvloop.new_event_loop()
        self.recorder = recorder
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(app,), daemon=True)
        self.thread.start()
        until(lambda: (app / "route.sock").exists(), 10, "route.sock")
        self.control = Connection(app / "route.sock")
        self.control.ask({"op": "listeners", "names": [f"127.0.0.1:{self.port}"]}, [listener.fileno()])
        until(lambda: self.control.ask({"op": "status"})[0]["checked"], 10, "every check has had one result")

    def _run(self, app: Path) -> None:
        self.process = RouteProcess(self.loop, app)
        self.recorder.install()
        self.loop.run_forever()
        self.ended.set()

    def associations(self) -> int:
        return int(self.control.ask({"op": "status"})[0]["services"]["store"]["associations"])

    def stop(self) -> None:
        self.control.ask({"op": "stop", "within": 5})
        assert self.ended.wait(15)
        self.loop.close()


def test_object_walk(folder: Path) -> None:
    """One object over an association that is open already: the rooms it enters, in their order, and no other room of the change path."""
    member = Member(Behaviour(keep=True))
    recorder = Recorder()
    route = Running(folder, member.port, recorder)
    try:
        warm, walked = objects.study("walk-warm", 1)[0], objects.study("walk", 1)[0]
        assert len(send(route.port, [warm]).acked) == 1
        until(lambda: route.associations() == 0, 5, "the first association is gone")
        recorder.on.set()
        assert len(send(route.port, [walked]).acked) == 1
        until(lambda: "ledger" in recorder.rooms, 5, "the pin is written")
        recorder.on.clear()
    finally:
        route.stop()
        member.close()
    assert member.data[walked.sop_instance] == walked.data
    assert [room for room in recorder.rooms if room not in GROUND] == WALK
