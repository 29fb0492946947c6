"""The files of a route table beside it: there before it, gone after it, readable by whom they are for and by nobody else."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from gurney.config.proxied import Material
from gurney.engines import route_files
from gurney.errors import EngineRefused, StateUnusable
from gurney.state.certificates import Certificates

USER = 60706


def kept(folder: Path, *contents: bytes) -> tuple[Certificates, list[str]]:
    """What the state keeps, and the digests."""
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "app").mkdir(exist_ok=True)
    certificates = Certificates(folder / "keys" / "certificates")
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    for content, digest in zip(contents, digests, strict=True):
        certificates.put(Material("certificate", digest, content=content))
    return certificates, digests


def lying(folder: Path) -> dict[str, bytes]:
    place = folder / "app" / "certificates"
    return {path.name: path.read_bytes() for path in place.iterdir()} if place.exists() else {}


def test_files_come_before_a_table_and_go_after_it(tmp_path: Path) -> None:
    certificates, (first, second, third) = kept(tmp_path, b"1", b"2", b"3")
    app = tmp_path / "app"
    route_files.put(app, certificates, {first, second}, None)
    route_files.put(app, certificates, {second, third}, None)
    assert lying(tmp_path) == {
        f"{first}.pem": b"1",
        f"{second}.pem": b"2",
        f"{third}.pem": b"3",
    }  # the table in force may still need the first
    route_files.sweep(app, {second, third})
    assert lying(tmp_path) == {f"{second}.pem": b"2", f"{third}.pem": b"3"}
    place = app / "certificates"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (place, *place.iterdir())}
    assert modes == {0o700, 0o600}
    (place / f"{second}.new").write_bytes(b"half")  # a crash while it was written
    route_files.sweep(app, ())
    assert not place.exists()


def test_no_folder_is_made_for_a_table_without_files(tmp_path: Path) -> None:
    certificates, _ = kept(tmp_path)
    route_files.put(tmp_path / "app", certificates, (), None)
    route_files.sweep(tmp_path / "app", ())
    assert not (tmp_path / "app" / "certificates").exists()


def test_a_damaged_copy_is_written_anew(tmp_path: Path) -> None:
    certificates, (digest,) = kept(tmp_path, b"whole")
    route_files.put(tmp_path / "app", certificates, {digest}, None)
    (tmp_path / "app" / "certificates" / f"{digest}.pem").write_bytes(b"rot")
    route_files.put(tmp_path / "app", certificates, {digest}, None)
    assert lying(tmp_path) == {f"{digest}.pem": b"whole"}


def test_what_the_state_lost_is_refused_by_name(tmp_path: Path) -> None:
    certificates, (digest,) = kept(tmp_path, b"gone")
    (tmp_path / "keys" / "certificates" / f"{digest}.pem").unlink()
    with pytest.raises(StateUnusable) as refused:
        route_files.put(tmp_path / "app", certificates, {digest}, None)
    assert digest in refused.value.message


@pytest.mark.parametrize("how", ["link", "file"])
def test_what_stands_in_the_place_of_the_folder_leads_nowhere(tmp_path: Path, how: str) -> None:
    certificates, (digest,) = kept(tmp_path, b"secret")
    place, elsewhere = tmp_path / "app" / "certificates", tmp_path / "elsewhere"
    elsewhere.mkdir()
    if how == "link":
        place.symlink_to(elsewhere)
    else:
        place.write_bytes(b"")
    with pytest.raises(EngineRefused):
        route_files.put(tmp_path / "app", certificates, {digest}, None)
    route_files.sweep(tmp_path / "app", ())
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="not proven: C4 (needs root)")
def test_an_application_with_a_uid_of_its_own_reads_them_and_owns_none(tmp_path: Path) -> None:
    certificates, (digest,) = kept(tmp_path, b"key")
    route_files.put(tmp_path / "app", certificates, {digest}, None)  # as it was before the application had one
    route_files.put(tmp_path / "app", certificates, {digest}, USER)
    place = tmp_path / "app" / "certificates"
    seen = [path.stat() for path in (place, place / f"{digest}.pem")]
    assert [(one.st_uid, one.st_gid, stat.S_IMODE(one.st_mode)) for one in seen] == [(0, USER, 0o750), (0, USER, 0o640)]
