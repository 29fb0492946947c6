"""The one place for the verbs about a document that runs nothing: check, schema, plan."""

from __future__ import annotations

import typer

from gurney.cli import terminal
from gurney.cli.main import fault_text
from gurney.cli.options import (
    FileArgument,
    JsonOption,
    NodeOption,
    StateOption,
    UnusedStateOption,
    client,
    document,
    folder_of,
    state_folder,
)
from gurney.cli.steps import grants
from gurney.errors import NotRunning


def check(file: FileArgument, json: JsonOption = False, state: StateOption = None) -> None:
    """Say everything that is wrong with a document and the files it names.

    For a good one, also which limits its engines are granted, and why.
    """
    from gurney.app.offline import check_offline

    text, name = document(file)
    answer = check_offline(state_folder(state), text, name, folder_of(file))
    if json:
        terminal.data(answer)
    else:
        for fault in answer["faults"]:
            terminal.block(fault_text(fault))
        grants(answer)
    raise typer.Exit(0 if answer["good"] else 2)


def schema(state: UnusedStateOption = None) -> None:
    """Print the JSON Schema of a document, for editors."""
    from gurney.config.schema import json_schema

    terminal.data(json_schema())


def plan(file: FileArgument, json: JsonOption = False, state: StateOption = None, node: NodeOption = None) -> None:
    """Show the steps an apply would take; change nothing.

    In order, with the sessions they would cut.
    """
    text, name = document(file)
    try:
        answer = client(state).plan(text, name, folder_of(file))
    except NotRunning:
        from gurney.app.offline import plan_offline

        terminal.talk("no control process answers: these would be the steps of `gurney up FILE`")
        answer = plan_offline(state_folder(state), text, name, node, folder_of(file))
    if json:
        terminal.data(answer)
        return
    from gurney.cli.steps import show

    show(answer)
