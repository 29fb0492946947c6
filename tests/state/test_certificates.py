"""Kept files: by digest, private, whole, only as long as a revision needs them."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from gurney.config.proxied import Material
from gurney.errors import StateUnusable
from gurney.state.certificates import Certificates
from gurney.state.database import Database
from gurney.state.revisions import KEPT, Revisions


def material(content: bytes) -> Material:
    return Material("certificate", hashlib.sha256(content).hexdigest(), ("a.example",), 5.0, content)


ONE, TWO = material(b"one"), material(b"two")


def test_what_is_kept_comes_back_and_nobody_else_reads_it(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "certificates")
    certificates.put(ONE)
    certificates.put(ONE)
    [path] = (tmp_path / "certificates").iterdir()
    assert path.name == f"{ONE.digest}.pem" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert Certificates(tmp_path / "certificates").get(ONE.digest) == b"one"


def test_a_damaged_or_lost_one_is_never_given_and_is_put_anew(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with pytest.raises(StateUnusable, match="cannot be read"):
        certificates.get(ONE.digest)
    (tmp_path / f"{ONE.digest}.pem").write_bytes(b"on")
    with pytest.raises(StateUnusable, match="damaged"):
        certificates.get(ONE.digest)
    certificates.put(ONE)
    assert certificates.get(ONE.digest) == b"one"


@pytest.mark.parametrize("digest", ["", "x", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_a_digest_is_a_digest(tmp_path: Path, digest: str) -> None:
    with pytest.raises(StateUnusable):
        Certificates(tmp_path).get(digest)
    with pytest.raises(StateUnusable):
        Certificates(tmp_path).put(Material("page", digest, (), None, b"one"))


def test_what_nobody_needs_is_swept_and_halves_too(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "c")
    assert certificates.sweep(()) == ()
    certificates.put(ONE)
    certificates.put(TWO)
    (tmp_path / "c" / f".{ONE.digest}.pem.new").write_bytes(b"o")
    assert certificates.sweep({TWO.digest}) == (ONE.digest,)
    assert [path.stem for path in (tmp_path / "c").iterdir()] == [TWO.digest]


def test_a_revision_remembers_its_files_without_what_they_hold(tmp_path: Path) -> None:
    revisions = Revisions(Database(tmp_path / "state.db"))
    made = revisions.add(text="t", file="g", now=1.0, who="me", materials={"a.pem": ONE}, folder="/etc/x")
    read = revisions.get(made.n)
    assert read == made and read.folder == "/etc/x"
    assert read.materials == {"a.pem": Material("certificate", ONE.digest, ("a.example",), 5.0)}
    assert read.as_json()["files"] == {"a.pem": {"kind": "certificate", "digest": ONE.digest, "names": ["a.example"], "expires": 5.0}}
    assert b"one" not in (tmp_path / "state.db").read_bytes()
    assert revisions.needed() == {ONE.digest}


def test_files_of_old_revisions_are_needed_no_more(tmp_path: Path) -> None:
    revisions = Revisions(Database(tmp_path / "state.db"))
    revisions.add(text="t", file="g", now=1.0, who="me", materials={"a.pem": ONE})
    for _ in range(KEPT - 1):
        revisions.add(text="t", file="g", now=1.0, who="me", materials={"a.pem": TWO})
    assert revisions.needed() == {ONE.digest, TWO.digest}
    revisions.add(text="t", file="g", now=1.0, who="me")
    assert revisions.needed() == {TWO.digest}
