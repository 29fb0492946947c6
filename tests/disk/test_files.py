"""Small files, locks, failpoints."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gurney.disk import faults, files, locks
from gurney.errors import InputRefused


def test_replace_is_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.replace(path, b"one")
    files.replace(path, b"two" * 100_000)
    assert path.read_bytes() == b"two" * 100_000 and path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
    files.remove(path)
    files.remove(path)
    assert not list(tmp_path.iterdir())


def test_replace_passes_its_point_between_rename_and_sync(tmp_path: Path) -> None:
    planned = faults.parse("mark.renamed=eio")
    with pytest.raises(OSError):
        files.replace(tmp_path / "a", b"x", faults=planned, point="mark.renamed")
    assert (tmp_path / "a").read_bytes() == b"x" and planned.passed == {"mark.renamed": 1}


def test_a_byte_has_one_holder_and_its_neighbour_another(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not locks.held(path, locks.GUARD)
    guard = locks.take(path, locks.GUARD)
    assert guard is not None and locks.held(path, locks.GUARD) and not locks.held(path, locks.CONTROL)
    assert locks.take(path, locks.GUARD) is None
    control = locks.take(path, locks.CONTROL)
    assert control is not None
    guard.release()
    guard.release()
    assert not locks.held(path, locks.GUARD) and locks.held(path, locks.CONTROL)
    control.release()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        locks.take(path, locks.GUARD)
        os.write(told, b"x")
        os.read(ready, 0)
        os.kill(os.getpid(), 9)
    os.read(ready, 1)
    os.waitpid(child, 0)
    again = locks.take(path, locks.GUARD)
    assert again is not None
    again.release()
    os.close(ready)
    os.close(told)


@pytest.mark.parametrize(
    "text",
    ["group.begun", "group.unknown=kill", "group.begun=explode", "group.begun=kill:3", "group.begun=delay", "group.begun=delay:x",
     "group.begun=kill@", "group.begun=short:-1", "=kill"],
)  # fmt: skip
def test_a_plan_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InputRefused):
        faults.parse(text)


def test_faults_do_what_the_plan_says() -> None:
    planned = faults.parse("group.begun=eio@2, group.committed=enospc,object.written=short:512,mark.renamed=delay:1")
    assert planned.hit("group.begun") is None
    with pytest.raises(OSError) as problem:
        planned.hit("group.begun")
    assert problem.value.errno == 5
    assert planned.hit("group.begun") is None
    with pytest.raises(OSError) as problem:
        planned.hit("group.committed")
    assert problem.value.errno == 28
    assert planned.hit("object.written") == 512 and planned.hit("mark.renamed") is None and planned.hit("answer.sent") is None
    assert planned.passed["group.begun"] == 3
    assert faults.parse("").hit("group.begun") is None
