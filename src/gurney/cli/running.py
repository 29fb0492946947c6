"""The one place for the verbs that start and end everything: up, down."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gurney.cli import terminal
from gurney.cli.options import NodeOption, StateOption, client, document, folder_of, state_folder
from gurney.errors import NotRunning

if TYPE_CHECKING:
    from gurney.api.client import Client


class GuardWord(StrEnum):
    """Whose the guard is."""

    START = "start"
    WAIT = "wait"


def up(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A new revision if it differs from the newest; without it: the newest.")
    ] = None,
    node: NodeOption = None,
    guard: Annotated[
        GuardWord, typer.Option("--guard", help="start: one is started where none lives; wait: it is a service of its own.")
    ] = GuardWord.START,
    first: Annotated[
        bool,
        typer.Option("--first", help="FILE is for the first start only: where there is a revision, the newest goes on, undone or not."),
    ] = False,
    state: StateOption = None,
) -> None:
    """Run, in the foreground.

    The guard is started if there is none. Traffic goes on when this ends (but by Ctrl-C on a terminal).
    """
    from gurney.app.control import Wish, main
    from gurney.app.offline import remembers

    if first and remembers(state_folder(state)):
        file = None
    text, name = document(file) if file is not None else (None, "gurney.yaml")
    place = folder_of(file) if file is not None else None
    wish = Wish(state_folder(state), text, name, node, terminal.line, terminal.talk, place, wait=guard is GuardWord.WAIT)
    raise typer.Exit(main(wish))


def down(state: StateOption = None) -> None:
    """Stop traffic and everything else.

    Unfinished objects get up to 10 s.
    """
    from gurney.app.down import down_without_control

    folder = state_folder(state)
    asked = client(state)
    try:
        asked.alive()
    except NotRunning:
        for one in down_without_control(folder, _hung(asked)):
            terminal.talk(f"stopped {one}")
    else:
        asked.down()
    terminal.line("down")


def _hung(asked: Client) -> int | None:
    """The pid of a control process that is there and does not answer."""
    try:
        pid = asked.owner()
    except NotRunning:
        return None
    terminal.talk(f"the control process (pid {pid}) does not answer: ending it")
    return pid
