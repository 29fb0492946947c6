"""The one place for globs: `*` is any run of characters, `?` any one, everything else itself; case counts.

Values come from strangers, so matching is linear in the value: literal pieces are searched with `str.find`, pieces holding `?`
with a bit-parallel search (Shift-And). There is no backtracking to provoke and no escape character. Text is the latin-1 reading
of the bytes, so a glob written in ASCII compares bytes with bytes.
"""

from __future__ import annotations


def fits(pattern: str, text: str) -> bool:
    """True if `pattern` fits the whole of `text`."""
    if "*" not in pattern:
        if "?" not in pattern:
            return pattern == text
        return len(pattern) == len(text) and _here(pattern, text, 0)
    first, *middle, last = pattern.split("*")
    if not middle and not last and "?" not in first:
        return text.startswith(first)  # the usual one: MR*
    at, end = len(first), len(text) - len(last)
    if end < at or not _here(first, text, 0) or not _here(last, text, end):
        return False
    for piece in middle:
        if piece:
            at = _find(piece, text, at, end)
            if at < 0:
                return False
            at += len(piece)
    return True


def fits_value(pattern: str, value: str) -> bool:
    """True if `pattern` fits the whole of a fact's value or any one of its components.

    Components are what stands between backslashes (PS3.5 §6.4), without the spaces around them: `PRIMARY` and
    `ORIGINAL\\PRIMARY*` both fit an `image_type` of `ORIGINAL\\PRIMARY\\AXIAL`.
    """
    if pattern == value or fits(pattern, value):
        return True
    return "\\" in value and any(fits(pattern, part.strip(" ")) for part in value.split("\\"))


def _here(piece: str, text: str, at: int) -> bool:
    """True if `piece` (no `*`) stands in `text` at offset `at`."""
    if "?" not in piece:
        return text.startswith(piece, at)
    return len(text) - at >= len(piece) and all(want in ("?", got) for want, got in zip(piece, text[at : at + len(piece)], strict=True))


def _find(piece: str, text: str, at: int, end: int) -> int:
    """The first offset ≥ `at` where `piece` (no `*`) stands in `text[:end]`, or -1."""
    if "?" not in piece:
        return text.find(piece, at, end)
    anything = sum(1 << place for place, want in enumerate(piece) if want == "?")
    masks: dict[str, int] = {}
    for place, want in enumerate(piece):
        if want != "?":
            masks[want] = masks.get(want, anything) | 1 << place
    found, wanted = 0, 1 << (len(piece) - 1)
    for offset in range(at, end):
        found = (found << 1 | 1) & masks.get(text[offset], anything)
        if found & wanted:
            return offset - len(piece) + 1
    return -1
