"""The one place for how a plan, or what an apply did, looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gurney.cli import terminal
from gurney.cli.main import fault_text


def show(answer: Mapping[str, Any], *, done: bool = False) -> None:
    """The steps on stdout; the document's warnings, and what engines said meanwhile, on stderr."""
    for fault in answer.get("warnings", ()):
        terminal.talk(fault_text(fault))
    for text in answer.get("said", ()):
        terminal.talk(text)
    if not done:
        grants(answer)
    steps = answer["steps"]
    if not steps:
        terminal.line(_nothing(answer, done))
    for number, step in enumerate(steps, 1):
        terminal.block(f"{number}. {step['text']}")
    if steps and not done:
        terminal.line(_cuts(steps))
    if done and answer.get("changed") and answer.get("revision") is not None:
        terminal.line(f"revision {answer['revision']} is served")
    if answer.get("pending_until"):
        terminal.line(f"undone at {answer['pending_until']} unless confirmed: gurney confirm")


def _cuts(steps: Sequence[Mapping[str, Any]]) -> str:
    cut = sum(step["cuts"] for step in steps)
    return f"{cut} session{'s' if cut != 1 else ''} would be cut" if cut else "no session would be cut"


def grants(answer: Mapping[str, Any]) -> None:
    """Which limits each engine was granted, and why."""
    for one in answer.get("granted", ()):
        terminal.line(f"{one['application']}: {one['engine']}: {one['text']}")


def _nothing(answer: Mapping[str, Any], done: bool) -> str:
    if done and answer.get("changed"):
        return "no engine has anything to change"
    return "nothing to do: this is what is served"
