"""The one place for `gurney doctor`: what this machine has, what is missing, and the command that installs it."""

from __future__ import annotations

import typer

from gurney.cli import terminal
from gurney.cli.options import JsonOption, StateOption, state_folder

WORDS = {"now": "missing", "later": "not needed yet", "advice": "advice"}


def doctor(json: JsonOption = False, state: StateOption = None) -> None:
    """Look at this machine: what is there, what is missing.

    Exit status 1 when something is missing that is needed now.
    """
    from gurney.app.doctor import examine

    findings = examine(state_folder(state))
    good = all(one.good for one in findings if one.needed == "now")
    if json:
        terminal.data({"good": good, "findings": [one.as_json() for one in findings]})
    else:
        rows = [(one.name, "good" if one.good else WORDS[one.needed], one.found, "" if one.good else one.cure) for one in findings]
        terminal.table("this machine", ("what", "state", "found", "cure"), rows)
    raise typer.Exit(0 if good else 1)
