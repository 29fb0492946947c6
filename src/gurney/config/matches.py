"""The one place for what stands in `match`: globs and DICOM tags as keys.

A glob is ASCII and fits whole values only: `*` any run of characters, `?` one. There is no escape and no class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gurney.config import limits
from gurney.config.faults import Unfit, shown

_TAG = re.compile(r"tag\(([0-9A-Fa-f]{4}),(xx)?([0-9A-Fa-f]{2}|[0-9A-Fa-f]{4})(?:,([^()]*))?\)")
_CREATOR = re.compile(r"[\x20-\x5b\x5d-\x7e]+")  # VR LO, one value: no backslash, no control characters (PS3.5 §6.2)
_GLOB = re.compile(r"[\x20-\x7e]*")
_FIRST_GROUP = 0x0008  # groups below belong to command sets and file meta, never to a data set
_PIXELS = 0x7FE0  # pixel data and what follows lies beyond what is read for facts


@dataclass(frozen=True, slots=True)
class Tag:
    """A depth-0 element as a key of `match`. With `creator`, `element` is the low byte (0x10–0xFF is the block's)."""

    group: int
    element: int
    creator: str | None = None

    def __str__(self) -> str:
        if self.creator is None:
            return f"tag({self.group:04X},{self.element:04X})"
        return f"tag({self.group:04X},xx{self.element:02X},{self.creator})"


def is_tag(key: str) -> bool:
    """Whether a key of `match` means an element rather than a fact's name."""
    return key.startswith("tag(")


def tag(key: str) -> Tag:
    """`tag(0010,0040)`, or `tag(0019,xx10,ACME)` for a private element with its creator (PS3.5 §7.8.1)."""
    match = _TAG.fullmatch(key)
    if match is None or len(match[3]) != (2 if match[2] else 4):
        hint = 'tag(0010,0040), or for a private element tag(0019,xx10,ACME); in { } the key needs quotes: {"tag(0010,0040)": F}'
        raise Unfit("GRN-S021", f"{shown(key)} is no tag", hint)
    group, element, creator = int(match[1], 16), int(match[3], 16), match[4]
    if group % 2 == 0:
        if match[2] or creator is not None:
            raise Unfit("GRN-S021", f"{shown(key)} is no tag", "only a private element (odd group) has a creator")
        if group < _FIRST_GROUP or group >= _PIXELS:
            raise Unfit("GRN-S021", f"{shown(key)} cannot be matched", "a data set's own elements from (0008,0000) up to the pixel data")
        return Tag(group, element)
    if group < _FIRST_GROUP or group > _PIXELS:
        raise Unfit("GRN-S021", f"{shown(key)} cannot be matched", "private groups lie between 0009 and the pixel data")
    if not match[2] or creator is None:
        raise Unfit("GRN-S021", f"{shown(key)} is private and has no creator", f"tag({match[1]},xx{match[3][-2:]},CREATOR)")
    if _CREATOR.fullmatch(creator) is None or creator != creator.strip(" ") or len(creator) > limits.CREATOR_BYTES:
        raise Unfit(
            "GRN-S021", f"{shown(creator)} is no private creator", f"printable ASCII without backslash, {limits.CREATOR_BYTES} at most"
        )
    return Tag(group, element, creator)


def glob(value: str) -> str:
    """A glob as it stands; values are compared as bytes, so only printable ASCII can fit in every character set."""
    if _GLOB.fullmatch(value) is None:
        raise Unfit("GRN-S022", f"{shown(value)} cannot be matched", "printable ASCII; put ? or * where another letter stands")
    return value
