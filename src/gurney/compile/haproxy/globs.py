"""The one place for turning globs into HAProxy's ways of matching: the whole text, its beginning, its end, a part, else a regex of ours.

A regex is only ever made here, from a glob: letters and digits stand for themselves, every other character is written `\\xHH`. What stands
between two stars is looked for once, leftmost, in an atomic group, so that no value makes the engine try again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gurney.compile.haproxy.tree import Pattern

_PLAIN = re.compile(r"[!\"$-&(-~][!-&(-~]*|")  # printable ASCII without spaces and apostrophes, `#` not first
ANY = "found"  # whatever it is, it is there
WAYS = (ANY, "str", "beg", "end", "sub", "reg")  # in the order in which they are written


def patterns(globs: Iterable[str], before: str = "") -> dict[str, tuple[Pattern, ...]]:
    """By way of matching, the entries of the value list for `globs`; `before` is literal text in front of each (the base of a path)."""
    found: dict[str, dict[str, None]] = {}
    for glob in globs:
        for way, entry in _of_path(glob, before) if before else [_way(glob)]:
            found.setdefault(way, {})[entry] = None
    return {way: tuple(Pattern(entry) for entry in found[way] if way != ANY) for way in WAYS if way in found}


def _of_path(glob: str, base: str) -> list[tuple[str, str]]:
    """A glob over what follows `base`, where the base alone counts as `/`."""
    entries = [_way(glob, base)]
    if _fits_root(glob):
        entries.append(("str", base))
    return entries


def _fits_root(glob: str) -> bool:
    """True if the glob fits `/`."""
    return glob.replace("*", "") in ("", "/") or (glob.replace("*", "") == "?")


def _way(glob: str, before: str = "") -> tuple[str, str]:
    """How `before` and what `glob` fits are matched, and the entry for it."""
    if not before and glob and not glob.strip("*"):
        return ANY, ""
    first, *rest = glob.split("*")
    inner = [piece for piece in rest[:-1] if piece]
    last = rest[-1] if rest else ""
    simple = "?" not in glob and all(_plain(piece) for piece in (before + first, *inner, last))
    if simple and not rest:
        return "str", before + first
    if simple and not last and not inner:
        return "beg", before + first
    if simple and not before and not first and not inner:
        return "end", last
    if simple and not before and not first and not last and len(inner) == 1:
        return "sub", inner[0]
    return "reg", _regex(before, first, inner, last if rest else None)


def _plain(piece: str) -> bool:
    return _PLAIN.fullmatch(piece) is not None


def _regex(before: str, first: str, inner: list[str], last: str | None) -> str:
    middle = "".join(f"(?>.*?{_escaped(piece)})" for piece in inner)
    end = "" if last is None else f".*{_escaped(last)}"
    return f"^{_literal(before)}{_escaped(first)}{middle}{end}$"


def _escaped(piece: str) -> str:
    return ".".join(_literal(part) for part in piece.split("?"))


def _literal(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else f"\\x{ord(letter):02x}" for letter in text)
