"""Whose an application's folder is: nobody's of its own where we are not root; with root, real uids on a real disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gurney.state.folder import Folder
from gurney.state.users import FIRST, LAST, Users

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="not proven: C4 (needs root)")


def able(uid: int, folder: Path) -> str:
    return ""


def unable(uid: int, folder: Path) -> str:
    return "uid cannot run it"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "state")
    folder.prepare()
    return folder


def owner(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def test_without_root_everything_is_the_operators(folder: Folder) -> None:
    users = Users(folder, able, root=False)
    made = users.folder("pacs")
    assert users.uid("pacs") is None and users.runs_as("pacs") is None and users.why == ""
    assert owner(made) == (os.geteuid(), made.stat().st_gid, 0o700) and made.stat().st_gid not in range(FIRST, LAST + 1)


@as_root
def test_each_application_has_a_uid_that_stays_with_its_folder(folder: Folder) -> None:
    users = Users(folder, able)
    uids = {name: users.uid(name) for name in ("pacs", "ehr", "portal")}
    assert len(set(uids.values())) == 3 and all(uid is not None and FIRST <= uid <= LAST for uid in uids.values())
    assert owner(folder.applications / "pacs") == (0, uids["pacs"], 0o1770)
    assert owner(folder.applications / "pacs" / "objects") == (uids["pacs"], uids["pacs"], 0o700)
    again = Users(folder, able)
    assert {name: again.runs_as(name) for name in ("portal", "pacs", "ehr")} == uids
    (folder.applications / "ehr" / "objects").rmdir()
    (folder.applications / "ehr").rmdir()
    assert Users(folder, able).uid("new") == uids["ehr"] and again.uid("pacs") == uids["pacs"]


@as_root
def test_what_root_made_before_becomes_the_applications_and_roots_own_stays(folder: Folder, tmp_path: Path) -> None:
    made = folder.application("pacs")
    (outside := tmp_path / "outside").write_text("root's")
    (outside.with_name("twice")).write_text("root's")
    for name in ("record.db", "route.log", "route.json", "output.log", "objects/1.dcm"):
        (made / name).touch(0o600)
    (made / "haproxy").mkdir(0o700)
    (made / "haproxy" / "bundle.json").touch(0o600)
    (made / "link").symlink_to(outside)
    os.link(outside.with_name("twice"), made / "hard")
    uid = Users(folder, able).runs_as("pacs")
    assert uid is not None
    assert {name: owner(made / name) for name in ("record.db", "route.log", "objects/1.dcm")} == dict.fromkeys(
        ("record.db", "route.log", "objects/1.dcm"), (uid, uid, 0o600)
    )
    assert owner(made / "route.json") == (0, uid, 0o640)
    assert {owner(made / name)[0] for name in ("output.log", "haproxy", "haproxy/bundle.json", "hard")} == {0}
    assert owner(outside)[0] == owner(outside.with_name("twice"))[0] == 0


@as_root
def test_where_our_program_cannot_be_read_everything_stays_roots(folder: Folder) -> None:
    users = Users(folder, unable)
    uid = users.uid("pacs")
    assert uid is not None and users.runs_as("pacs") is None and users.why == "uid cannot run it"
    made = folder.applications / "pacs"
    assert owner(made) == (0, uid, 0o700) and owner(made / "objects")[0] == 0
    (made / "record.db").touch()
    later = Users(folder, able)  # installed where it can be read, meanwhile
    assert later.runs_as("pacs") == uid and owner(made / "record.db")[0] == uid


@as_root
def test_an_application_cannot_put_something_in_the_place_of_roots(folder: Folder) -> None:
    """A link where root writes would give the application root's files; the folder's sticky bit is what forbids it."""
    users = Users(folder, able)
    made, uid = users.folder("pacs"), users.uid("pacs")
    (made / "haproxy").mkdir(0o700)
    (made / "route.json").touch(0o600)
    assert uid is not None and _allowed(uid, made) == {"own file"}
    made.chmod(0o770)  # without the sticky bit the application owns the place
    assert "rename" in _allowed(uid, made)


TRIES: dict[str, Callable[[], object]] = {
    "own file": lambda: os.close(os.open("own", os.O_CREAT | os.O_EXCL)) or os.unlink("own"),
    "rename": lambda: os.rename("haproxy", "x"),
    "unlink": lambda: os.unlink("route.json"),
    "read": lambda: os.open("route.json", os.O_RDONLY),
    "look inside": lambda: os.listdir("haproxy"),
    "widen": lambda: os.chmod(".", 0o777),
    "keys": lambda: os.open("../../keys/site.key", os.O_RDONLY),
    "others": lambda: os.listdir(".."),
}


def _allowed(uid: int, folder: Path) -> set[str]:
    """What a process of `uid` may do in a folder; a fork, since the interpreter itself may not be readable under it."""
    opened = os.open(folder, os.O_PATH)
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.fchdir(opened)
            for word, call in TRIES.items():
                try:
                    call()
                except PermissionError:
                    continue
                os.write(theirs, f"{word}\n".encode())
        finally:
            os._exit(0)
    os.close(theirs)
    os.waitpid(pid, 0)
    with os.fdopen(ours) as said:
        words = set(said.read().splitlines())
    os.close(opened)
    return words
