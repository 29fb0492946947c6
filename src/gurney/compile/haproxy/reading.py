"""The one place for reading haproxy.cfg as HAProxy does: lines into words, by its own rules of quoting. Shares nothing with the writer.

Written from the manual (§2.2 Quoting and escaping) and tried against the program: outside of quotes a backslash takes the next character
literally, `#` begins a comment, `"` lets `\\` and `$` act, `'` takes everything literally up to the next `'`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PLAIN = re.compile(r"[^ \t'\"\\#$]+")


@dataclass(frozen=True, slots=True)
class Read:
    """One word of a line. `quoted`: some of it stood between single quotes; `active`: some of it HAProxy would expand or unescape."""

    text: str
    quoted: bool
    active: bool


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One line with words; `number` counts from 1. `comment`: whether one ends it; `open`: whether a quote was never closed."""

    number: int
    words: tuple[Read, ...]
    comment: bool
    open: bool


def lines(text: str) -> Iterator[ReadLine]:
    """Every line of a configuration that has a word, a comment or an open quote."""
    for at, line in enumerate(text.split("\n"), 1):
        found = _line(at, line)
        if found.words or found.comment or found.open:
            yield found


def _line(number: int, line: str) -> ReadLine:
    words: list[Read] = []
    at, length = 0, len(line)
    parts: list[str] = []
    inside = quoted = active = False
    while at < length:
        letter = line[at]
        if letter in " \t":
            if inside:
                words.append(Read("".join(parts), quoted, active))
                parts, inside, quoted, active = [], False, False, False
            at += 1
            continue
        if letter == "#":
            return ReadLine(number, _ended(words, parts, inside, quoted, active), True, False)
        inside = True
        if letter in "'\"":
            end = _closing(line, at)
            if end < 0:
                return ReadLine(number, _ended(words, parts, inside, quoted, active), False, True)
            parts.append(line[at + 1 : end])
            quoted = quoted or letter == "'"
            active = active or letter == '"'
            at = end + 1
        elif letter in "\\$":
            active = True
            parts.append(line[at : at + 2])
            at += 2
        else:
            plain = _PLAIN.match(line, at)
            stop = plain.end() if plain is not None else at + 1
            parts.append(line[at:stop])
            at = stop
    return ReadLine(number, _ended(words, parts, inside, quoted, active), False, False)


def _ended(words: list[Read], parts: list[str], inside: bool, quoted: bool, active: bool) -> tuple[Read, ...]:
    return (*words, Read("".join(parts), quoted, active)) if inside else tuple(words)


def _closing(line: str, at: int) -> int:
    """Where the quote that begins at `at` ends, or -1."""
    if line[at] == "'":
        return line.find("'", at + 1)
    after = at + 1
    while after < len(line) and line[after] != '"':
        after += 2 if line[after] == "\\" else 1
    return after if after < len(line) else -1
