"""The one place for what reaches the terminal: stdout is data, stderr is talk, colour only on a terminal, no control character ever."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

_COLOURS: Mapping[str, str] = {
    "up": "green",
    "accepting": "green",
    "down": "bold red",
    "full": "yellow",
    "drain": "yellow",
    "disable": "yellow",
    "closed": "bold red",
}


def clean(value: object) -> str:
    """`value` as text of one line: C0, C1, DEL, line separators, bidi controls and lone surrogates become `\\xNN`, `\\uNNNN`."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) if _harmful(character) else character for character in text)


def line(text: object = "") -> None:
    """One line of data on stdout."""
    print(clean(text), file=sys.stdout, flush=True)


def block(text: str) -> None:
    """Text of our own making that has several lines (a document, a schema) on stdout, as it is but for control characters."""
    for one in text.splitlines():
        print(clean(one), file=sys.stdout)
    sys.stdout.flush()


def data(value: Any) -> None:
    """JSON on stdout; what does not print is escaped by JSON itself."""
    print(json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False, default=str), file=sys.stdout, flush=True)


def talk(text: str) -> None:
    """Talk on stderr, line by line."""
    for one in text.split("\n"):
        print(clean(one), file=sys.stderr)
    sys.stderr.flush()


def complain(message: str, hint: str | None) -> None:
    """An error and the way out of it, on stderr."""
    colour = coloured(sys.stderr)
    print(f"{_bold_red('error') if colour else 'error'}: {clean(message)}", file=sys.stderr)
    if hint:
        print(f"  hint: {clean(hint)}", file=sys.stderr)
    sys.stderr.flush()


def coloured(stream: Any) -> bool:
    """Whether colour may be used: a terminal, and nobody said NO_COLOR."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = (), wrap: Sequence[int] = (-1,)
) -> None:
    """A table on stdout: by rich on a terminal, aligned text otherwise. `right` are the columns of numbers, `wrap` those that may wrap."""
    if not rows:
        return
    texts = [[clean(cell) for cell in row] for row in rows]
    if coloured(sys.stdout):
        _rich_table(title, heads, texts, right, wrap)
        return
    widths = [max(len(head), *(len(row[index]) for row in texts)) for index, head in enumerate(heads)]
    line(title)
    for row in [list(heads), *texts]:
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width) for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line(("  " + "  ".join(cells)).rstrip())


def width() -> int:
    """How many columns there are: the terminal's, or plenty where nobody counts."""
    return shutil.get_terminal_size().columns if coloured(sys.stdout) else 10_000


def _rich_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int], wrap: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, head in enumerate(heads):
        wraps = index in wrap or index - len(heads) in wrap
        shown.add_column(Text(head), justify="right" if index in right else "left", no_wrap=not wraps, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell, style=_COLOURS.get(cell.split("=")[0], "")) for cell in row))  # Text: no markup in data
    Console(file=sys.stdout, highlight=False).print(shown)


def _harmful(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _bold_red(text: str) -> str:
    return f"\x1b[1;31m{text}\x1b[0m"
