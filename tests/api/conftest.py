"""A served API over a whole change path without processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.api.client import Client
from gurney.api.server import Server
from gurney.api.work import Work
from tests.control.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    one.close()


@pytest.fixture
def work(world: World) -> Work:
    return Work(world.control, world.watch, lambda: {"down": True})


@pytest.fixture
def server(world: World, work: Work) -> Iterator[Server]:
    one = Server(work, world.folder.control_socket)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def client(server: Server, world: World) -> Client:
    return Client(world.folder.control_socket)
