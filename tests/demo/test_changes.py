"""The demo's document is one like any other, and so is each changed one; each change changes what it says and nothing else."""

from __future__ import annotations

import pytest

from gurney.config import reader
from gurney.config.document import Application
from gurney.demo.changes import PACS, PORTAL, swapped
from gurney.demo.hospital import PORTS, shipped_document
from gurney.errors import LocalError


def applications(text: str) -> dict[str, Application]:
    """The applications of a document without faults."""
    reading = reader.read(text)
    assert reading.faults == () and reading.document is not None
    return dict(reading.document.applications)


def test_the_shipped_document_names_the_demo_s_ports() -> None:
    text = shipped_document()
    standing_by = {"further", "portal-3"}
    assert all((f"127.0.0.1:{port}" in text) == (name not in standing_by) for name, port in PORTS.items())
    assert set(applications(text)) == {"pacs", "portal"}


def test_the_archives_change_is_a_weight_and_a_rule() -> None:
    before, after = applications(shipped_document()), applications(PACS.make(shipped_document()))
    assert [one["pacs"].pools["archive"].members["archive-2"].weight for one in (before, after)] == [100, 50]
    assert [len(one["pacs"].services["store"].rules) for one in (before, after)] == [2, 3]
    assert before["portal"] == after["portal"]


def test_the_portals_changes_follow_each_other() -> None:
    text, seen = PACS.make(shipped_document()), []
    pacs = applications(text)["pacs"]
    for change in PORTAL:
        text = change.make(text)
        found = applications(text)
        portal, service = found["portal"].proxied_pools["portal"], found["portal"].proxied["web"]
        seen.append((portal.members["portal-2"].weight, len(service.rules), len(portal.members), len(service.listen)))
        assert found["pacs"] == pacs
    assert seen == [(50, 1, 2, 1), (50, 2, 2, 1), (50, 2, 3, 1), (50, 2, 3, 2)]


def test_a_change_that_fits_nowhere_is_a_defect() -> None:
    with pytest.raises(LocalError):
        PORTAL[0].make(PORTAL[0].make(shipped_document()))
    with pytest.raises(LocalError):
        swapped("a a", "a", "b")
