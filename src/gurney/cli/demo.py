"""The one place for `gurney demo`: the door to the small hospital."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gurney.cli.options import UnusedStateOption


def demo(
    check: Annotated[bool, typer.Option("--check", help="Run by itself, count, and end; so without a terminal.")] = False,
    state: UnusedStateOption = None,
) -> None:
    """Run a small hospital, to look at and to break."""
    from gurney.demo.run import main

    raise typer.Exit(main(check or not (sys.stdin.isatty() and sys.stdout.isatty())))
