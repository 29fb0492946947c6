"""The state folder: rights, the lock, the site key."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gurney.errors import AlreadyRunning, StateUnusable
from gurney.state.folder import SITE_KEY_BYTES, Folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_private_even_if_they_were_open(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    folder = Folder(tmp_path / "state")
    folder.prepare()
    made = folder.application("pacs")
    passed = 0o711 if os.geteuid() == 0 else 0o700
    assert {mode(path) for path in (folder.path, folder.applications)} == {passed}
    assert {mode(path) for path in (folder.keys, made, made / "objects")} == {0o700}


def test_one_owner_at_a_time_and_another_after_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    lock = folder.own()
    with pytest.raises(AlreadyRunning, match="use apply"):
        folder.own()
    lock.release()
    folder.own().release()


def test_the_site_key_is_made_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.prepare()
    key = folder.site_key()
    assert len(key) == SITE_KEY_BYTES and key != bytes(SITE_KEY_BYTES)
    assert folder.site_key() == key
    assert mode(folder.keys / "site.key") == 0o600
    assert [entry.name for entry in folder.keys.iterdir()] == ["site.key"]


def test_a_damaged_site_key_is_never_replaced(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.prepare()
    (folder.keys / "site.key").write_bytes(b"short")
    with pytest.raises(StateUnusable):
        folder.site_key()
    assert (folder.keys / "site.key").read_bytes() == b"short"


def test_a_file_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateUnusable):
        Folder(tmp_path / "state").prepare()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    (tmp_path / "shared" / "thesis.txt").write_text("")
    with pytest.raises(StateUnusable, match="no state folder"):
        Folder(tmp_path / "shared").prepare()
    assert mode(tmp_path / "shared") == 0o755
