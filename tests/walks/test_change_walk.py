"""The walk of one change (architecture §4): `cli → api → control → config → compile → plan → state → engines`, verb to engine."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.api.server import Server
from gurney.api.work import Work
from gurney.cli.main import main
from tests.control.world import World, document
from tests.walks.recorder import Recorder

WALK = ["cli", "api", "control", "config", "compile", "plan", "state", "engines"]
GROUND = {"net", "disk", "telemetry", "guard", "balance", "errors"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    one.close()


def test_one_change_enters_the_rooms_in_order(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder(apart=())
    threading.setprofile(recorder._profile)
    server = Server(Work(world.control, world.watch, dict), world.folder.control_socket)
    try:
        server.start()
        file = world.path / "gurney.yaml"
        file.write_text(document())
        assert main(["apply", str(file), "--state", str(world.path)]) == 0
        file.write_text(document(weight=7))
        recorder.install()
        recorder.on.set()
        status = main(["apply", str(file), "--state", str(world.path)])
        recorder.on.clear()
        sys.setprofile(None)
    finally:
        recorder.on.clear()
        sys.setprofile(None)
        threading.setprofile(None)
        server.stop()
    assert status == 0 and world.served_weight() == 7
    assert "revision 2 is served" in capsys.readouterr().out
    assert [room for room in recorder.rooms if room not in GROUND] == WALK
    print(f"walk-change rooms={len(WALK)} in_order=1")
