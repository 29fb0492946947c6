"""The one place for `gurney doctor`: what this machine has, what is missing, and the command that installs it."""

from __future__ import annotations

import typer

from gurney.cli import terminal
from gurney.cli.options import JsonOption, StateOption, state_folder


def doctor(json: JsonOption = False, state: StateOption = None) -> None:
    """Look at this machine; exit 1 when something that is needed now is missing."""
    from gurney.app.doctor import examine

    findings = examine(state_folder(state))
    if json:
        terminal.data({"good": all(one.good or not one.needed for one in findings), "findings": [one.as_json() for one in findings]})
    else:
        rows = [
            (one.name, "good" if one.good else ("missing" if one.needed else "later"), one.found, one.cure if not one.good else "")
            for one in findings
        ]
        terminal.table("this machine", ("what", "state", "found", "cure"), rows)
    raise typer.Exit(0 if all(one.good or not one.needed for one in findings) else 1)
