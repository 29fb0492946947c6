"""The one place for the oracle of what is read: pydicom's values of depth 0, of a head as far as the walker has to look.

pydicom raises: it cannot read the data set, and the walker may say what it likes short of a wrong value it could not know. pydicom
reads: the walker says the same bytes for every wanted element, or *unreadable* (dicom.md §8).
"""

from __future__ import annotations

import os
import warnings

from tests.wire import corpus
from tests.wire.writer import IMPLICIT_LE, STUDY, Wanted, want

FACTS = want(
    *(0x00080005, 0x00080008, 0x00080020, 0x00080050, 0x00080060, 0x00080070, 0x00080080, 0x00081010, 0x00081030, 0x0008103E),
    *(0x00100020, 0x00100021, 0x00180015, 0x00181030, STUDY, 0x0020000E),
)
"""dicom.md §3, plus Specific Character Set."""
WANTED = Wanted(FACTS.tags, ((0x0009, 0x01, "GEMS_IDEN_01"), (0x0009, 0x04, "GEMS_IDEN_01"), (0x0019, 0x02, "GEMS_ACQU_01")))
"""The same, and private elements that stand in 14 samples."""
Values = tuple[dict[int, bytes], dict[tuple[int, int, str], bytes]]
SHARE = 0.2 if os.environ.get("GURNEY_COUNTS") != "chaos" else 0.1
"""Of the inputs that are readable, those that pydicom reads too."""


def expected(syntax: str, data: bytes) -> Values | None:
    """What the walker may say of a damaged data set: pydicom's values up to where the walker stops; None where pydicom gives up.

    The walker stops past the last wanted tag, or, once the order is broken, when it has all. Of a tag that stands twice pydicom keeps
    the last and the walker none, so this keeps the first: a walker that went on with either would differ from one of the two.
    """
    told = _Told()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for tag, value in corpus.elements(data, syntax):
                if told.is_past(tag):
                    break
                if value is not None:
                    told.take(tag, value)
                if told.is_complete():
                    break
    except Exception:  # whatever pydicom raises: it has no value to compare with
        return None
    return told.values, told.private_by_creator()


def command_values(data: bytes) -> dict[int, bytes] | None:
    """pydicom's values of a command set by tag, or None where it gives up. Commands are Implicit VR Little Endian (PS3.7 §6.3.1)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {tag: value or b"" for tag, value in corpus.elements(data, IMPLICIT_LE)}
    except Exception:  # as above
        return None


class _Told:
    """Values as they come, by the words of dicom.md §3 and PS3.5 §7.8."""

    def __init__(self) -> None:
        self.values: dict[int, bytes] = {}
        self._private: dict[int, bytes] = {}  # elements of the two groups
        self._before, self._ordered = -1, True

    def is_past(self, tag: int) -> bool:
        """Whether a data set in order holds nothing more that is wanted."""
        if self._ordered and tag > FACTS.last:
            return True
        self._ordered = self._ordered and tag >= self._before
        self._before = tag
        return False

    def take(self, tag: int, value: bytes) -> None:
        """An element that has a value."""
        if tag in WANTED.tags:
            self.values.setdefault(tag, value)
        if tag >> 16 in (0x0009, 0x0019):
            self._private.setdefault(tag, value)

    def private_by_creator(self) -> dict[tuple[int, int, str], bytes]:
        """The wanted private elements: (gggg,bbxx) is its creator's who stands in (gggg,00bb), wherever that stands."""
        found: dict[tuple[int, int, str], bytes] = {}
        for tag, value in self._private.items():
            creator = self._private.get(tag >> 16 << 16 | (tag >> 8 & 0xFF), b"").strip(b"\0 ").decode("latin-1")
            key = (tag >> 16, tag & 0xFF, creator)
            if tag & 0xFFFF > 0xFFF and key in WANTED.private:
                found.setdefault(key, value)
        return found

    def is_complete(self) -> bool:
        """Whether nothing more can come, once the order says nothing."""
        return not self._ordered and len(self.values) == len(WANTED.tags) and len(self.private_by_creator()) == len(WANTED.private)
