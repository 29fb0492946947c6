"""The check is large enough to mean something."""

from __future__ import annotations

from gurney.demo.changes import PORTAL
from gurney.demo.check import OBJECTS, STUDIES
from gurney.demo.studies import KINDS


def test_the_check_is_large_enough() -> None:
    """At least 500 objects, 20 studies, 3 modalities."""
    assert sum(KINDS[i % len(KINDS)].objects for i in range(STUDIES)) == OBJECTS >= 500
    assert STUDIES >= 20 and len({k.modality for k in KINDS}) >= 3 and "MG" in {k.modality for k in KINDS}


def test_five_changes_of_the_portal_are_applied() -> None:
    """The four documents, and a drain."""
    assert len(PORTAL) == 4
