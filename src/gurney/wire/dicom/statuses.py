"""The one place for what the status of a C-STORE answer means: code ranges → a class word, as data (PS3.4 §B.2.3, PS3.7 annex C).

What is done about a class (another member, verbatim, once more …) is `balance.policy`; a pool may override its rows there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
"""What we answer when nothing can take the object now: the sender may try again (dicom.md §5)."""
PAIR_REFUSED: Final = 0x0122
UNRECOGNISED_OPERATION: Final = 0x0211

CLASSES: Final = {
    "success": "stored",
    "warning": "stored, and the member has something to say: never a failure",
    "full": "the member is out of resources; another may take the same object",
    "object-fault": "the object is at fault; the same bytes would fail anywhere",
    "pair-refused": "the member does not take this SOP class in this transfer syntax",
    "member-fault": "the member failed at what it should be able to do",
    "duplicate": "the member says it has this SOP instance already",
    "refused": "the member refuses for a reason of its own: rights, protocol, arguments",
    "unknown": "a code with no meaning for C-STORE, pending and cancel included",
}
"""Class word → what it means."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: codes from `first` to `last`, both included. `pattern` is how a document and a person write the row."""

    pattern: str
    first: int
    last: int
    word: str  # of CLASSES
    meaning: str  # PS3.7 annex C or PS3.4 table B.2-1


ROWS: Final = (
    Row("0000", 0x0000, 0x0000, "success", "success"),
    Row("0001", 0x0001, 0x0001, "unknown", "requested optional attributes not supported: a warning of N-services only"),
    Row("0105", 0x0105, 0x0105, "refused", "no such attribute"),
    Row("0106", 0x0106, 0x0106, "refused", "invalid attribute value"),
    Row("0107", 0x0107, 0x0107, "unknown", "attribute list error: a warning of N-services only"),
    Row("0110", 0x0110, 0x0110, "member-fault", "processing failure"),
    Row("0111", 0x0111, 0x0111, "duplicate", "duplicate SOP instance"),
    Row("0112", 0x0112, 0x0112, "refused", "no such object instance"),
    Row("0113", 0x0113, 0x0113, "refused", "no such event type"),
    Row("0114", 0x0114, 0x0114, "refused", "no such argument"),
    Row("0115", 0x0115, 0x0115, "refused", "invalid argument value"),
    Row("0116", 0x0116, 0x0116, "unknown", "attribute value out of range: a warning of N-services only"),
    Row("0117", 0x0117, 0x0117, "refused", "invalid object instance"),
    Row("0118", 0x0118, 0x0118, "refused", "no such SOP class"),
    Row("0119", 0x0119, 0x0119, "refused", "class-instance conflict"),
    Row("0120", 0x0120, 0x0120, "refused", "missing attribute"),
    Row("0121", 0x0121, 0x0121, "refused", "missing attribute value"),
    Row("0122", 0x0122, 0x0122, "pair-refused", "SOP class not supported"),
    Row("0123", 0x0123, 0x0123, "refused", "no such action"),
    Row("0124", 0x0124, 0x0124, "refused", "not authorised"),
    Row("0210", 0x0210, 0x0210, "refused", "duplicate invocation (of a Message ID)"),
    Row("0211", 0x0211, 0x0211, "refused", "unrecognised operation"),
    Row("0212", 0x0212, 0x0212, "refused", "mistyped argument"),
    Row("0213", 0x0213, 0x0213, "refused", "resource limitation"),
    Row("A7xx", 0xA700, 0xA7FF, "full", "out of resources"),
    Row("A9xx", 0xA900, 0xA9FF, "object-fault", "data set does not match SOP class"),
    Row("B000", 0xB000, 0xB000, "warning", "coercion of data elements"),
    Row("B006", 0xB006, 0xB006, "warning", "elements discarded"),
    Row("B007", 0xB007, 0xB007, "warning", "data set does not match SOP class"),
    Row("Bxxx", 0xB000, 0xBFFF, "warning", "warning (PS3.7 C.4)"),
    Row("Cxxx", 0xC000, 0xCFFF, "object-fault", "cannot understand"),
)
"""The first row that holds a code counts. Ends with what has no row: "unknown"."""

UNKNOWN: Final = Row("xxxx", 0x0000, 0xFFFF, "unknown", "no meaning for C-STORE")

_BY_CODE: Final = {row.first: row for row in ROWS if row.first == row.last}
_RANGES: Final = tuple(row for row in ROWS if row.first != row.last)


def row_of(status: int) -> Row:
    """The row of a status; total: what has none is `UNKNOWN`."""
    exact = _BY_CODE.get(status)
    if exact is not None:
        return exact
    return next((row for row in _RANGES if row.first <= status <= row.last), UNKNOWN)


def classify(status: int) -> str:
    """The class word of a status, one of `CLASSES`."""
    return row_of(status).word


def is_stored(status: int) -> bool:
    """Whether this answer says that the member has the object: success or a warning."""
    return row_of(status).word in ("success", "warning")
