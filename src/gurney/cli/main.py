"""The one place for the `gurney` command: the list of verbs, and what an error looks like and exits with.

A verb is added with one function in one file and one line here. Only the file of the verb that was typed is imported.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gurney.cli import terminal
from gurney.errors import DocumentRefused, GurneyError

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: its name, and the function of `gurney.cli.<file>` that does it. Hidden ones are typed by Gurney itself."""

    name: str
    file: str
    function: str
    hidden: bool = False


VERBS: tuple[Verb, ...] = (
    Verb("new", "blueprints", "new"),
    Verb("check", "documents", "check"),
    Verb("schema", "documents", "schema"),
    Verb("plan", "documents", "plan"),
    Verb("up", "running", "up"),
    Verb("down", "running", "down"),
    Verb("apply", "changes", "apply"),
    Verb("confirm", "changes", "confirm"),
    Verb("undo", "changes", "undo"),
    Verb("revisions", "changes", "revisions"),
    Verb("status", "status", "status"),
    Verb("drain", "overrides", "drain"),
    Verb("disable", "overrides", "disable"),
    Verb("enable", "overrides", "enable"),
    Verb("explain", "explain", "explain"),
    Verb("doctor", "doctor", "doctor"),
    Verb("demo", "demo", "demo"),
    Verb("blueprint", "blueprints", "blueprint"),
    Verb("route", "internal", "route", hidden=True),
    Verb("guard", "internal", "guard", hidden=True),
)

INTERNAL = {"route": "--dir", "guard": "--state"}
"""Verbs Gurney types itself, exactly so: they start without the command line's library, 100 ms and 20 MB earlier."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was typed; returns the exit status: 0 good, 1 failed, 2 bad input."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if len(arguments) == 3 and arguments[0] in INTERNAL and arguments[1] == INTERNAL[arguments[0]]:
            return process(arguments[0], Path(arguments[2]))
        command(arguments)(args=arguments, prog_name="gurney")
    except DocumentRefused as error:
        for fault in error.faults:
            terminal.talk(fault_text(fault))
        terminal.talk(f"{error.message}; nothing changed")
        return error.exit_status
    except GurneyError as error:
        terminal.complain(error.message, error.hint)
        return error.exit_status
    except BrokenPipeError:
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def process(name: str, folder: Path) -> int:
    """Be the process that the guard (`route`) or control (`guard`) started."""
    module = importlib.import_module(f"gurney.app.{name}")
    status: int = module.main(folder)
    return status


def command(arguments: Sequence[str]) -> typer.Typer:
    """The command line with the verb that was typed, or with all of them when none of them was (help, a typing error)."""
    import typer

    app = typer.Typer(
        name="gurney",
        help="A load balancer for healthcare IT that reads the clinical protocols it carries.",
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_callback())
    typed = [verb for verb in VERBS if arguments and verb.name == arguments[0]]
    for verb in typed or VERBS:
        function = getattr(importlib.import_module(f"gurney.cli.{verb.file}"), verb.function)
        app.command(verb.name, hidden=verb.hidden)(function)
    return app


def fault_text(fault: dict[str, object]) -> str:
    """A fault as `check` prints it."""
    head = f"{fault['file']}:{fault['line']}:{fault['column']}: {fault['severity']} {fault['code']}: {fault['message']}"
    return f"{head}\n  hint: {fault['hint']}" if fault.get("hint") else head


def _callback() -> Callable[..., None]:
    import typer

    def shown(wanted: bool) -> None:
        if wanted:
            from gurney import __version__

            terminal.line(f"gurney {__version__}")
            raise typer.Exit

    def callback(version: bool = typer.Option(False, "--version", callback=shown, is_eager=True, help="Print the version.")) -> None:
        pass

    return callback
