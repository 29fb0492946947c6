"""The processes together: up, adoption, apply, crashes of control and guard, down. What is asserted are pids, generations and exits."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Node, document, node, until
from tests.ports import free_port

pytestmark = pytest.mark.live


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path) as made:
        yield made


def guard_pid(one: Node) -> int:
    from gurney.guard.client import Guard

    return Guard(one.state).pid()


def test_up_apply_undo_down(one: Node) -> None:
    port = free_port()
    file = one.write(document(port))
    assert one.up(file).startswith("ready revision=1 applications=1 services=1 members=")
    pid = one.pid()
    again = one.gurney("up", file, status=1)
    assert "use apply" in again.stderr and again.stdout == ""
    assert "nothing to do" in one.gurney("apply", file).stdout
    assert one.status()["revision"]["revision"] == 1
    one.write(document(port, weight=50))
    assert "revision 2 is served" in one.gurney("apply", file).stdout
    members = one.status()["applications"]["pacs"]["pools"]["archive"]["members"]
    assert members["archive-1"]["weight"] == 50
    one.gurney("undo")
    assert one.status()["applications"]["pacs"]["pools"]["archive"]["members"]["archive-1"]["weight"] == 100
    assert one.pid() == pid
    one.gurney("down")
    assert one.control is not None and one.control.wait(30) == 0
    assert not (one.state / "guard.sock").exists() and not (one.state / "control.sock").exists()
    assert "nothing runs" in one.gurney("down", status=1).stderr
    assert "gurney up" in one.gurney("status", status=1).stderr


def test_a_faulty_document_is_exit_2_and_nothing_is_made(one: Node) -> None:
    file = one.write("gurney: 1\napplications: {}\n")
    done = one.gurney("up", file, status=2)
    assert "GRN-S025" in done.stderr and done.stdout == ""
    assert not one.state.exists()


def test_a_port_that_is_taken_fails_the_first_up_and_leaves_nothing_running(one: Node) -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        done = one.gurney("up", one.write(document(holder.getsockname()[1])), status=1)
    assert "Address already in use" in done.stderr
    assert not (one.state / "guard.sock").exists()
    assert "no revision" in one.gurney("up", status=2).stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGINT])
def test_control_ends_alone_and_the_next_adopts(one: Node, number: signal.Signals) -> None:
    one.up(one.write(document(free_port())))
    pid, guard = one.pid(), guard_pid(one)
    status = one.end_control(number)
    assert status == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    os.kill(pid, 0)
    assert one.up().startswith("ready revision=1 ")
    assert (one.pid(), guard_pid(one)) == (pid, guard)
    assert (one.folder / "up.err").read_text().count("start a route process") == 1


def test_a_lost_database_costs_the_history_and_no_process(one: Node) -> None:
    file = one.write(document(free_port()))
    one.up(file)
    pid = one.pid()
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (one.state / name).unlink(missing_ok=True)
    one.end_control(signal.SIGKILL)
    assert "the guard keeps alive: pacs running" in one.gurney("status", status=1).stderr
    assert "no revision" in one.gurney("up", status=2).stderr
    os.kill(pid, 0)
    assert one.up(file).startswith("ready revision=1 ")
    assert one.pid() == pid


def test_down_works_without_control(one: Node) -> None:
    one.up(one.write(document(free_port())))
    pid = one.pid()
    one.end_control(signal.SIGKILL)
    one.gurney("down")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_plan_without_control_starts_from_what_serves(one: Node) -> None:
    port = free_port()
    one.up(one.write(document(port)))
    changed = one.write(document(port, weight=4), "changed.yaml")
    online = one.gurney("plan", changed).stdout
    one.end_control(signal.SIGTERM)
    assert one.gurney("plan", changed).stdout == online
    one.gurney("down")
    assert one.gurney("plan", changed).stdout.startswith("1. pacs: start a route process")


def test_down_ends_a_control_process_that_hangs(one: Node) -> None:
    one.up(one.write(document(free_port())))
    assert one.control is not None
    one.control.send_signal(signal.SIGSTOP)
    one.gurney("down")
    assert one.control.wait(10) == -signal.SIGKILL


def test_a_guard_that_is_killed_is_followed_by_one_that_keeps_the_same_process(one: Node) -> None:
    one.up(one.write(document(free_port())))
    pid, guard = one.pid(), guard_pid(one)
    os.kill(guard, signal.SIGKILL)
    until(lambda: "GuardRestarted" in [each["code"] for each in one.status()["conditions"]], "the next guard")
    assert one.pid() == pid and guard_pid(one) != guard


def test_a_route_process_that_is_killed_is_restarted_and_said(one: Node) -> None:
    one.up(one.write(document(free_port())))
    pid = one.pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: "EngineRestarted" in [each["code"] for each in one.status()["conditions"]], "the restart to be seen")
    engine = until(lambda: (found := one.status()["applications"]["pacs"]["engines"]["route"])["confirmed"] and found, "the new process")
    assert engine["pid"] != pid and engine["restarts"] == 1


def test_overrides_outlive_control_and_end_by_enable(one: Node) -> None:
    one.up(one.write(document(free_port())))
    assert one.gurney("drain", "pacs/*/*", "--why", "disk", "--for", "1h").stdout.startswith("pacs/archive/archive-1: drain until ")
    one.end_control(signal.SIGKILL)
    one.up()
    member = one.status()["applications"]["pacs"]["pools"]["archive"]["members"]["archive-1"]
    assert (member["configured"], member["override"], member["override_why"]) == ("enabled", "drain", "disk")
    assert "no override any more" in one.gurney("enable", "pacs/archive/archive-1").stdout
    assert "no member is called" in one.gurney("drain", "pacs/archive/x", status=2).stderr


def test_explain_answers_from_what_runs_and_from_a_document(one: Node) -> None:
    file = one.write(document(free_port()))
    offline = one.gurney("explain", "pacs/store", "modality=MG", "--file", file, "--json").stdout
    assert '"rule"' in offline and '"archive-1"' in offline
    one.up(file)
    assert '"archive-1"' in one.gurney("explain", "pacs/store", "modality=MG", "--json").stdout
    assert "no service" in one.gurney("explain", "pacs/nothing", status=2).stderr
    assert "names no service" in one.gurney("explain", "pacs", status=2).stderr


class Ear:
    """What a terminal has said so far."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._said = b""

    def __call__(self, word: bytes) -> bool:
        with contextlib.suppress(OSError):  # the other end closes when the process ends
            if select.select([self._terminal], [], [], 0)[0]:
                self._said += os.read(self._terminal, 4096)
        return word in self._said


def test_ctrl_c_on_a_terminal_stops_traffic_too(one: Node) -> None:
    file = one.write(document(free_port()))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "gurney", "up", str(file)], one.environment)
    heard = Ear(terminal)
    until(lambda: heard(b"ready revision=1"), "ready")
    route = one.pid()
    os.write(terminal, b"\x03")
    until(lambda: heard(b"stopping traffic too"), "the Ctrl-C to be heard")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    with pytest.raises(ProcessLookupError):
        os.kill(route, 0)
    assert not (one.state / "guard.sock").exists()


def test_ctrl_c_twice_stops_at_once(one: Node) -> None:
    file = one.write(document(free_port()))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "gurney", "up", str(file)], one.environment)
    heard = Ear(terminal)
    until(lambda: heard(b"ready revision=1"), "ready")
    os.kill(one.pid(), signal.SIGSTOP)  # it will not end by itself
    os.write(terminal, b"\x03")
    until(lambda: heard(b"stopping traffic too"), "the first Ctrl-C to be heard")
    os.write(terminal, b"\x03")
    until(lambda: heard(b"at once\r\n"), "the second Ctrl-C to be heard")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert not (one.state / "guard.sock").exists()
