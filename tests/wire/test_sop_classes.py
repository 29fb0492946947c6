"""The list of classes that are not for storage, against the dictionaries of pydicom and pynetdicom."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary
from pynetdicom import sop_class

from gurney.wire.dicom import sop_classes

STORAGE = {*sop_class._STORAGE_CLASSES.values(), *sop_class._NON_PATIENT_OBJECT_CLASSES.values()}
"""PS3.4 B.5 and GG as pynetdicom lists them."""
SERVICE_CLASSES = set(sop_class._SERVICE_CLASSES.values())  # UIDs of services, never an abstract syntax


def test_all_of_ps34_b5_and_gg_is_storage() -> None:
    assert len(STORAGE) > 170
    assert [uid for uid in sorted(STORAGE) if not sop_classes.is_storage(uid)] == []


def test_every_other_class_pynetdicom_knows_is_not() -> None:
    groups = [name for name in dir(sop_class) if name.endswith("_CLASSES") and isinstance(getattr(sop_class, name), dict)]
    others = {uid for name in groups for uid in getattr(sop_class, name).values()} - STORAGE - SERVICE_CLASSES
    assert len(others) > 50
    assert others - {sop_classes.VERIFICATION} <= sop_classes.NON_STORAGE


def test_the_list_is_what_ps36_has_besides_storage() -> None:
    """PS3.6 table A-1 as pydicom has it; what is called storage there, retired and trial classes included, is storage."""
    known = {uid: entry[0] for uid, entry in UID_dictionary.items() if entry[1] in ("SOP Class", "Meta SOP Class")}
    media = "1.2.840.10008.1.3.10"  # "Media Storage Directory Storage" is a file of a medium (PS3.10 §8.6)
    commitment = {uid for uid, name in known.items() if "Storage Commitment" in name}
    stored = {uid for uid, name in known.items() if "Storage" in name or not name} - commitment - {media}
    assert set(known) - STORAGE - stored - {sop_classes.VERIFICATION} == sop_classes.NON_STORAGE
    assert {
        uid: name.replace(" SOP Class UID", "").replace(" SOP Class", "") for uid, name in known.items() if uid in sop_classes.NON_STORAGE
    } == dict(sop_classes.NAMES)


def test_lists_do_not_overlap() -> None:
    assert not sop_classes.NON_STORAGE & STORAGE
    assert not sop_classes.is_storage(sop_classes.VERIFICATION)


@pytest.mark.parametrize("uid", ["1.2.840.113619.4.30", "2.25.1", "1.2.840.10008.5.1.4.1.1.9999", "", "../x"])
def test_private_new_and_odd_uids_are_storage(uid: str) -> None:
    assert sop_classes.is_storage(uid)
