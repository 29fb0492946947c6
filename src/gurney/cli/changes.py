"""The one place for the verbs that change which document is served: apply, confirm, undo, revisions."""

from __future__ import annotations

from typing import Annotated

import typer

from gurney.cli import terminal
from gurney.cli.options import FileArgument, JsonOption, StateOption, WhyOption, client, document, folder_of, seconds


def apply(
    file: FileArgument,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="DURATION", help="Undone then, unless `gurney confirm` was typed.")
    ] = None,
    why: WhyOption = None,
    json: JsonOption = False,
    state: StateOption = None,
) -> None:
    """Make a document the newest revision, and serve it.

    Returns when every engine has confirmed it; if one refuses, everything is as it was.
    """
    text, name = document(file)
    answer = client(state).apply(text, name, why=why, confirm=seconds(confirm, "--confirm"), folder=folder_of(file))
    _say(answer, json)


def confirm(json: JsonOption = False, state: StateOption = None) -> None:
    """Keep the revision that was applied with --confirm."""
    answer = client(state).confirm()
    if json:
        terminal.data(answer)
    else:
        terminal.line(f"revision {answer['revision']} stays")


def undo(why: WhyOption = None, json: JsonOption = False, state: StateOption = None) -> None:
    """Go back to the revision before."""
    _say(client(state).undo(why), json)


def revisions(json: JsonOption = False, state: StateOption = None) -> None:
    """List the applied documents, newest first."""
    found = client(state).revisions()
    if json:
        terminal.data(found)
        return
    from gurney.cli.times import local

    rows = [(one["revision"], local(one["time"]), one["who"], _fate(one), one["digest"][:12], one["why"] or "") for one in found]
    terminal.table("revisions", ("revision", "time", "who", "fate", "digest", "why"), rows, right=(0,))


def _fate(one: dict[str, object]) -> str:
    if one["failed"]:
        return "failed"
    return "waits for confirm" if one["pending_until"] else "applied"


def _say(answer: dict[str, object], json: bool) -> None:
    if json:
        terminal.data(answer)
        return
    from gurney.cli.steps import show

    show(answer, done=True)
