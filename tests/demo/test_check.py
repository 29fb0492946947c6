"""The demo's document is one like any other, and so is the changed one that is applied midway."""

from __future__ import annotations

from gurney.config import reader
from gurney.demo.check import OBJECTS, STUDIES, changed
from gurney.demo.hospital import ARCHIVES, SERVICE_PORT, shipped_document
from gurney.demo.studies import KINDS


def test_the_shipped_document_has_no_fault_and_names_the_demo_s_ports() -> None:
    text = shipped_document()
    assert reader.read(text).faults == ()
    assert all(f"127.0.0.1:{port}" in text for port in (SERVICE_PORT, *(p for _, p in ARCHIVES.values())))


def test_the_changed_document_has_no_fault_and_differs_in_a_weight_and_a_rule() -> None:
    before, after = (reader.read(t).document for t in (shipped_document(), changed(shipped_document())))
    assert before is not None and after is not None
    pacs = [d.applications["pacs"] for d in (before, after)]
    assert [a.pools["archive"].members["archive-2"].weight for a in pacs] == [100, 50]
    assert [len(a.services["store"].rules) for a in pacs] == [2, 3]


def test_the_check_is_large_enough() -> None:
    """At least 500 objects, 20 studies, 3 modalities."""
    assert sum(KINDS[i % len(KINDS)].objects for i in range(STUDIES)) == OBJECTS >= 500
    assert STUDIES >= 20 and len({k.modality for k in KINDS}) >= 3 and "MG" in {k.modality for k in KINDS}
