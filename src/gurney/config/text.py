"""The one place for parsing single values: numbers, durations, sizes, words, names, AE titles, UIDs.

Each parser takes the text as it stands in the document and returns a value or raises `Unfit` with a code, a message and a hint.
Patterns are ASCII and matched whole (`$` would accept a trailing newline, `\\d` and `int()` Unicode digits: reliability.md §5).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from gurney.config import limits
from gurney.config.faults import Unfit, shown

_DIGITS = re.compile(r"[0-9]{1,19}")
_DURATION = re.compile(r"([0-9]{1,12})(ms|s|m|h|d|y)")
_DURATION_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "y": 365 * 86_400_000}
_SIZE = re.compile(r"([0-9]{1,15})(B|KiB|MiB|GiB|TiB)")
_SIZE_UNITS = {"B": 1, "KiB": limits.KIB, "MiB": limits.MIB, "GiB": limits.GIB, "TiB": limits.TIB}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MEMBER_NAME = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9_.:\[\] -]*")
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]+")  # PS3.5 §6.2, VR AE: no backslash, no control characters
_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*")  # PS3.5 §9.1
_JURISDICTION = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)


def integer(text: str, lowest: int, highest: int, what: str = "a number") -> int:
    """A whole number in ASCII digits from `lowest` to `highest`."""
    if _DIGITS.fullmatch(text) is None:
        raise Unfit("GRN-S014", f"{shown(text)} is not {what}", f"digits only, {lowest} to {highest}")
    value = int(text)
    if not lowest <= value <= highest:
        message = f"{text} is out of range" if what == "a number" else f"{text} is not {what}"
        raise Unfit("GRN-S014", message, f"{lowest} to {highest}")
    return value


def duration_ms(text: str, lowest: int, highest: int) -> int:
    """A duration in milliseconds: an integer and one of `ms s m h d y` (a year has 365 days)."""
    match = _DURATION.fullmatch(text)
    if match is None:
        hint = f"write a unit: {text}s, {text}ms" if _DIGITS.fullmatch(text) else "an integer and ms, s, m, h, d or y: 500ms, 30s"
        raise Unfit("GRN-S015", f"{shown(text)} is not a duration", hint)
    value = int(match[1]) * _DURATION_UNITS[match[2]]
    if not lowest <= value <= highest:
        raise Unfit("GRN-S015", f"{text} is out of range", f"{spell_duration(lowest)} to {spell_duration(highest)}")
    return value


def spell_duration(milliseconds: int) -> str:
    """The shortest way to write a duration: 2000 -> `2s`."""
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % _DURATION_UNITS[unit] == 0:
            return f"{milliseconds // _DURATION_UNITS[unit]}{unit}"
    return f"{milliseconds}ms"


def size(text: str, lowest: int = 0, highest: int = 1 << 60) -> int:
    """A size in bytes: an integer and one of `B KiB MiB GiB TiB`."""
    match = _SIZE.fullmatch(text)
    if match is None:
        hint = f"write a unit: {text}MiB, {text}B" if _DIGITS.fullmatch(text) else "an integer and B, KiB, MiB, GiB or TiB: 64MiB"
        decimal = re.fullmatch(r"([0-9]{1,15}) ?([kKmMgGtT])[iI]?[bB]?", text)
        if decimal is not None:
            hint = f"did you mean {decimal[1]}{decimal[2].upper()}iB?"
        raise Unfit("GRN-S016", f"{shown(text)} is not a size", hint)
    value = int(match[1]) * _SIZE_UNITS[match[2]]
    if not lowest <= value <= highest:
        raise Unfit("GRN-S016", f"{text} is out of range", f"{spell_size(lowest)} to {spell_size(highest)}")
    return value


def size_or_none(text: str, highest: int = 1 << 60) -> int | None:
    """A size of at least one byte, or `none`."""
    if text == "none":
        return None
    try:
        return size(text, 1, highest)
    except Unfit as unfit:
        raise Unfit(unfit.code, unfit.message, f"{unfit.hint}; or none") from None


def spell_size(count: int) -> str:
    """The shortest way to write a size: 67108864 -> `64MiB`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if count and count % _SIZE_UNITS[unit] == 0:
            return f"{count // _SIZE_UNITS[unit]}{unit}"
    return f"{count}B"


def word(text: str, known: Sequence[str], what: str, guess: Callable[[str, Sequence[str]], str | None]) -> str:
    """One of a closed list of words."""
    if text not in known:
        raise Unfit("GRN-S013", f"{shown(text)} is no {what}", guess(text, known) or f"one of {', '.join(known)}")
    return text


def name(text: str, what: str, highest: int = limits.NAME_CHARACTERS) -> str:
    """The name of an application, service, pool, rule, site or node: it becomes part of paths and of other names."""
    if _NAME.fullmatch(text) is None:
        raise Unfit("GRN-S018", f"{shown(text)} is no name for {what}", "ASCII letters, digits, - and _, beginning with a letter or digit")
    if len(text) > highest:
        raise Unfit("GRN-S018", f"{shown(text)} is too long for {what}", f"{highest} characters at most")
    return text


def member_name(text: str) -> str:
    """A member's name: as given, or derived from its AE title or address; never with a slash (APP/POOL/MEMBER) or a glob's signs."""
    if _MEMBER_NAME.fullmatch(text) is None or text != text.strip(" "):
        raise Unfit(
            "GRN-S018", f"{shown(text)} is no name for a member", "ASCII letters, digits, - _ . and :, beginning with a letter or digit"
        )
    if len(text) > limits.MEMBER_NAME_CHARACTERS:
        raise Unfit("GRN-S018", f"{shown(text)} is too long for a member", f"{limits.MEMBER_NAME_CHARACTERS} characters at most")
    return text


def ae_title(text: str, what: str = "an AE title") -> str:
    """An AE title (PS3.5 §6.2): at most 16 bytes of printable ASCII, no backslash, no spaces around it."""
    if text.strip(" ") == "":
        raise Unfit("GRN-S019", f"{shown(text)} is not {what}", "it is empty")
    if _AE_TITLE.fullmatch(text) is None:
        raise Unfit("GRN-S019", f"{shown(text)} is not {what}", "printable ASCII without backslash")
    if len(text) > limits.AE_TITLE_BYTES:
        raise Unfit("GRN-S019", f"{shown(text)} is not {what}: {len(text)} characters", f"{limits.AE_TITLE_BYTES} at most")
    if text != text.strip(" "):
        raise Unfit("GRN-S019", f"{shown(text)} is not {what}", "spaces around an AE title say nothing: leave them out")
    return text


def uid(text: str) -> str:
    """A DICOM unique identifier (PS3.5 §9.1): at most 64 of `[0-9.]`, no component with a leading zero."""
    if _UID.fullmatch(text) is None or len(text) > limits.UID_CHARACTERS:
        raise Unfit("GRN-S020", f"{shown(text)} is not a UID", f"digits and dots, {limits.UID_CHARACTERS} at most: 1.2.840.10008.1.2.1")
    return text


def jurisdiction(text: str) -> str:
    """A jurisdiction: an ISO 3166 code, `GB` or `US-CA`."""
    if _JURISDICTION.fullmatch(text) is None:
        raise Unfit("GRN-S013", f"{shown(text)} is no jurisdiction", "an ISO 3166 code in capitals: GB, DE, US-CA")
    return text


def host_name(text: str) -> bool:
    """Whether `text` is a host name of RFC 1123 labels that is no number."""
    labels = text.split(".")
    return len(text) <= limits.HOST_CHARACTERS and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
