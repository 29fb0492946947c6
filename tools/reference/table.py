"""The one place for how a page of the reference looks: its note, headings, tables and escaped cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTE = "<!-- made by `make docs` from {source}; edit there -->"


def page(title: str, source: str, intro: str, *parts: str) -> str:
    """A whole page: title, the note of where it comes from, an introduction, parts with an empty line between them."""
    return "\n\n".join((f"# {title}", NOTE.format(source=source), intro, *parts)) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def cell(value: object) -> str:
    """A value as the text of a cell: one line, its bars escaped; None is a dash."""
    return "–" if value is None else " ".join(str(value).split()).replace("|", "\\|")


def code(value: object) -> str:
    """A value in code type; None is a dash."""
    return "–" if value is None else f"`{value}`"


def codes(values: Iterable[object]) -> str:
    """Several values in code type."""
    return " ".join(code(value) for value in values) or "–"
