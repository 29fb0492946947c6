"""The service manager's side: ready is said, listeners lie in its store, and a guard finds them there when everything else died."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.guard import privileges
from gurney.guard.intents import Listener
from gurney.guard.listeners import bind, is_of
from tests.guard.house import BOUND, GUARD, House, address, answer, pid_gone, wait
from tests.ports import free_port

START = (
    "import os, sys\n"
    "fds = [int(one) for one in sys.argv[1].split(',') if one]\n"
    "for number, fd in enumerate(fds, 3): os.dup2(fd, number), os.close(fd)\n"
    "os.environ['LISTEN_PID'] = str(os.getpid())\n"
    "os.execv(sys.executable, [sys.executable, '-c', sys.argv[2], sys.argv[3]])\n"
)


class Manager:
    """As systemd does it: a datagram socket that is told, a store of descriptors, a guard that is started with what lies in it."""

    def __init__(self, house: House, path: Path) -> None:
        self.house = house
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.store: dict[str, int] = {}
        self.ready = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self) -> None:
        while True:
            data, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
            said = dict(line.split("=", 1) for line in data.decode().splitlines())
            with self.lock:
                if "END" in said:
                    return
                if "FDSTORE" in said:
                    assert said["FDNAME"] not in self.store
                    (self.store[said["FDNAME"]],) = fds
                elif "FDSTOREREMOVE" in said and said["FDNAME"] in self.store:
                    os.close(self.store.pop(said["FDNAME"]))
                self.ready += "READY" in said

    def start(self) -> None:
        with self.lock:
            names, fds = list(self.store), [os.dup(fd) for fd in self.store.values()]
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]  # out of the way of the numbers they get
        environment = {
            **privileges.environment(),
            "NOTIFY_SOCKET": str(self.path),
            "LISTEN_FDS": str(len(fds)),
            "LISTEN_FDNAMES": ":".join(names),
        }
        argv = [sys.executable, "-c", START, ",".join(map(str, high)), GUARD, str(self.house.state)]
        self.process = subprocess.Popen(argv, env=environment, pass_fds=high, start_new_session=True)
        for fd in {*fds, *high}:
            os.close(fd)
        before = self.ready
        wait(lambda: self.ready > before, "READY=1")

    def end(self) -> None:
        if self.process is not None:
            self.process.wait(BOUND)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"END=1", str(self.path))
        self.thread.join(BOUND)
        self.socket.close()
        for fd in self.store.values():
            os.close(fd)


@pytest.fixture
def manager(house: House, tmp_path: Path) -> Iterator[Manager]:
    one = Manager(house, tmp_path / "notify")
    yield one
    with contextlib.suppress(Exception):
        house.guard.shutdown(0.5)
    one.end()


def test_listeners_survive_the_guard_and_what_served_them(house: House, manager: Manager) -> None:
    manager.start()
    first, second = free_port(), free_port()
    route = house.run(first, second)["pid"]
    house.settled()
    wait(lambda: len(manager.store) == 2, "two listeners in the store")
    guard = house.guard.pid()
    os.kill(guard, signal.SIGKILL)
    os.kill(route, signal.SIGKILL)
    assert manager.process is not None
    manager.process.wait(BOUND)
    wait(lambda: pid_gone(route), "the child's end")
    with socket.create_connection(("127.0.0.1", first), BOUND) as waiting:  # nobody runs at all, and nobody is refused
        manager.start()
        assert int(waiting.recv(64)) == house.settled()["pid"] != route
    assert answer(second) == house.settled()["pid"]
    house.run(first)
    wait(lambda: len(manager.store) == 1, "one listener in the store")
    with pytest.raises(ConnectionRefusedError):
        answer(second)
    house.guard.stop("pacs", 5)
    wait(lambda: not manager.store, "an empty store")
    with pytest.raises(ConnectionRefusedError):
        answer(first)


def test_what_a_living_process_hands_back_takes_the_place_of_the_stored(house: House, manager: Manager) -> None:
    manager.start()
    port = free_port()
    route = house.run(port)["pid"]
    house.settled()
    os.kill(house.guard.pid(), signal.SIGKILL)
    assert manager.process is not None
    manager.process.wait(BOUND)
    manager.start()
    process = house.settled()
    assert (process["pid"], process["adopted"]) == (route, True) and answer(port) == route
    wait(lambda: len(manager.store) == 1, "one listener in the store")
    house.guard.stop("pacs", 5)
    with pytest.raises(ConnectionRefusedError):
        answer(port)


def test_what_is_refused_does_not_stay_in_the_store(house: House, manager: Manager) -> None:
    manager.start()
    port = free_port()
    with pytest.raises(Exception, match="cannot start"):
        house.guard.run("pacs", ["/does/not/exist"], house.folder, [address(port)])
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))
    assert not manager.store


def test_what_is_handed_back_is_looked_at() -> None:
    port = free_port()
    listener = Listener("x", "127.0.0.1", port)
    with bind(listener) as sock, socket.socket() as other, socket.socket(socket.AF_UNIX) as local:
        assert is_of(sock, listener)
        assert not is_of(sock, Listener("x", "127.0.0.1", port - 1)) and not is_of(sock, Listener("x", "", port))
        assert not is_of(other, listener) and not is_of(local, listener)
    with bind(Listener("*", "", port)) as sock:
        assert is_of(sock, Listener("*", "", port)) and not is_of(sock, listener)
