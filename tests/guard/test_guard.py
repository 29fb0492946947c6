"""The guard with real processes: who lives, who is restarted, who is adopted, who may end what."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading

import pytest

from gurney.errors import GuardRefused, NotRunning
from gurney.guard import client, proc
from gurney.net.messages import Connection
from tests.guard.house import BOUND, GUARD, House, address, alive, answer, pid_gone, wait
from tests.ports import free_port


def test_run_and_list(house: House) -> None:
    house.start()
    assert house.guard.list() == []
    port = free_port()
    said = house.run(port)
    assert said["started"] and said["pid"]
    process = house.settled()
    assert process["pid"] == said["pid"] == answer(port)
    assert (process["name"], process["adopted"], process["restarts"], process["last_exit"]) == ("pacs", False, 0, None)
    assert process["listeners"] == [f"127.0.0.1:{port}"]
    seen = house.ask("environment")
    assert seen["sid"] == said["pid"] and seen["stdin"] == "/dev/null"
    assert set(seen["environment"]) <= {"OPENSSL_CONF", "PYTHONSAFEPATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "GURNEY_FAILPOINTS"}
    intent = json.loads((house.state / "guard.json").read_text())["processes"]["pacs"]
    assert (intent["pid"], intent["start"]) == (said["pid"], proc.start_time(said["pid"]))
    for name in ("guard.json", "guard.log", "guard.out", "apps/pacs/output.log"):
        assert (house.state / name).stat().st_mode & 0o777 == 0o600, name


def test_a_killed_process_is_restarted_and_nobody_is_refused(house: House) -> None:
    house.start()
    port = free_port()
    pid = house.run(port)["pid"]
    house.settled()
    for _ in range(3):
        os.kill(pid, signal.SIGKILL)
        with socket.create_connection(("127.0.0.1", port), BOUND) as sock:  # nobody serves at this moment
            now = int(sock.recv(64))
        assert now != pid
        pid = now
    process = house.settled()
    assert (process["pid"], process["restarts"], process["last_exit"]) == (pid, 3, "signal 9 (SIGKILL)")


def test_run_is_idempotent_and_hands_over_the_difference(house: House) -> None:
    house.start()
    first, second = free_port(), free_port()
    pid = house.run(first)["pid"]
    house.settled()
    assert house.run(first) == {"ok": True, "pid": pid, "started": False, "handed": True}
    assert house.run(first, second) == {"ok": True, "pid": pid, "started": False, "handed": True}
    assert answer(first) == answer(second) == pid
    assert house.run(second) == {"ok": True, "pid": pid, "started": False, "handed": True}
    assert answer(second) == pid
    with pytest.raises(ConnectionRefusedError):
        answer(first)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # there are connections in TIME-WAIT
        sock.bind(("127.0.0.1", first))
        sock.listen()  # closed on both sides
    assert house.ask("status")["names"] == [f"127.0.0.1:{second}"]


def test_another_argv_restarts_it_on_the_same_listeners(house: House) -> None:
    house.start()
    port = free_port()
    pid = house.run(port)["pid"]
    house.settled()
    said = house.run(port, argv=house.argv("--other"))
    assert said["started"] and said["handed"] and said["pid"] != pid
    assert answer(port) == said["pid"] and pid_gone(pid)
    process = house.process()
    assert (process["last_exit"], process["restarts"]) == ("exit 0", 1)
    again = house.run(port, argv=house.argv("--other"), restart=True)
    assert again["started"] and again["pid"] not in (pid, said["pid"])
    house.guard.stop("pacs", 5)
    assert not proc.started_by(house.argv("--other"))


def test_an_address_that_is_taken_is_named_with_its_holder_and_changes_nothing(house: House) -> None:
    house.start()
    first, other = free_port(), free_port()
    pid = house.run(first)["pid"]
    house.settled()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        before = (house.state / "guard.json").read_bytes()
        with pytest.raises(GuardRefused, match=f"cannot listen on 127.0.0.1:{taken}: Address already in use") as refused:
            house.run(first, other, taken)
        assert refused.value.hint is not None and f"(pid {os.getpid()})" in refused.value.hint
        assert (house.state / "guard.json").read_bytes() == before
        assert house.process()["listeners"] == [f"127.0.0.1:{first}"] and answer(first) == pid
        with pytest.raises(ConnectionRefusedError):
            answer(other)
        with pytest.raises(GuardRefused):
            house.guard.run("ehr", house.argv(), house.folder, [address(other), address(taken)])
        assert [process["name"] for process in house.guard.list()] == ["pacs"]
        with pytest.raises(GuardRefused, match="is no IP address"):
            house.guard.run("ehr", house.argv(), house.folder, [{"name": "pacs:104", "host": "pacs", "port": other}])


def test_what_cannot_be_started_is_refused_and_leaves_nothing(house: House) -> None:
    house.start()
    port = free_port()
    with pytest.raises(GuardRefused, match="cannot start pacs: No such file"):
        house.run(port, argv=["/does/not/exist"])
    for bad in (["relative"], [], ["/x", 1], "/x"):
        with pytest.raises(GuardRefused, match="argv"):
            house.guard._ask({"op": "run", "name": "pacs", "argv": bad, "folder": str(house.folder)}, 5)
    with pytest.raises(GuardRefused, match="the guard knows"):
        house.guard._ask({"op": "exec"}, 5)
    assert house.guard.list() == []
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))


def test_a_process_that_ends_at_once_is_tried_again_ever_later(house: House) -> None:
    house.start()
    (house.folder / "broken").touch()
    house.run(free_port())
    wait(lambda: house.process()["restarts"] >= 4, "four restarts")
    assert house.process()["last_exit"] == "exit 3"
    (house.folder / "broken").unlink()
    house.settled()
    assert b"broken as asked" in (house.folder / "output.log").read_bytes()


def test_the_guard_dies_and_the_next_adopts(house: House) -> None:
    house.start()
    first, second = free_port(), free_port()
    pid = house.run(first)["pid"]
    house.settled()
    house.kill_guard()
    assert answer(first) == pid
    house.start()
    assert house.run(first) == {"ok": True, "pid": pid, "started": False, "handed": True}  # asked while it is being adopted
    process = house.settled()
    assert (process["pid"], process["adopted"]) == (pid, True)
    assert answer(first) == pid
    assert house.run(first, second) == {"ok": True, "pid": pid, "started": False, "handed": True}
    assert answer(second) == pid
    os.kill(pid, signal.SIGKILL)  # the new guard holds the listeners too: this connection waits in the backlog
    assert answer(first) != pid
    process = house.settled()
    assert (process["last_exit"], process["restarts"], process["adopted"]) == ("unknown (adopted)", 1, False)


def test_everything_is_killed_and_the_next_guard_starts_it_all(house: House) -> None:
    house.start()
    port = free_port()
    pid = house.run(port)["pid"]
    house.settled()
    house.kill_guard()
    os.kill(pid, signal.SIGKILL)
    wait(lambda: pid_gone(pid), "the child's end")
    house.start()
    process = house.settled()
    assert not process["adopted"] and answer(port) == process["pid"] != pid


def test_an_adopted_process_dies_before_it_has_handed_back(house: House) -> None:
    house.start()
    port = free_port()
    pid = house.run(port)["pid"]
    house.settled()
    house.kill_guard()
    os.kill(pid, signal.SIGSTOP)
    house.start()
    assert house.process()["state"] == "adopting"
    os.kill(pid, signal.SIGKILL)
    process = house.settled()
    assert answer(port) == process["pid"] != pid


def test_a_stopped_process_can_be_ended(house: House) -> None:
    house.start()
    pid = house.run(free_port())["pid"]
    house.settled()
    os.kill(pid, signal.SIGSTOP)
    assert house.guard.stop("pacs", 0.2)["exit"] == "signal 9 (SIGKILL)"


def test_a3_crashes_and_restarts_refuse_nobody(house: House) -> None:
    """Reliability A3: 5 planned restarts, 5 SIGKILLs and a dead guard while new connections come all the time."""
    house.start()
    port = free_port()
    house.run(port)
    house.settled()
    counts = {"connections": 0, "answered": 0, "cut": 0, "refused": 0}
    ended = threading.Event()

    def connect() -> None:
        while not ended.wait(0.05):
            counts["connections"] += 1
            try:
                answer(port)
                counts["answered"] += 1
            except ConnectionRefusedError:
                counts["refused"] += 1
            except (ConnectionResetError, ValueError):  # it was in the hands of the one that was killed
                counts["cut"] += 1

    threads = [threading.Thread(target=connect) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(5):
        house.run(port, restart=True)
        if number == 2:
            house.kill_guard()
            house.start()
        os.kill(house.settled()["pid"], signal.SIGKILL)
        house.settled()
    ended.set()
    for thread in threads:
        thread.join(BOUND)
    print("a3 " + " ".join(f"{key}={value}" for key, value in counts.items()))
    assert counts["refused"] == 0 and counts["answered"] > 20 and counts["cut"] <= 5


def test_an_adopted_process_can_be_stopped(house: House) -> None:
    house.start()
    port = free_port()
    pid = house.run(port)["pid"]
    house.settled()
    house.kill_guard()
    house.start()
    house.settled()
    assert house.guard.stop("pacs", 5) == {"ok": True, "stopped": True, "exit": "unknown (adopted)"}
    assert pid_gone(pid) and house.guard.list() == []
    with pytest.raises(ConnectionRefusedError):
        answer(port)


def test_a_process_without_listeners_need_not_speak_route_sock(house: House) -> None:
    house.start()
    argv = [sys.executable, "-c", "import signal; signal.pause()", str(house.folder)]
    pid = house.run(argv=argv)["pid"]
    house.kill_guard()
    house.start()
    assert house.settled()["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: house.process()["pid"] not in (pid, None), "its restart")
    assert house.guard.stop("pacs", 5)["exit"] == "signal 15 (SIGTERM)"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_guard_only(house: House, number: int) -> None:
    guard = house.start()
    port = free_port()
    pid = house.run(port)["pid"]
    house.settled()
    os.kill(guard, number)
    wait(lambda: pid_gone(guard), "the guard's end")
    assert not (house.state / "guard.sock").exists() and answer(port) == pid
    house.start()
    assert house.settled()["pid"] == pid


@pytest.mark.parametrize("point", ["intent.written", "process.started"])
def test_a_guard_that_dies_while_it_starts_a_process(house: House, point: str) -> None:
    """Killed before `exec` nothing runs; killed after it, before pid and start time are written, what runs is found by its argv."""
    house.start(f"{point}=kill@1")
    port = free_port()
    with pytest.raises(NotRunning):
        house.run(port)
    intent = json.loads((house.state / "guard.json").read_text())["processes"]["pacs"]
    assert intent["pid"] is None
    before = proc.started_by(house.argv())
    assert len(before) == (0 if point == "intent.written" else 1)
    house.start()
    process = house.settled()
    assert process["adopted"] == bool(before) and (not before or before == [process["pid"]])
    assert proc.started_by(house.argv()) == [process["pid"]]
    assert answer(port) == process["pid"]


def test_a_pid_that_belongs_to_another_process_by_now_is_left_alone(house: House) -> None:
    house.start()
    port = free_port()
    pid = house.run(port)["pid"]
    house.settled()
    house.kill_guard()
    os.kill(pid, signal.SIGKILL)
    wait(lambda: pid_gone(pid), "the child's end")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        path = house.state / "guard.json"
        body = json.loads(path.read_text())
        body["processes"]["pacs"] |= {"pid": stranger.pid}  # the start time stays that of the dead one
        path.write_text(json.dumps(body))
        house.start()
        process = house.settled()
        assert process["pid"] not in (pid, stranger.pid) and not process["adopted"]
        house.guard.stop("pacs", 5)
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_stop_waits_then_kills(house: House) -> None:
    house.start()
    (house.folder / "stubborn").touch()
    port = free_port()
    pid = house.run(port)["pid"]
    house.settled()
    assert house.guard.stop("pacs", 0.2) == {"ok": True, "stopped": True, "exit": "signal 9 (SIGKILL)"}
    assert pid_gone(pid) and not (house.folder / "route.sock").exists()
    assert house.guard.stop("pacs", 0.2) == {"ok": True, "stopped": False}
    assert json.loads((house.state / "guard.json").read_text())["processes"] == {}


def test_a_stop_that_was_begun_is_ended_by_the_next_guard(house: House) -> None:
    house.start()
    (house.folder / "stubborn").touch()
    pid = house.run(free_port())["pid"]
    house.settled()
    with Connection(house.state / "guard.sock", 0.2) as connection, pytest.raises(NotRunning):
        connection.ask({"op": "stop", "name": "pacs", "within": 600})
    assert house.process()["state"] == "stopping"
    with pytest.raises(GuardRefused, match="is stopping"):
        house.run(free_port())
    house.kill_guard()
    assert alive(pid)
    house.start()
    assert house.process()["state"] == "stopping"
    house.guard.stop("pacs", 0)
    assert pid_gone(pid) and house.guard.list() == []


def test_one_guard_a_state_folder(house: House) -> None:
    pid = house.start()
    assert not client.start(house.state)
    second = subprocess.run([sys.executable, "-c", GUARD, str(house.state)], capture_output=True, text=True, timeout=BOUND)
    assert second.returncode == 1 and "GRN-E005" in second.stderr
    assert house.guard.pid() == pid


def test_down_without_a_guard(house: House) -> None:
    house.start()
    port = free_port()
    pid = house.run(port)["pid"]
    house.settled()
    house.kill_guard()
    assert client.shutdown(house.state, 5, argv=[sys.executable, "-c", GUARD, str(house.state)])
    assert pid_gone(pid)
    left = {path.name for path in house.state.iterdir()}
    assert left == {"apps", "lock", "guard.log", "guard.out"} and not (house.folder / "route.sock").exists()
    assert not client.shutdown(house.state, 5)


def test_a_watcher_sees_the_guard_go(house: House) -> None:
    guard = house.start()
    with house.guard.watch() as sock:
        assert not select.select([sock], [], [], 0)[0]
        os.kill(guard, signal.SIGKILL)
        assert select.select([sock], [], [], BOUND)[0]
    with pytest.raises(NotRunning):
        house.guard.list()


def test_a_guard_that_cannot_start_says_why(house: House) -> None:
    (house.state / "guard.json").write_text('{"version": 99}')
    with pytest.raises(GuardRefused) as refused:
        house.start()
    assert refused.value.hint is not None and "version 99" in refused.value.hint
    (house.state / "guard.json").unlink()


def test_every_address_and_ipv6(house: House) -> None:
    house.start()
    port, other = free_port(), free_port()
    addresses = [{"name": f"*:{port}", "host": "", "port": port}, {"name": f"[::1]:{other}", "host": "::1", "port": other}]
    pid = house.guard.run("pacs", house.argv(), house.folder, addresses)["pid"]
    house.settled()
    assert answer(port) == pid
    for place in (("::1", port), ("::1", other)):
        with socket.create_connection(place, BOUND) as sock:
            assert int(sock.recv(64)) == pid
    with pytest.raises(ConnectionRefusedError):
        answer(other)
