"""The walk of one change (architecture §4): `cli → api → control → config → compile → plan → state → engines`, verb to engine.

Once for the route process, once for HAProxy with a certificate: the same rooms in the same order, whoever carries the service.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from gurney.api.server import Server
from gurney.api.work import Work
from gurney.cli.main import main
from gurney.control.keeper import GuardKeeper
from gurney.engines.engine import Engine, Ground
from gurney.engines.haproxy.engine import Haproxy
from gurney.guard import client
from tests.control.made import made
from tests.control.world import World, document
from tests.ports import free_port
from tests.walks.recorder import Recorder

WALK = ["cli", "api", "control", "config", "compile", "plan", "state", "engines"]
GROUND = {"net", "disk", "telemetry", "guard", "balance", "errors"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    one.close()


def walked(world: World, before: str, after: str) -> list[str]:
    """The rooms entered by `gurney apply` of `after`, in order, once `before` is served."""
    recorder = Recorder(apart=())
    threading.setprofile(recorder._profile)
    server = Server(Work(world.control, world.watch, dict), world.folder.control_socket)
    try:
        server.start()
        file = world.path / "gurney.yaml"
        file.write_text(before)
        assert main(["apply", str(file), "--state", str(world.path)]) == 0
        file.write_text(after)
        recorder.install()
        recorder.on.set()
        status = main(["apply", str(file), "--state", str(world.path)])
        recorder.on.clear()
    finally:
        recorder.on.clear()
        sys.setprofile(None)
        threading.setprofile(None)
        server.stop()
    assert status == 0
    return [room for room in recorder.rooms if room not in GROUND]


def test_one_change_enters_the_rooms_in_order(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert walked(world, document(), document(weight=7)) == WALK
    assert world.served_weight() == 7
    assert "revision 2 is served" in capsys.readouterr().out
    print(f"walk-change rooms={len(WALK)} in_order=1")


WEB = """
gurney: 1
applications:
  web:
    services:
      portal: {{protocol: http, listen: "127.0.0.1:{port}", accept_from: [127.0.0.0/8], tls: {{certificate: portal.pem}}}}
    pools:
      portal: {{members: {{web-1: {{address: "127.0.0.1:9", weight: {weight}}}, web-2: "127.0.0.1:7"}}}}
"""


@pytest.fixture
def house(world: World) -> Iterator[World]:
    """The same node with a real guard, and HAProxy itself."""
    engines = cast(dict[str, Engine], world.control.engines)
    engines["haproxy"] = Haproxy(Ground(world.folder.application, GuardKeeper(world.path)))
    client.start(world.path)
    yield world
    client.shutdown(world.path, 5.0)


@pytest.mark.live
def test_one_change_to_haproxy_enters_the_same_rooms_in_the_same_order(house: World, capsys: pytest.CaptureFixture[str]) -> None:
    portal, port = made("portal.example", days=36500), free_port()
    (house.path / "portal.pem").write_bytes(portal.pem + portal.key_pem)
    assert walked(house, WEB.format(port=port, weight=100), WEB.format(port=port, weight=7)) == WALK
    assert "change 1 member of portal while HAProxy runs" in capsys.readouterr().out
    print(f"walk-change-http rooms={len(WALK)} in_order=1")
