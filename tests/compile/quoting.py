"""The one place for reading a haproxy.cfg back, from HAProxy's quoting rules alone (Configuration Manual 2.8 §2.2).

Shares nothing with the serializer it judges. It knows less than HAProxy on purpose: single quotes, in which all is literal, and bare words
of characters without a meaning. Double quotes, backslashes, dollars and braces outside single quotes are what a compiler of ours never
writes; they are a `Foreign`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SECTIONS = frozenset({"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "ring", "cache", "userlist", "mailers"})
_BARE = re.compile(r"[A-Za-z0-9_.,:;/@%\[\]()*+=<>!&|?{}~^-]+")


class Foreign(Exception):
    """Something stands in the text that no serializer of ours writes."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line with words. `section` is the word that opened the section it stands in."""

    number: int
    section: str
    words: tuple[str, ...]

    @property
    def keyword(self) -> str:
        return self.words[0]


def read(text: str) -> list[Line]:
    """Every line that has words. Raises `Foreign`."""
    lines: list[Line] = []
    section = ""
    for number, raw in enumerate(text.split("\n"), 1):
        found = tuple(_words(raw, number))
        if not found:
            continue
        if not raw.startswith((" ", "\t")):
            if found[0] not in SECTIONS:
                raise Foreign(f"line {number}: '{found[0]}' opens no section")
            section = found[0]
        lines.append(Line(number, section, found))
    return lines


def _words(raw: str, number: int) -> list[str]:
    found: list[str] = []
    at, word, begun = 0, "", False
    while at < len(raw):
        character = raw[at]
        if character in " \t":
            if begun:
                found.append(word)
            word, begun, at = "", False, at + 1
        elif character == "#":
            break  # not `begun` only: HAProxy takes an unquoted # for a comment wherever it stands
        elif character == "'":
            end = raw.find("'", at + 1)
            if end < 0:
                raise Foreign(f"line {number}: a quote is not closed")
            word, begun, at = word + raw[at + 1 : end], True, end + 1
        else:
            match = _BARE.match(raw, at)
            if match is None:
                raise Foreign(f"line {number}: {character!r} outside quotes")
            word, begun, at = word + match[0], True, match.end()
    if begun:
        found.append(word)
    return found
