"""The files a document names: which, where, and what is wrong with one as a fault with its line."""

from __future__ import annotations

import pytest

from gurney.config import codes
from gurney.config.faults import Reading
from gurney.config.materials import KINDS, PROBLEMS, Trouble, Wanted, faults_of, uncovered, wanted, with_troubles
from gurney.config.proxied import Material
from gurney.config.reader import read

TEXT = """gurney: 1
applications:
  portal:
    services:
      web:
        protocol: http
        listen: 443
        hosts: [portal.example.org, "*.north.example.org", www.example.net]
        tls:
          certificate: [tls/portal.pem, other.pem]
          client_ca: staff.pem
          crl: revoked.pem
        rules: [{pool: web}]
    pools:
      web:
        tls: {ca: inside.pem}
        fallback: {page: sorry.html}
        members:
          one: a.example.org:443
          two: b.example.org:443
          three:
            address: c.example.org:443
            tls: {ca: third.pem, certificate: us.pem}
"""
SERVICE, POOL = "applications.portal.services.web", "applications.portal.pools.web"


def reading() -> Reading:
    """The document above, which has no fault."""
    found = read(TEXT)
    assert [str(fault) for fault in found.faults] == []
    return found


def files() -> tuple[Wanted, ...]:
    """The files it names."""
    document = reading().document
    assert document is not None
    return wanted(document)


def test_every_file_is_named_once_with_its_kind_and_place() -> None:
    assert [(one.name, one.kind, one.path) for one in files()] == [
        ("tls/portal.pem", "certificate", f"{SERVICE}.tls.certificate"),
        ("other.pem", "certificate", f"{SERVICE}.tls.certificate"),
        ("staff.pem", "ca", f"{SERVICE}.tls.client_ca"),
        ("revoked.pem", "crl", f"{SERVICE}.tls.crl"),
        ("sorry.html", "page", f"{POOL}.fallback.page"),
        ("inside.pem", "ca", f"{POOL}.members.one.tls.ca"),
        ("third.pem", "ca", f"{POOL}.members.three.tls.ca"),
        ("us.pem", "certificate", f"{POOL}.members.three.tls.certificate"),
    ]
    assert {one.kind for one in files()} == set(KINDS)


def test_a_trouble_is_said_at_the_key_that_names_the_file() -> None:
    lines = TEXT.splitlines()
    for one in files():
        (fault,) = faults_of(reading(), [Trouble(one, "missing")], "x.yaml")
        assert one.name in lines[fault.line - 1], one
        assert lines[fault.line - 1][fault.column - 1 :].startswith(one.path.rpartition(".")[2])
        assert (fault.file, fault.code, fault.severity) == ("x.yaml", "GRN-F001", "error")


def test_it_is_said_in_words() -> None:
    first, *_ = files()
    (fault,) = faults_of(reading(), [Trouble(first, "unreadable", "Permission denied")])
    assert str(fault) == (
        "gurney.yaml:10:11: error GRN-F002: certificate 'tls/portal.pem' cannot be read: Permission denied\n"
        "  hint: the user Gurney runs as needs to read it"
    )
    (fault,) = faults_of(reading(), [Trouble(first, "expired", "2020-01-01\x1b[31m")])
    assert fault.severity == "warning" and fault.message == "certificate 'tls/portal.pem' has expired: 2020-01-01\\x1b[31m"


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_every_problem_has_a_code_and_refuses_or_warns(problem: str) -> None:
    found = with_troubles(reading(), [Trouble(files()[0], problem)])
    (fault,) = found.faults
    assert fault.code in codes.FILES
    assert (found.document is None) == (fault.severity == "error")


def test_every_code_of_files_is_said() -> None:
    assert {problem.code for problem in PROBLEMS.values()} == set(codes.FILES)


def test_troubles_stand_among_the_faults_in_file_order() -> None:
    before = read(TEXT.replace("listen: 443", "listen: x").replace("[{pool: web}]", "[{pool: wbe}]"))
    assert [fault.code for fault in before.faults][:2] == ["GRN-S017", "GRN-S012"]
    document = reading().document
    assert document is not None
    after = with_troubles(before, [Trouble(one, "missing") for one in reversed(wanted(document))])
    places = [(fault.line, fault.column) for fault in after.faults]
    assert places == sorted(places) and len(after.faults) == len(before.faults) + 8
    assert with_troubles(reading(), ()) == reading()


def test_a_host_that_no_certificate_is_for_is_a_warning() -> None:
    document = reading().document
    assert document is not None

    def judged(*names: str) -> list[str]:
        materials = {
            "tls/portal.pem": Material("certificate", "0", names),
            "other.pem": Material("certificate", "1", ("www.example.net",)),
        }
        return [fault.message for fault in faults_of(reading(), uncovered(document, materials))]

    assert judged("Portal.example.org", "*.north.example.org") == []
    assert judged("*.example.org", "*.north.example.org") == []
    assert judged("*.org") == [
        "certificate 'tls/portal.pem' is for none of the names of 'web': portal.example.org, *.north.example.org",
    ]
    assert judged("portal.example.org", "a.north.example.org")[0].endswith("'web': *.north.example.org")
    assert uncovered(document, {}) == ()
