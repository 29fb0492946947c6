"""Files a document names: what is taken, in which form it is kept, and what is said of the others."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gurney.config.limits import CERTIFICATE_BYTES, PAGE_BYTES
from gurney.config.proxied import Material
from gurney.control.certificates import gather, signature
from gurney.control.draft import read, with_files
from gurney.errors import DocumentRefused
from tests.control.made import NOW, made, revoked

DOCUMENT = """
gurney: 1
applications:
  web:
    services:
      portal:
        protocol: http
        listen: 8443
        tls: {certificate: portal.pem, client_ca: ca.pem, crl: ca.crl}
    pools:
      portal: {members: {a: "10.0.2.1:8080"}, fallback: {page: sorry.html}}
"""
ROOT = made("root.example", authority=True)
MIDDLE = made("middle.example", ROOT, authority=True)
LEAF = made("portal.example", MIDDLE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "portal.pem").write_bytes(LEAF.pem + LEAF.key_pem + MIDDLE.pem)
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    (tmp_path / "ca.crl").write_bytes(revoked(ROOT, MIDDLE))
    (tmp_path / "sorry.html").write_bytes(b"<p>sorry</p>")
    return tmp_path


def faults(folder: Path) -> list[tuple[int, str, str]]:
    try:
        found = with_files(read(DOCUMENT, "g"), folder, NOW.timestamp()).warnings
    except DocumentRefused as error:
        found = tuple(error.faults)
    return [(fault["line"], fault["code"], fault["message"]) for fault in found if str(fault["code"]).startswith("GRN-F")]


def materials(folder: Path) -> dict[str, Material]:
    return dict(gather(read(DOCUMENT, "g").document, folder, NOW.timestamp()).materials)


def test_good_files_are_kept_in_a_form_of_our_own(folder: Path) -> None:
    found = materials(folder)
    assert {name: one.kind for name, one in found.items()} == {
        "portal.pem": "certificate",
        "ca.pem": "ca",
        "ca.crl": "crl",
        "sorry.html": "page",
    }
    portal = found["portal.pem"]
    assert portal.names == ("portal.example",) and portal.expires == LEAF.certificate.not_valid_after_utc.timestamp()
    assert all(hashlib.sha256(one.content).hexdigest() == one.digest for one in found.values())
    assert x509.load_pem_x509_certificates(portal.content) == [LEAF.certificate, MIDDLE.certificate]
    assert b"BEGIN PRIVATE KEY" in portal.content and load_pem_private_key(portal.content, None)
    assert faults(folder) == []


def test_the_same_in_another_order_with_text_between_is_the_same_material(folder: Path) -> None:
    before = materials(folder)["portal.pem"]
    other = b"subject: us\n" + LEAF.key_pem + b"\r\n" + LEAF.pem + b"issuer:\n" + ROOT.pem + MIDDLE.pem
    (folder / "portal.pem").write_bytes(other)
    after = materials(folder)["portal.pem"]
    assert x509.load_pem_x509_certificates(after.content) == [LEAF.certificate, MIDDLE.certificate, ROOT.certificate]
    (folder / "portal.pem").write_bytes(LEAF.pem + MIDDLE.pem + LEAF.key_pem)
    assert materials(folder)["portal.pem"] == before


def test_a_key_is_shown_nowhere(folder: Path) -> None:
    key = LEAF.key_pem.decode().splitlines()[1]
    portal = materials(folder)["portal.pem"]
    inner = portal.content.decode().split("BEGIN PRIVATE KEY-----\n")[1].splitlines()[0]
    for shown in (repr(portal), repr(gather(read(DOCUMENT, "g").document, folder, 0.0))):
        assert key not in shown and inner not in shown


OTHER = made("other.example")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("portal.pem", b"", "GRN-F003"),
        ("portal.pem", b"\x00" * 100, "GRN-F003"),
        ("portal.pem", LEAF.key_pem, "GRN-F003"),
        ("portal.pem", LEAF.pem[:-60] + b"-----END CERTIFICATE-----\n" + LEAF.key_pem, "GRN-F003"),
        ("portal.pem", LEAF.pem, "GRN-F004"),
        ("portal.pem", LEAF.pem + LEAF.locked, "GRN-F004"),
        ("portal.pem", LEAF.pem + LEAF.key_pem + OTHER.key_pem, "GRN-F004"),
        ("portal.pem", LEAF.pem + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "GRN-F004"),
        ("portal.pem", LEAF.pem + OTHER.key_pem, "GRN-F005"),
        ("portal.pem", MIDDLE.pem + LEAF.pem + LEAF.key_pem, "GRN-F005"),
        ("portal.pem", b"x" * (CERTIFICATE_BYTES + 1), "GRN-F008"),
        ("ca.pem", b"", "GRN-F007"),
        ("ca.pem", LEAF.pem, "GRN-F007"),
        ("ca.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "GRN-F007"),
        ("ca.crl", ROOT.pem, "GRN-F009"),
        ("ca.crl", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "GRN-F009"),
        ("sorry.html", b"x" * (PAGE_BYTES + 1), "GRN-F008"),
    ],
)
def test_a_file_that_is_not_what_it_is_named_for_is_refused_at_its_line(folder: Path, name: str, content: bytes, code: str) -> None:
    (folder / name).write_bytes(content)
    line = 11 if name == "sorry.html" else 9
    assert [found[:2] for found in faults(folder)] == [(line, code)]
    assert "BEGIN" not in str(faults(folder))


def test_what_is_not_there_or_no_plain_file_or_outside(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "portal.pem").unlink()
    (folder / "ca.pem").unlink()
    os.mkfifo(folder / "ca.pem")
    (folder / "ca.crl").unlink()
    (folder / "ca.crl").mkdir()
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "sorry.html"
    elsewhere.write_text("x")
    (folder / "sorry.html").unlink()
    (folder / "sorry.html").symlink_to(elsewhere)
    assert [code for _, code, _ in faults(folder)] == ["GRN-F001", "GRN-F002", "GRN-F002", "GRN-F002"]
    assert [code for _, code, _ in faults(folder / "nowhere")] == ["GRN-F001"] * 4
    with pytest.raises(DocumentRefused):
        with_files(read(DOCUMENT, "g"), None, 0.0)


def test_a_link_inside_the_folder_is_followed(folder: Path) -> None:
    (folder / "live").mkdir()
    (folder / "portal.pem").rename(folder / "live" / "portal.pem")
    (folder / "portal.pem").symlink_to("live/portal.pem")
    assert faults(folder) == []


def test_what_has_ended_or_not_begun_is_used_and_said(folder: Path) -> None:
    late = made("portal.example", MIDDLE, days=-1, begins=-9)
    (folder / "portal.pem").write_bytes(late.pem + late.key_pem)
    assert [code for _, code, _ in faults(folder)] == ["GRN-F006"]
    early = made("portal.example", MIDDLE, begins=2)
    (folder / "portal.pem").write_bytes(early.pem + early.key_pem)
    assert [code for _, code, _ in faults(folder)] == ["GRN-F006"]
    assert "portal.pem" in materials(folder)


def test_a_signature_changes_when_a_file_does(folder: Path) -> None:
    names = ["portal.pem", "not-there.pem"]
    before = signature(names, folder)
    assert signature(names, folder) == before
    fresh = folder / "fresh"
    fresh.write_bytes((folder / "portal.pem").read_bytes())
    fresh.rename(folder / "portal.pem")
    changed = signature(names, folder)
    assert changed != before
    (folder / "not-there.pem").write_bytes(b"")
    assert signature(names, folder) != changed
