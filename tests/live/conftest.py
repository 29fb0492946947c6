"""Fixtures of the live tests: a short folder, peers that must be there (`not proven` else, red in CI), all closed at the end."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import pytest

from tests.live.harness.behaviour import Behaviour
from tests.live.harness.dcmtk import StoreScp
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.groups import Group
from tests.live.harness.http.running import Load, Website
from tests.live.harness.member import Member
from tests.live.harness.orthanc import Orthanc
from tests.live.harness.processes import Archive
from tests.live.harness.proxy import Proxy
from tests.live.harness.pynet import PynetdicomArchive
from tests.ports import free_ports

PEERS = "/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin:/usr/local/sbin"


def unproven(why: str) -> NoReturn:
    """Skip with `not proven: …`; with CI in the environment that is a failure."""
    print(f"not proven: {why}", flush=True)
    if os.environ.get("CI"):
        pytest.fail(f"not proven: {why}")
    pytest.skip(f"not proven: {why}")


def needs(*programs: str) -> None:
    """What follows is not proven without these programs."""
    missing = [p for p in programs if shutil.which(p, path=PEERS) is None]
    if missing:
        unproven(f"{', '.join(missing)} is not installed")


class Room:
    """What one test starts; `close` ends all of it, newest first, and a Gurney's leftovers fail the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.things: list[Any] = []

    def keep(self, thing: Any) -> Any:
        """`thing.close()` is called at the end."""
        self.things.append(thing)
        return thing

    def gurney(self, document: str, name: str = "g", **more: Any) -> Gurney:
        g = Gurney.__new__(Gurney)
        self.things.append(g)  # known before it starts, so that a failed start is closed too
        g.__init__(self.folder, document, name, **more)  # type: ignore[misc]
        return g

    def member(self, **behaviour: Any) -> Member:
        return self.keep(Member(Behaviour(**behaviour)))  # type: ignore[no-any-return]

    def archive(self, name: str, **behaviour: Any) -> Archive:
        port = behaviour.pop("port", None) or free_ports(1)[0]
        return self.keep(Archive(self.folder, Behaviour(name=name, port=port, **behaviour)))  # type: ignore[no-any-return]

    def storescp(self, name: str = "storescp", **more: Any) -> StoreScp:
        needs("storescp", "dcmsend", "storescu", "echoscu")
        return self.keep(StoreScp(self.folder, free_ports(1)[0], name, **more))  # type: ignore[no-any-return]

    def orthanc(self, modalities: dict[str, list[Any]] | None = None) -> Orthanc:
        needs("Orthanc")
        dicom, http = free_ports(2)
        return self.keep(Orthanc(self.folder, dicom, http, modalities))  # type: ignore[no-any-return]

    def pynetdicom(self, name: str, title: str) -> PynetdicomArchive:
        return self.keep(PynetdicomArchive(self.folder, name, title, free_ports(1)[0]))  # type: ignore[no-any-return]

    def website(self, *names: str, **same: Any) -> Website:
        """An HTTP (or `kind="tcp"`) member program with a listener for each name."""
        return self.keep(Website(self.folder, *names, **same))  # type: ignore[no-any-return]

    def load(self, *groups: Group) -> Load:
        """HTTP, upgrades and TCP sessions, until `stop`."""
        return self.keep(Load(self.folder, *groups))  # type: ignore[no-any-return]

    def proxy(self, target: int) -> Proxy:
        return self.keep(Proxy(target))  # type: ignore[no-any-return]

    def port(self) -> int:
        return free_ports(1)[0]

    def close(self) -> None:
        faults: list[BaseException] = []
        order = sorted(self.things, key=lambda t: not isinstance(t, Gurney))  # Gurney first: its members must not look dead
        for thing in order:
            try:
                thing.close()
            except BaseException as e:  # every one is closed, whatever the others do
                faults.append(e)
        if faults:
            raise faults[0]


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@pytest.fixture(scope="session", autouse=True)
def sigterm_ends_tests_as_ctrl_c_does() -> Iterator[None]:
    """A run that is told to stop closes what its tests started."""
    before = signal.signal(signal.SIGTERM, _stop)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="gl-", dir="/tmp"))  # unix socket paths are short
    yield path
    if os.environ.get("GURNEY_KEEP") is None:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def room(folder: Path, request: pytest.FixtureRequest) -> Iterator[Room]:
    r = Room(folder)
    yield r
    r.close()


@pytest.fixture
def many(room: Room) -> Callable[[int], list[int]]:
    """Free ports that differ from each other."""
    return free_ports
