"""The one place for `gurney explain`: which rule, pool and member would take a message, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from gurney.cli import terminal
from gurney.cli.options import JsonOption, StateOption, client, document, folder_of, state_folder
from gurney.errors import InputRefused


def explain(
    service: Annotated[str, typer.Argument(metavar="APP/SERVICE", help="The service it arrives at.")],
    facts: Annotated[list[str] | None, typer.Argument(metavar="fact=value…", help="What is read of the message.")] = None,
    file: Annotated[str | None, typer.Option("--file", metavar="FILE", help="Answer from this document alone, not from what runs.")] = None,
    json: JsonOption = False,
    state: StateOption = None,
) -> None:
    """Say which member would take a message, and why.

    Which rule, pool and member, and why not the others.
    """
    application, slash, name = service.partition("/")
    if not slash or not application or not name or "/" in name:
        raise InputRefused(f"'{service}' names no service", hint="APP/SERVICE, as `gurney status` lists them")
    given = _facts(facts or [])
    if file is None:
        answer = client(state).explain(application, name, given)
        answer = answer.get("explanation", answer)
    else:
        from gurney.app.offline import explain_offline

        text, called = document(file)
        answer = dict(explain_offline(state_folder(state), text, called, folder_of(file), application, name, given))
    if json:
        terminal.data(answer)
    else:
        show(answer)


def _facts(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        fact, sign, value = word.partition("=")
        if not sign or not fact:
            raise InputRefused(f"'{word}' is no fact=value", hint="modality=MG calling_ae=CT1")
        if fact in found:
            raise InputRefused(f"'{fact}' is given twice")
        found[fact] = value
    return found


def show(answer: Mapping[str, Any]) -> None:
    """The explanation as a person reads it: every part that is there, nested ones indented."""
    _show(answer, "")


def _show(value: Mapping[str, Any], indent: str) -> None:
    for key, one in value.items():
        if key == "ok":
            continue
        if isinstance(one, Mapping) and one:
            terminal.line(f"{indent}{key}:")
            _show(one, indent + "  ")
        elif isinstance(one, list) and one:
            terminal.line(f"{indent}{key}:")
            for item in one:
                terminal.line(f"{indent}  - {_word(item)}")
        else:
            terminal.line(f"{indent}{key}: {_word(one)}")


def _word(value: object) -> str:
    if value is None or value in ({}, []):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_word(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_word(one) for one in value)
    return str(value)
