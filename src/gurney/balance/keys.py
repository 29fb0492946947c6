"""The one place for keys: what an object belongs with, by its pool and its facts (`dicom.md` §3, the table of missing facts)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gurney.config.document import Pool


@dataclass(frozen=True, slots=True)
class Key:
    """`kind` is study, patient, sop_class, calling_ae or object. `value` may be a patient's: it is hashed, never logged."""

    kind: str
    value: str

    @property
    def pinned(self) -> bool:
        """True if what has this key stays with one member: everything but single objects."""
        return self.kind != "object"


def key(pool: Pool, facts: Mapping[str, str], readable: bool = True) -> Key:
    """The key of an object with `facts` in `pool`; what cannot be read is kept together by its sender."""
    if not readable:
        return Key("calling_ae", facts.get("calling_ae", ""))
    wanted = wanted_kind(pool)
    if wanted == "object":
        return Key("object", facts.get("sop_instance", ""))
    if wanted == "patient" and "patient_id" in facts:
        issuer = facts.get("issuer", "")
        return Key("patient", f"{len(issuer)}:{issuer}{facts['patient_id']}")  # the length keeps ("A", "BC") from ("AB", "C")
    if "study_uid" in facts:
        return Key("study", facts["study_uid"])
    return Key("sop_class", facts.get("sop_class", ""))


def wanted_kind(pool: Pool) -> str:
    """The kind of key `pool` uses where the facts allow it: `keep` decides, `patient` widens whatever the balance is."""
    if pool.keep == "object":
        return "object"
    return "patient" if "patient" in (pool.balance, pool.keep) else "study"
