"""The house of the guard's tests: nothing it started lives on."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.errors import NotRunning
from gurney.guard import client, proc
from tests.guard.house import GUARD, House


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"), prepend=os.pathsep)
    monkeypatch.setenv("GURNEY_FAILPOINTS", "")
    house = House(tmp_path / "state")
    house.state.chmod(0o700)
    yield house
    monkeypatch.setenv("GURNEY_FAILPOINTS", "")
    with contextlib.suppress(NotRunning):
        client.shutdown(house.state, 0.5, argv=[sys.executable, "-c", GUARD, str(house.state)])
    assert not proc.started_by(house.argv())
