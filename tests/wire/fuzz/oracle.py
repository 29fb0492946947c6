"""The one place for the oracle of the head walker: pydicom's values of depth 0, as far as the walker has to look.

pydicom raises: it cannot read the data set, and the walker may say what it likes short of a wrong value it could not know. pydicom
reads: the walker says the same bytes for every wanted element, or *unreadable* (dicom.md §8).
"""

from __future__ import annotations

import os
import warnings

from tests.wire import corpus
from tests.wire.writer import STUDY, want

FACTS = want(
    *(0x00080005, 0x00080008, 0x00080020, 0x00080050, 0x00080060, 0x00080070, 0x00080080, 0x00081010, 0x00081030, 0x0008103E),
    *(0x00100020, 0x00100021, 0x00180015, 0x00181030, STUDY, 0x0020000E),
)
"""dicom.md §3, plus Specific Character Set."""
SHARE = 0.2 if os.environ.get("GURNEY_COUNTS") != "chaos" else 0.1
"""Of the inputs that are readable, those that pydicom reads too."""


def expected(syntax: str, data: bytes) -> dict[int, bytes] | None:
    """What the walker may say of a damaged data set: pydicom's values up to where the walker stops; None where pydicom gives up.

    The walker stops past the last wanted tag, or, once the order is broken, when it has all. Of a tag that stands twice pydicom keeps
    the last and the walker none, so this keeps the first: a walker that went on with either would differ from one of the two.
    """
    found: dict[int, bytes] = {}
    before, ordered = -1, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for tag, value in corpus.elements(data, syntax):
                if ordered and tag > FACTS.last:
                    return found
                ordered = ordered and tag >= before
                before = tag
                if tag in FACTS.tags and value is not None:
                    found.setdefault(tag, value)
                if not ordered and len(found) == len(FACTS.tags):
                    return found
    except Exception:  # whatever pydicom raises: it has no value to compare with
        return None
    return found
