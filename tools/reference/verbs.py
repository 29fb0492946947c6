"""The page about the verbs, read off the command line's own tree of commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from gurney.cli.main import command
from tools.reference.table import code, page, table


def commands() -> dict[str, Any]:
    """Every verb a person types by its whole name (`blueprint test`), in the order of `gurney --help`; hidden ones are left out."""
    return dict(_walk(get_command(command([])), ""))


def _walk(here: Any, name: str) -> Iterator[tuple[str, Any]]:
    children = getattr(here, "commands", {})
    if name and not children:
        yield name, here
    for child, inner in children.items():
        if not inner.hidden:
            yield from _walk(inner, f"{name} {child}".strip())


def verbs() -> str:
    """Every verb with its arguments and options."""
    parts = []
    for name, verb in commands().items():
        usage = " ".join(["gurney", name, *(_argument(item) for item in verb.params if item.param_type_name == "argument")])
        rows = [(_option(item), item.help or "–") for item in verb.params if item.param_type_name == "option" and not item.hidden]
        parts += [f"## {name}", f"```text\n{usage}\n```", " ".join((verb.help or "").split())]
        if rows:
            parts.append(table(("option", "meaning"), rows))
    return page(
        "Verbs",
        "`gurney/cli/`",
        "stdout is data, stderr is talk. Exit status: 0 good, 1 failed, 2 bad input. Every verb takes `--state DIR` (default `$GURNEY_STATE`, for root "
        "`/var/lib/gurney`, else the XDG state folder).",
        *parts,
    )


def _argument(item: Any) -> str:
    name = str(item.metavar or item.name.upper()) + ("..." if item.nargs == -1 else "")
    return name if item.required else f"[{name.strip('[]')}]"


def _option(item: Any) -> str:
    names = ", ".join([*item.opts, *item.secondary_opts])
    return code(names if item.is_flag else f"{names} {item.metavar or item.name.upper()}")
