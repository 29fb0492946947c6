"""The one place for turning YAML text into nodes with line and column: every scalar is text, and what YAML can do besides is refused.

Built from PyYAML's events, not its loaders or `compose`: those resolve types (`NO` would be false), drop duplicate keys silently and
recurse as deep as the file asks. Anchors, aliases, tags, `<<`, further documents and null are faults of their own; depth and size are
bounded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from gurney.config import limits
from gurney.config.faults import Faults, printable, shown

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# reliability.md §5: C0, DEL, C1, U+2028/9, bidi controls, lone surrogates, byte order marks inside, the replacement character
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_FORBIDDEN = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffd\ufffe\uffff{_BIDI}]")
_FORBIDDEN_IN_FILE = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffd\ufffe\uffff{_BIDI}]")
_STAND_IN = "\ufffd"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as it stands in the file; `sound` is False when a fault has been said about it already."""

    text: str
    at: tuple[int, int]
    sound: bool = True
    null: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    at: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping without duplicate keys; `pairs` in the order of the file."""

    pairs: tuple[tuple[Scalar, Node], ...]
    at: tuple[int, int]


Node = Scalar | Items | Entries


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come."""

    mapping: bool
    at: tuple[int, int]
    children: list[Node] = field(default_factory=list)


class _TooLarge(Exception):
    """The document passes a bound; said as a fault by the one who raises."""


def grow(text: str, faults: Faults) -> Node | None:
    """The root of `text`, or None when nothing can be read; every fault goes to `faults`. Raises nothing."""
    text = text.removeprefix("\ufeff")
    if len(text) > limits.DOCUMENT_BYTES or len(text.encode("utf-8", "surrogatepass")) > limits.DOCUMENT_BYTES:
        faults.add((1, 1), "GRN-S006", f"the document is larger than {limits.DOCUMENT_BYTES} bytes")
        return None
    text = _refuse_characters(text, faults)
    grower = _Grower(text, faults)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            grower.take(event)
    except _TooLarge:
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        said = error.problem or error.context or "cannot be read"
        faults.add(at, "GRN-S001", f"not YAML: {said}", _syntax_hint(text, at))
        return None
    except (yaml.YAMLError, RecursionError, ValueError):
        faults.add((1, 1), "GRN-S001", "not YAML: cannot be read")
        return None
    if grower.root is None and not faults.refused:
        faults.add((1, 1), "GRN-S007", "the document is empty", "the smallest one begins with `gurney: 1`")
    return grower.root


def _refuse_characters(text: str, faults: Faults) -> str:
    """Says each line with a forbidden character and puts a stand-in there, so that the rest is read all the same."""
    last = 0
    for line, column, letter in _forbidden_places(text):
        if line != last:
            faults.add(
                (line, column),
                "GRN-S002",
                f"character U+{ord(letter):04X} is not allowed",
                "take it out: one could not see what the document says",
            )
        last = line
    return _FORBIDDEN_IN_FILE.sub(_STAND_IN, text)


def _forbidden_places(text: str) -> Iterator[tuple[int, int, str]]:
    line, start, looked = 1, 0, 0
    for match in _FORBIDDEN_IN_FILE.finditer(text):
        for end in re.finditer(r"\r\n?|\n", text[looked : match.start()]):
            line += 1
            start = looked + end.end()
        looked = match.start()
        yield line, match.start() - start + 1, match.group()


def _syntax_hint(text: str, at: tuple[int, int]) -> str | None:
    lines = re.split(r"\r\n?|\n", text)
    line = lines[at[0] - 1] if at[0] <= len(lines) else ""
    if "\t" in line[: at[1]]:
        return "YAML indents with spaces, not tabs"
    if re.search(r"\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]:\d", line):
        return 'an IPv6 address with a port needs quotes: "[fd00::1]:104"'
    near = line[max(0, at[1] - 2) : at[1]]
    quoted = next((letter for letter in near if letter in "*&%@`"), None)
    if quoted is not None:
        return f"a value that starts with {quoted} needs quotes"
    return None


