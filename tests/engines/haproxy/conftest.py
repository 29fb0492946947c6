"""Fixtures of the HAProxy engine's tests: a house with a guard, members, all ended afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.engines.haproxy.house import House, Member, wait


class Ending:
    """SIGTERM ends a run as Ctrl-C does, so that it closes what its tests started; while something is being closed, only after that."""

    def __init__(self) -> None:
        self.closing = False
        self.told = False

    def stop(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        self.told = True
        if not self.closing:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def last(self) -> Iterator[None]:
        """What is inside is carried through."""
        self.closing = True
        try:
            yield
        finally:
            self.closing = False
        if self.told:
            raise KeyboardInterrupt


@pytest.fixture(scope="session")
def ending() -> Iterator[Ending]:
    one = Ending()
    before = signal.signal(signal.SIGTERM, one.stop)
    yield one
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, ending: Ending) -> Iterator[House]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "src"))
    monkeypatch.delenv("GURNEY_FAILPOINTS", raising=False)
    folder = Path(tempfile.mkdtemp(prefix="gurney-engine-"))
    house = House(folder / "state")
    house.state.chmod(0o700)
    try:
        house.open()
        yield house
    finally:
        with ending.last():
            house.close()
            wait(lambda: not _left(folder), f"the end of every process of {folder}")
            shutil.rmtree(folder)


@pytest.fixture
def member() -> Iterator[Callable[[str], Member]]:
    made: list[Member] = []

    def make(name: str) -> Member:
        made.append(Member(name))
        return made[-1]

    try:
        yield make
    finally:
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
