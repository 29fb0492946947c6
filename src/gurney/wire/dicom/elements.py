"""The one place for how elements are encoded in each transfer syntax: byte order, VR, length fields (PS3.5 §7.1, annex A)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Final

IMPLICIT_LE: Final = "1.2.840.10008.1.2"
EXPLICIT_LE: Final = "1.2.840.10008.1.2.1"
EXPLICIT_BE: Final = "1.2.840.10008.1.2.2"
DEFLATED_LE: Final = "1.2.840.10008.1.2.1.99"

UNDEFINED: Final = 0xFFFFFFFF
"""The length of what ends with a delimiter (PS3.5 §7.5)."""

DELIMITER_GROUP: Final = 0xFFFE
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD

_SHORT_VRS: Final = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
_LONG_VRS: Final = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
_ENDED_VRS: Final = "OB OW SQ UN"  # PS3.5 §7.1.1: the VRs that may have an undefined length


@dataclass(frozen=True, slots=True)
class Encoding:
    """One way to write elements. VRs are numbers: the two bytes as the header's own byte order reads them."""

    implicit: bool
    header: Struct  # the first 8 bytes: group, element, VR, 16-bit length; where implicit: group, element, 32-bit length
    item: Struct  # group, element, 32-bit length, whatever the VRs
    length: Struct  # the 32-bit length behind a long VR and its two reserved bytes
    shorts: frozenset[int]  # VRs with a 16-bit length
    longs: frozenset[int]  # VRs with a 32-bit length, of which
    ended: frozenset[int]  # may have an undefined length,
    sequence: int  # is SQ and
    unknown: int  # is UN


def _encoding(order: str, *, implicit: bool) -> Encoding:
    def numbers(words: str) -> frozenset[int]:
        return frozenset(Struct(f"{order}H").unpack(word.encode("ascii"))[0] for word in words.split())

    return Encoding(
        implicit=implicit,
        header=Struct(f"{order}HHI" if implicit else f"{order}HHHH"),
        item=Struct(f"{order}HHI"),
        length=Struct(f"{order}I"),
        shorts=numbers(_SHORT_VRS),
        longs=numbers(_LONG_VRS),
        ended=numbers(_ENDED_VRS),
        sequence=min(numbers("SQ")),
        unknown=min(numbers("UN")),
    )


IMPLICIT_LITTLE: Final = _encoding("<", implicit=True)
EXPLICIT_LITTLE: Final = _encoding("<", implicit=False)
EXPLICIT_BIG: Final = _encoding(">", implicit=False)

_OTHERS: Final = {
    IMPLICIT_LE: IMPLICIT_LITTLE,
    "1.2.840.113619.5.2": IMPLICIT_LITTLE,  # GE private: implicit, only its pixels are big endian
    EXPLICIT_BE: EXPLICIT_BIG,
}
_DEFLATED: Final = frozenset(
    {
        DEFLATED_LE,
        "1.2.840.10008.1.2.4.95",  # JPIP referenced deflate
        "1.2.840.10008.1.2.4.205",  # JPIP HTJ2K referenced deflate
    }
)


@lru_cache(maxsize=256)  # asked for every object; a peer's words, so bounded
def encoding_of(transfer_syntax: str) -> Encoding:
    """How elements stand in this transfer syntax; every one not named here, private ones included, is Explicit LE (PS3.5 §A.4)."""
    return _OTHERS.get(transfer_syntax, EXPLICIT_LITTLE)


@lru_cache(maxsize=256)
def is_deflated(transfer_syntax: str) -> bool:
    """Whether the whole data set is a raw deflate stream (PS3.5 §A.5)."""
    return transfer_syntax in _DEFLATED