class _Grower:
    """Takes events one after the other; `root` is the finished first document."""

    def __init__(self, text: str, faults: Faults) -> None:
        self.root: Node | None = None
        self._text = text
        self._faults = faults
        self._open: list[_Open] = []
        self._nodes = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        at = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents == 2:
                self._faults.add(at, "GRN-S005", "a second document in one file", "one file is one document: remove what follows `---`")
        elif self._documents > 1:
            self._count(at)
        elif isinstance(event, yaml.AliasEvent):
            name = printable(event.anchor or "")
            hint = f'write the value out, or quote it if the text is meant: "*{name}"'
            self._faults.add(at, "GRN-S004", f"alias *{name} is not allowed", hint)
            self._add(Scalar("", at, sound=False))
        elif isinstance(event, yaml.ScalarEvent):
            self._node(event, at)
            self._add(self._scalar(event, at))
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._node(event, at)
            if len(self._open) >= limits.DOCUMENT_DEPTH:
                self._faults.add(at, "GRN-S006", f"nested deeper than {limits.DOCUMENT_DEPTH} levels")
                raise _TooLarge
            self._open.append(_Open(isinstance(event, yaml.MappingStartEvent), at))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = self._open.pop()
            self._add(self._entries(done) if done.mapping else self._items(done))

    def _count(self, at: tuple[int, int]) -> None:
        self._nodes += 1
        if self._nodes > limits.DOCUMENT_NODES:
            self._faults.add(at, "GRN-S006", f"more than {limits.DOCUMENT_NODES} keys and values")
            raise _TooLarge

    def _node(self, event: Any, at: tuple[int, int]) -> None:
        self._count(at)
        if event.anchor is not None:
            self._faults.add(at, "GRN-S004", f"anchor &{printable(event.anchor)} is not allowed", "write the value out where it is needed")
        if event.tag is not None:
            self._faults.add(at, "GRN-S004", f"tag {shown(event.tag)} is not allowed", "every value is text; the field says what it means")

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._no_null(node)
            self.root = node

    def _no_null(self, node: Node) -> None:
        if isinstance(node, Scalar) and node.null:
            self._faults.add(node.at, "GRN-S007", "there is no null", "leave the key out, or quote the text if it is meant")

    def _scalar(self, event: Any, at: tuple[int, int]) -> Scalar:
        """The text checked as it is stored: characters first, then NFC, never a normalised copy (reliability.md §5)."""
        text: str = event.value
        if not event.style and text in _NULLS:
            return Scalar("", at, sound=False, null=True)
        if len(text) > limits.SCALAR_CHARACTERS:
            self._faults.add(at, "GRN-S006", f"longer than {limits.SCALAR_CHARACTERS} characters")
            return Scalar("", at, sound=False)
        bad = _FORBIDDEN.search(text)
        if bad is not None:
            source = self._text[event.start_mark.index : event.end_mark.index]
            if _STAND_IN not in source:  # else it was said when the file's characters were looked at
                self._faults.add(
                    at, "GRN-S002", f"character U+{ord(bad.group()):04X} is not allowed", "one line of printable text is expected"
                )
            return Scalar("", at, sound=False)
        if not unicodedata.is_normalized("NFC", text):
            self._faults.add(at, "GRN-S003", f"{shown(text)} is not in Unicode's composed form (NFC)", "type the letters anew")
            return Scalar("", at, sound=False)
        return Scalar(text, at)

    def _items(self, done: _Open) -> Items:
        for node in done.children:
            self._no_null(node)
        return Items(tuple(done.children), done.at)

    def _entries(self, done: _Open) -> Entries:
        pairs: list[tuple[Scalar, Node]] = []
        seen: dict[str, tuple[int, int]] = {}
        for key, value in self._whole_tags(list(zip(done.children[0::2], done.children[1::2], strict=False))):
            self._no_null(value)
            if not isinstance(key, Scalar):
                self._faults.add(
                    key.at, "GRN-S011", "a key is one text, not a list or mapping", "a value that starts with [ or { needs quotes"
                )
            elif key.null:
                self._faults.add(key.at, "GRN-S007", "a key without a name")
            elif not key.sound:
                continue
            elif key.text == "<<":
                self._faults.add(key.at, "GRN-S004", "the merge key << is not allowed", "write the keys out")
            elif key.text in seen:
                line, column = seen[key.text]
                self._faults.add(key.at, "GRN-S008", f"key {shown(key.text)} is here twice", f"first at line {line}, column {column}")
            else:
                seen[key.text] = key.at
                pairs.append((key, value))
        return Entries(tuple(pairs), done.at)

    def _whole_tags(self, pairs: list[tuple[Node, Node]]) -> Iterator[tuple[Node, Node]]:
        """In braces YAML cuts `tag(0010,0040)` at its commas: said once, and put together again so that nothing follows from it."""
        at = 0
        while at < len(pairs):
            end = self._tag_end(pairs, at)
            key, value = pairs[end][0], pairs[end][1]
            if end > at:
                whole = ",".join(part.text for part, _ in pairs[at : end + 1] if isinstance(part, Scalar))
                key = Scalar(whole, pairs[at][0].at)
                self._faults.add(key.at, "GRN-S021", f"the key {shown(whole)} needs quotes in braces", f'{{"{printable(whole)}": …}}')
            yield key, value
            at = end + 1

    @staticmethod
    def _tag_end(pairs: list[tuple[Node, Node]], at: int) -> int:
        """The pair that ends a tag cut at its commas; `at` itself when there is none."""
        first = pairs[at][0]
        if isinstance(first, Scalar) and first.text.startswith("tag(") and ")" not in first.text:
            for end in range(at, min(at + 3, len(pairs))):
                key, value = pairs[end]
                if isinstance(key, Scalar) and key.text.endswith(")"):
                    return end
                if not (isinstance(value, Scalar) and value.null):
                    break
        return at
