"""The one place for characters that no engine's file may hold, whatever its grammar: controls, line ends, bidi marks, what is not NFC.

reliability §5: refused before any pattern is tried, and looked at again when a file is written.
"""

from __future__ import annotations

import unicodedata

_LINE_ENDS = frozenset("\u2028\u2029")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def fault(text: str) -> str | None:
    """What makes `text` unfit for every file, in words; None when nothing does."""
    if text.isascii() and text.isprintable():
        return None
    for letter in text:
        kind = unicodedata.category(letter)
        if kind == "Cc":
            return "a control character"
        if letter in _LINE_ENDS:
            return "a line or paragraph separator"
        if letter in _BIDI:
            return "a character that changes the direction of writing"
        if kind == "Cs":
            return "half a surrogate pair"
    return None if unicodedata.is_normalized("NFC", text) else "text that is not in Unicode's normal form C"
