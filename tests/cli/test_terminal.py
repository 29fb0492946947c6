"""Output: data on stdout, talk on stderr, no control character ever, colour only on a terminal."""

from __future__ import annotations

import io
import json
import sys

import pytest

from gurney.cli import terminal


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain", "plain"),
        ("Käse → 日本", "Käse → 日本"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb\tc\x00", "a\\x0d\\x0ab\\x09c\\x00"),
        ("\x9b31m", "\\x9b31m"),
        ("evil\u202egnp", "evil\\u202egnp"),
        ("line\u2028sep", "line\\u2028sep"),
        ("\udcff", "\\udcff"),
        (None, "None"),
    ],
)
def test_nothing_that_steers_a_terminal_gets_through(given: object, shown: str) -> None:
    assert terminal.clean(given) == shown


def test_a_table_is_aligned_plain_text_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.table("members", ("name", "n"), [("a\x1b", 5), ("long name", 1234)], right=(1,))
    assert capsys.readouterr().out == "members\n  name          n\n  a\\x1b         5\n  long name  1234\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_on_a_terminal_has_colour_and_no_markup_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal.table("members", ("name", "state"), [("[bold]x[/bold]\x1b[2J", "down")])
    assert "[bold]x[/bold]\\x1b[2J" in out.getvalue()
    assert "\x1b[" in out.getvalue() and "\x1b[2J" not in out.getvalue()


def test_no_colour_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.coloured(Terminal())


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.data({"name": "\x1b ü"})
    out = capsys.readouterr().out
    assert out.isascii() and "\x1b" not in out and json.loads(out) == {"name": "\x1b ü"}
