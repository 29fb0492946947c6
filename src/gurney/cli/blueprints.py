"""The one place for blueprints: where they are found, and the verbs `new` and `blueprint`.

A blueprint is a folder: `gurney.yaml`, the commented document, and `cases.yaml`, what it promises. It is added with that folder alone.
They stand beside the package in an installed wheel, at the top of a source tree otherwise.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gurney.cli import terminal
from gurney.cli.options import JsonOption, UnusedStateOption
from gurney.errors import InputRefused, NotFound

if TYPE_CHECKING:
    from gurney.demo.trial import Result

DOCUMENT, CASES = "gurney.yaml", "cases.yaml"


def new(name: Annotated[str, typer.Argument(metavar="BLUEPRINT", help="Which one.")], state: UnusedStateOption = None) -> None:
    """Print a ready document from a blueprint.

    It asks nothing: change the addresses in it. `gurney blueprint list` says which blueprints there are.
    """
    terminal.block(text(name))


def blueprint(
    action: Annotated[str, typer.Argument(metavar="list|test", help="What to do.")],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which blueprint to test.")] = None,
    json: JsonOption = False,
    state: UnusedStateOption = None,
) -> None:
    """List the blueprints, or test one.

    A test runs the blueprint's document on loopback, under a real Gurney of its own, against simulated members, and tries what its cases
    promise: a line a case, exit status 1 when one is not as promised. It takes 10 to 20 s, on a busy machine a minute at most, and leaves
    nothing behind.
    """
    if action == "list":
        _list(json)
    elif action == "test":
        if name is None:
            raise InputRefused("which blueprint is to be tested?", hint=f"there are: {', '.join(names())}")
        raise typer.Exit(_test(name, json))
    else:
        raise InputRefused(f"there is no '{action}' of a blueprint", hint="gurney blueprint list, gurney blueprint test NAME")


def folder() -> Path:
    """The folder that holds one folder a blueprint. Raises `NotFound` when this installation has none."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "blueprints", package.parents[1] / "blueprints"):
        if candidate.is_dir():
            return candidate
    raise NotFound("this installation has no blueprints")


def names() -> list[str]:
    """Every blueprint, by name."""
    return sorted(entry.parent.name for entry in folder().glob(f"*/{DOCUMENT}"))


def place(name: str) -> Path:
    """The folder of a blueprint. Raises `NotFound`, which says which there are."""
    known = names()
    if name not in known:
        raise NotFound(f"there is no blueprint '{name}'", hint=f"there are: {', '.join(known)}")
    return folder() / name


def text(name: str) -> str:
    """The document of a blueprint. Raises `NotFound`."""
    return (place(name) / DOCUMENT).read_text(encoding="utf-8")


def about(name: str) -> str:
    """What a blueprint is for: the first line of its document."""
    return text(name).partition("\n")[0].lstrip("# ")


def _list(json: bool) -> None:
    if json:
        terminal.data([{"name": name, "about": about(name)} for name in names()])
        return
    width = max(len(name) for name in names())
    for name in names():
        terminal.line(f"{name.ljust(width)}  {about(name)}")


def _test(name: str, json: bool) -> int:
    """Runs the cases; the exit status."""
    from gurney.demo import cases
    from gurney.demo.interruption import Stopped, stoppable
    from gurney.demo.trial import Trial

    promised = cases.read((place(name) / CASES).read_text(encoding="utf-8"), f"{name}/{CASES}")
    results: list[Result] = []

    def say(result: Result) -> None:
        results.append(result)
        if not json:
            terminal.line(_in_words(result))

    began = time.monotonic()
    terminal.talk(f"{name}: starting Gurney and simulated members on loopback")
    try:
        with stoppable(), Trial(text(name), f"{name}/{DOCUMENT}") as trial:
            good = trial.run(promised, say)
    except (KeyboardInterrupt, Stopped):
        return 1
    if json:
        terminal.data({"blueprint": name, "good": good, "cases": [one.as_json() for one in results]})
    kept = sum(one.why is None for one in results)
    terminal.talk(f"{name}: {kept} of {len(results)} cases as promised, in {time.monotonic() - began:.0f} s")
    return 0 if good else 1


def _in_words(result: Result) -> str:
    """One case on one line: whether it is as promised, the answers, who gave them."""
    answers = ", ".join(f"{count} × {word}" for word, count in result.answers.items())
    members = ", ".join(f"{name} {count}" for name, count in result.members.items())
    words = [f"{'ok' if result.why is None else 'FAILED':6}  {result.case}", f"sent {result.sent}", answers, members, result.why or ""]
    return ": ".join((words[0], "; ".join(word for word in words[1:] if word)))
