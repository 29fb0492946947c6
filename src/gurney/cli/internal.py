"""The one place for the verbs Gurney types itself: the two processes that the guard and control start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def route(folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="The application's folder.")]) -> None:
    """Carry one application's traffic (the guard starts this)."""
    from gurney.app.route import main

    raise typer.Exit(main(folder))


def guard(state: Annotated[Path, typer.Option("--state", metavar="DIR", help="The state folder.")]) -> None:
    """Keep processes and listeners alive (`gurney up` starts this)."""
    from gurney.app.guard import main

    raise typer.Exit(main(state))
