"""The one place for the verbs about a document that runs nothing: new, check, schema, plan, blueprint."""

from __future__ import annotations

from typing import Annotated

import typer

from gurney.cli import terminal
from gurney.cli.options import FileArgument, JsonOption, NodeOption, StateOption, UnusedStateOption, client, document, state_folder
from gurney.errors import InputRefused, NotRunning


def new(name: Annotated[str, typer.Argument(metavar="BLUEPRINT", help="Which one: pacs.")], state: UnusedStateOption = None) -> None:
    """Print a ready document from a blueprint."""
    from gurney.cli import blueprints

    terminal.block(blueprints.text(name))


def blueprint(
    action: Annotated[str, typer.Argument(metavar="list|test", help="What to do.")],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which blueprint.")] = None,
    state: UnusedStateOption = None,
) -> None:
    """List the blueprints (to test them comes later)."""
    from gurney.cli import blueprints

    if action == "list":
        for one in blueprints.names():
            terminal.line(one)
        return
    if action == "test":
        raise InputRefused("GRN-V001: 'blueprint test' is not in this version", hint=f"gurney new {name or 'pacs'} | gurney check -")
    raise InputRefused(f"there is no '{action}' of a blueprint", hint="gurney blueprint list, gurney new NAME")


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
