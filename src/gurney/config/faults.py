"""The one place for what is wrong with a document: faults with file, line, column, code and hint, and the list that gathers them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gurney.config import limits
from gurney.config.document import Document


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong; `line` and `column` count from 1, `severity` is `error` or `warning`."""

    file: str
    line: int
    column: int
    severity: str
    code: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}: {self.severity} {self.code}: {self.message}"
        return head if self.hint is None else f"{head}\n  hint: {self.hint}"

    def as_json(self) -> dict[str, Any]:
        """JSON-ready mapping with the fields' own names."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a document gave.

    `document` is None exactly when one of `faults` is an error. `faults` are in file order. `marks` maps document paths
    (`applications.pacs.pools.archive`) to (line, column), both from 1, of the key or list item they stand at.
    """

    document: Document | None
    faults: tuple[Fault, ...]
    marks: Mapping[str, tuple[int, int]]

    @property
    def errors(self) -> tuple[Fault, ...]:
        """The faults that refuse the document."""
        return tuple(fault for fault in self.faults if fault.severity == "error")


class Unfit(Exception):
    """A scalar that is not what its field takes: raised by the parsers of single values, never seen outside `config`."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def printable(text: str) -> str:
    """`text` fit for a terminal: at most 64 characters, what does not print is escaped."""
    cut = text[: limits.SHOWN_CHARACTERS]
    safe = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in cut)
    return f"{safe}…" if len(text) > len(cut) else safe


def shown(text: str) -> str:
    """`text` as `printable` gives it, in quotes."""
    return f"'{printable(text)}'"


def _holders(path: str) -> Iterator[str]:
    """The document paths around `path`, innermost first."""
    for at in range(len(path) - 1, 0, -1):
        if path[at] in ".[":
            yield path[:at]


@dataclass(slots=True)
class Faults:
    """The faults of one reading as they are found; bounded, so that a hostile file cannot fill memory or a terminal."""

    file: str
    found: list[Fault] = field(default_factory=list)
    unseen: int = 0  # errors beyond the bound
    broken: set[str] = field(default_factory=set)  # document paths with an error: lint stays silent about them
    holding: set[str] = field(default_factory=set)  # the paths around those
    guesses: int = 0

    def add(
        self,
        at: tuple[int, int],
        code: str,
        message: str,
        hint: str | None = None,
        *,
        path: str = "",
        severity: str = "error",
        breaks: bool = True,
    ) -> None:
        """Notes one fault at (line, column); `breaks` says that what stands at `path` cannot be judged further."""
        if severity == "error" and breaks:
            self.breaks(path)
        if len(self.found) >= limits.FAULTS_SHOWN:
            self.unseen += severity == "error"
            return
        self.found.append(Fault(self.file, at[0], at[1], severity, code, message, hint))

    def nearest(self, word: str, known: Iterable[str]) -> str | None:
        """The one of `known` that is near `word`; the number of searches is bounded."""
        self.guesses += 1
        if self.guesses > limits.GUESSES or len(word) > limits.SHOWN_CHARACTERS:
            return None
        some = [name for _, name in zip(range(limits.GUESS_CANDIDATES), known, strict=False)]
        folded = {name.lower(): name for name in reversed(some)}
        near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
        return folded[near[0]] if near else None

    def guess(self, word: str, known: Iterable[str]) -> str | None:
        """`did you mean 'archive'?`, or None."""
        near = self.nearest(word, known)
        return f"did you mean {shown(near)}?" if near is not None else None

    @property
    def refused(self) -> bool:
        """Whether an error is among the faults."""
        return self.unseen > 0 or any(fault.severity == "error" for fault in self.found)

    def breaks(self, path: str) -> None:
        """Marks what stands at `path` as not to be judged further, and what holds it as not whole."""
        self.broken.add(path)
        self.holding.update(_holders(path))

    def is_broken(self, path: str) -> bool:
        """Whether an error stands at `path`, inside it or around it."""
        return path in self.holding or path in self.broken or any(holder in self.broken for holder in _holders(path))

    def listed(self) -> tuple[Fault, ...]:
        """All faults in file order; a last one counts what the bound left out."""
        ordered = sorted(self.found, key=lambda fault: (fault.line, fault.column, fault.code, fault.message))
        if self.unseen:
            last = ordered[-1]
            ordered.append(
                Fault(
                    self.file, last.line, last.column, "error", "GRN-S031", f"{self.unseen} more faults are not shown", "mend these first"
                )
            )
        return tuple(ordered)
