"""What the units of a service manager lean on: the guard is somebody else's, the file is for the first start, down says what ran."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.guard import client, proc
from tests.cli.running import Node, document, node, until
from tests.ports import free_port

pytestmark = pytest.mark.live


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path) as made:
        yield made


class Unit:
    """The guard's unit: started, and started again when it ends."""

    def __init__(self, one: Node) -> None:
        self.one = one
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        self.one.state.mkdir(mode=0o711, exist_ok=True)
        argv = [sys.executable, "-m", "gurney", "guard", "--state", str(self.one.state)]
        self.process = subprocess.Popen(argv, env=self.one.environment, stdin=subprocess.DEVNULL, start_new_session=True)
        until(lambda: client.alive(self.one.state), "the guard answers")
        return self.process.pid

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(20)


def test_a_control_process_that_waits_never_starts_a_guard(one: Node) -> None:
    unit = Unit(one)
    first = unit.start()
    file = one.write(document(free_port()))
    assert one.up("--guard", "wait", file).startswith("ready revision=1")
    route = one.pid()
    unit.end()
    log = one.folder / "up.err"
    until(lambda: "the guard is gone" in log.read_text() and "no guard answered" in log.read_text(), "it says that there is none")
    assert not client.alive(one.state) and "GuardGone" in {c["code"] for c in one.status()["conditions"]}
    second = unit.start()
    until(lambda: any(c["code"] == "GuardRestarted" for c in one.status()["conditions"]), "it meets the next one")
    assert "GuardGone" not in {c["code"] for c in one.status()["conditions"]}
    assert first != second == client.Guard(one.state).pid() and one.pid() == route
    assert one.end_control() == 0
    os.kill(route, 0)
    one.gurney("down")
    assert unit.process is not None and unit.process.wait(20) == 0


def test_the_file_is_for_the_first_start(one: Node) -> None:
    port = free_port()
    file = one.write(document(port))
    assert one.up("--first", file).startswith("ready revision=1")
    one.write(document(port, weight=50))
    one.gurney("apply", file)
    one.gurney("undo")
    assert one.end_control() == 0
    file.write_text("no document at all")
    newest = one.up("--first", file)
    assert newest.startswith("ready revision=")
    members = one.status()["applications"]["pacs"]["pools"]["archive"]["members"]
    assert members["archive-1"]["weight"] == 100, "what was undone stays undone"


PORTAL = """  portal:
    services:
      web: {{protocol: http, listen: "127.0.0.1:{port}", accept_from: [127.0.0.0/8]}}
    pools:
      pages: {{check: {{kind: tcp, interval: 500ms, timeout: 500ms}}, members: ["127.0.0.1:1"]}}
"""


def test_down_without_control_ends_both_engines_and_says_what_ran(one: Node) -> None:
    assert one.up(one.write(document(free_port(), further=PORTAL.format(port=free_port())))).startswith("ready")
    kept = {process["name"]: process for process in client.Guard(one.state).list()}
    one.end_control(signal.SIGKILL)
    done = one.gurney("down")
    ran = [f"stopped {name.replace('.', ': ') if '.' in name else f'{name}: route process'} (pid {kept[name]['pid']})" for name in kept]
    assert done.stdout == "down\n" and sorted(done.stderr.splitlines()) == sorted(ran) and len(ran) == 2
    argv = kept["portal.haproxy"]["argv"]
    assert not [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if proc.has_argv(pid, argv)]
    one.write(document(free_port()))
    assert one.up(one.folder / "gurney.yaml").startswith("ready revision=2")
    one.end_control(signal.SIGKILL)
    assert "stopped pacs: route process (pid " in one.gurney("down").stderr
    assert one.up().startswith("ready revision=2")
    one.end_control(signal.SIGKILL)
    os.kill(client.Guard(one.state).pid(), signal.SIGKILL)
    until(lambda: not client.alive(one.state), "the guard's end")
    assert "stopped pacs: route process, left by a guard that is gone" in one.gurney("down").stderr
    assert "nothing runs" in one.gurney("down", status=1).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="not proven: needs root")
def test_down_leaves_anothers_state_alone(one: Node) -> None:
    one.state.mkdir()
    (one.state / "guard.json").write_text("{}")
    os.chown(one.state, 60705, 60705)
    done = one.gurney("down", status=1)
    assert "belongs to uid 60705" in done.stderr and not (one.state / "guard.log").exists()
    os.chown(one.state, 0, 0)
    (one.state / "guard.json").unlink()
