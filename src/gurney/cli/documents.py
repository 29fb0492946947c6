"""The one place for the verbs about a document that runs nothing: check, schema, plan."""

from __future__ import annotations

import typer

from gurney.cli import terminal
from gurney.cli.options import FileArgument, JsonOption, NodeOption, StateOption, UnusedStateOption, client, document, state_folder
from gurney.errors import NotRunning


def check(file: FileArgument, json: JsonOption = False, state: UnusedStateOption = None) -> None:
    """Say everything that is wrong with a document."""
    from gurney.config import reader

    text, name = document(file)
    reading = reader.read(text, name)
    if json:
        terminal.data({"file": name, "good": reading.document is not None, "faults": [fault.as_json() for fault in reading.faults]})
    else:
        for fault in reading.faults:
            terminal.block(str(fault))
    raise typer.Exit(0 if reading.document is not None else 2)


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
        answer = client(state).plan(text, name)
    except NotRunning:
        from gurney.app.offline import plan_offline

        terminal.talk("no control process answers: these would be the steps of `gurney up FILE`")
        answer = plan_offline(state_folder(state), text, name, node)
    if json:
        terminal.data(answer)
        return
    from gurney.cli.steps import show

    show(answer)
