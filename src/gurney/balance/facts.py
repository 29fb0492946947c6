"""The one place for facts: their names, where each is read, and which elements a service makes the head walker find.

A fact is text: the latin-1 reading of the bytes with the padding stripped (PS3.5 §6.2). What is absent or empty is no fact and
is left out, so that a rule on it does not match. `dicom.md` §3 lists the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gurney.balance.networks import plain
from gurney.config import matches
from gurney.config.document import Pool, Service
from gurney.config.faults import Unfit
from gurney.errors import InputRefused
from gurney.wire.dicom.command import Command

ASSOCIATION: tuple[str, ...] = ("calling_ae", "called_ae", "network", "listener", "implementation", "tls_subject")
COMMAND: tuple[str, ...] = ("request", "sop_class", "sop_instance", "priority", "move_originator", "transfer_syntax")
DATA: Mapping[str, int] = {
    "image_type": 0x0008_0008,
    "study_date": 0x0008_0020,
    "accession": 0x0008_0050,
    "modality": 0x0008_0060,
    "manufacturer": 0x0008_0070,
    "institution": 0x0008_0080,
    "station": 0x0008_1010,
    "study_description": 0x0008_1030,
    "series_description": 0x0008_103E,
    "patient_id": 0x0010_0020,
    "issuer": 0x0010_0021,
    "body_part": 0x0018_0015,
    "protocol_name": 0x0018_1030,
    "study_uid": 0x0020_000D,
    "series_uid": 0x0020_000E,
}
FACTS: tuple[str, ...] = (*ASSOCIATION, *COMMAND, *DATA)

PRIORITIES: Mapping[int, str] = {0: "medium", 1: "high", 2: "low"}  # PS3.7 Table E.1-1 (0000,0700)
_NAMES: Mapping[int, str] = {tag: name for name, tag in DATA.items()}

WORKLIST = "1.2.840.10008.5.1.4.31"  # Modality Worklist Information Model - FIND (PS3.4 K)
MPPS = "1.2.840.10008.3.1.2.3."  # Modality Performed Procedure Step and its kin (PS3.4 F)
COMMITMENT = "1.2.840.10008.1.20.1"  # Storage Commitment Push Model (PS3.4 J)
PRINT = "1.2.840.10008.5.1.1."  # print management classes (PS3.4 H); storage classes are 1.2.840.10008.5.1.4.1.1
REQUESTS: Mapping[int, str] = {0x0001: "store", 0x0010: "get", 0x0020: "find", 0x0021: "move", 0x0030: "echo"}  # PS3.7 E.1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the head walker must find: depth-0 tags, and private elements by (group, element's low byte, creator)."""

    tags: frozenset[int]
    private: tuple[tuple[int, int, str], ...]
    last: int  # the largest of `tags`; the walker itself goes on to where the private ones can be


def association(
    calling_ae: str, called_ae: str, address: str, listener: str, implementation: str | None = None, tls_subject: str = ""
) -> dict[str, str]:
    """The facts of an association; `address` is the sender's, `listener` the name of the one it came in by.

    `tls_subject`: of the certificate the sender showed, subject and alternative names as components (`net.tls.subject`).
    """
    found = {"calling_ae": calling_ae.strip(" \0"), "called_ae": called_ae.strip(" \0"), "network": plain(address), "listener": listener}
    found["implementation"] = (implementation or "").strip(" \0")
    found["tls_subject"] = tls_subject
    return {name: value for name, value in found.items() if value}


def command(read: Command, transfer_syntax: str) -> dict[str, str]:
    """The facts of a command set received on a context with `transfer_syntax`."""
    found = {**_kind(read.field, read.sop_class, read.priority, transfer_syntax)}
    if read.sop_instance:
        found["sop_instance"] = read.sop_instance
    if originator := read.originator.strip(" "):
        found["move_originator"] = originator
    return found


@lru_cache(maxsize=1024)  # a bounded memo of a pure function: the objects of a study differ in nothing of this
def _kind(field: int, sop_class: str, priority: int, transfer_syntax: str) -> Mapping[str, str]:
    found = {
        "request": request(field, sop_class),
        "sop_class": sop_class,
        "priority": PRIORITIES.get(priority, ""),
        "transfer_syntax": transfer_syntax,
    }
    return {name: value for name, value in found.items() if value}


def request(field: int, sop_class: str) -> str:
    """The word for a request: by its command field (PS3.7 E.1), a find or N-service also by its SOP class."""
    word = REQUESTS.get(field)
    if word == "find" and sop_class == WORKLIST:
        return "worklist"
    if word is not None:
        return word
    if sop_class.startswith(MPPS):
        return "mpps"
    if sop_class == COMMITMENT:
        return "commitment"
    return "print" if sop_class.startswith(PRINT) else "other"


def data(head_values: Mapping[int, bytes], private: Mapping[tuple[int, int, str], bytes] | None = None) -> dict[str, str]:
    """The facts of a data set: `head_values` by tag, `private` by (group, low byte, creator), as `wire.dicom.head` gives them.

    A tag with a name of its own is found under that name only; every other as `tag(GGGG,EEEE)` or `tag(GGGG,xxEE,CREATOR)`.
    """
    found: dict[str, str] = {}
    for tag, value in head_values.items():
        text = value.decode("latin-1").rstrip("\0 ").lstrip(" ")
        if text:
            found[_NAMES.get(tag) or tag_name(tag)] = text
    for (group, low, creator), value in (private or {}).items():
        text = value.decode("latin-1").rstrip("\0 ").lstrip(" ")
        if text:
            found[str(matches.Tag(group, low, creator))] = text
    return found


def tag_name(tag: int) -> str:
    """The fact name of a standard element without a word of its own: `tag(0008,1090)`, hex digits in capitals."""
    return str(matches.Tag(tag >> 16, tag & 0xFFFF))


@lru_cache(maxsize=4096)  # a bounded memo of a pure function: rules ask for every object
def canonical(name: str) -> str:
    """The one name of a fact: `tag(0008,0060)` is `modality`, `tag(0008,103e)` is `series_description`. Raises `InputRefused`."""
    if not matches.is_tag(name):
        if name in FACTS:
            return name
        raise InputRefused(f"'{name}' is no fact")
    tag = _tag(name)
    return str(tag) if tag.creator is not None else _NAMES.get(_number(tag)) or str(tag)


def _tag(name: str) -> matches.Tag:
    try:
        return matches.tag(name)
    except Unfit as fault:
        raise InputRefused(fault.message, hint=fault.hint) from fault


def _number(tag: matches.Tag) -> int:
    return tag.group << 16 | tag.element


def wanted(service: Service, pools: Mapping[str, Pool]) -> Wanted:
    """What the head walker must find for the rules of `service` and the keys of the pools they name.

    The Study UID always: it is the key of most pools and, as a digest, what logs and the ledger name an object's study by.
    """
    tags = {DATA["study_uid"]}
    private: set[tuple[int, int, str]] = set()
    for rule in service.rules:
        for name in rule.match:
            if name in DATA:
                tags.add(DATA[name])
            elif matches.is_tag(name):
                tag = _tag(name)
                if tag.creator is None:
                    tags.add(_number(tag))
                else:
                    private.add((tag.group, tag.element, tag.creator))
        pool = pools[rule.pool]
        if "patient" in (pool.balance, pool.keep):
            tags |= {DATA["patient_id"], DATA["issuer"]}
    return Wanted(frozenset(tags), tuple(sorted(private)), max(tags))
