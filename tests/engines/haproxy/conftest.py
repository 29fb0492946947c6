"""Fixtures of the HAProxy engine's tests: a house with a guard, members, all ended afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines.haproxy.house import House, Member, wait


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "src"))
    monkeypatch.delenv("GURNEY_FAILPOINTS", raising=False)
    folder = Path(tempfile.mkdtemp(prefix="gurney-engine-"))
    house = House(folder / "state")
    house.state.chmod(0o700)
    house.open()
    yield house
    house.close()
    wait(lambda: not _left(folder), f"the end of every process of {folder}")
    shutil.rmtree(folder)


@pytest.fixture
def member() -> Iterator[Callable[[str], Member]]:
    made: list[Member] = []

    def make(name: str) -> Member:
        made.append(Member(name))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _left(folder: Path) -> list[str]:
    """Processes in whose arguments the folder stands."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if os.fsencode(folder) in line.read_bytes():
                found.append(line.parent.name)
    return found
