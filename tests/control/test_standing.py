"""What a document itself leaves open, as conditions: of dicom services, by who may reach them and how."""

from __future__ import annotations

import pytest

from gurney.config.reader import read
from gurney.control.standing import of_document

DOCUMENT = """gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: 11112{further}}}
    pools:
      archive: [ARCHIVE1@10.0.0.11:11112]
"""
OWN, MUTUAL = "tls: {certificate: a.pem", "tls: {certificate: a.pem, client_ca: ca.pem"


@pytest.mark.parametrize(
    ("further", "codes"),
    [
        ("", ["AcceptsEveryone"]),
        (", accept_from: [10.0.0.0/8, CT1@10.0.0.31]", []),
        (", accept_from: [CT1]", ["PlainListener"]),
        (", accept_from: [10.0.0.0/8, CT1]", ["PlainListener"]),
        (f", {OWN}}}", ["AcceptsEveryone"]),
        (f", {MUTUAL}}}", []),
        (f", accept_from: [CT1], {OWN}}}", []),
        (f", accept_from: [10.0.0.0/8], {OWN}, suites: legacy}}", ["LegacyTls"]),
        (f", {MUTUAL}, suites: legacy}}", ["LegacyTls"]),
        (f", {MUTUAL}, suites: modified}}", []),
    ],
)
def test_what_a_listener_leaves_open_is_said(further: str, codes: list[str]) -> None:
    document = read(DOCUMENT.format(further=further)).document
    assert document is not None
    found = list(of_document(document, {}))
    assert [one.code for one in found] == codes
    assert {one.object for one in found} <= {"pacs/store"}
