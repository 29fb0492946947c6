"""The one place for the verbs that lay a temporary word over members: drain, disable, enable."""

from __future__ import annotations

from gurney.cli import terminal
from gurney.cli.options import ForOption, JsonOption, MemberArgument, StateOption, WhyOption, client, seconds


def drain(
    member: MemberArgument, duration: ForOption = None, why: WhyOption = None, json: JsonOption = False, state: StateOption = None
) -> None:
    """Give members nothing new.

    Studies that have begun there end there.
    """
    _say(client(state).override(member, "drain", seconds=seconds(duration, "--for"), why=why), json)


def disable(
    member: MemberArgument, duration: ForOption = None, why: WhyOption = None, json: JsonOption = False, state: StateOption = None
) -> None:
    """Give members nothing at all.

    Their studies go on elsewhere.
    """
    _say(client(state).override(member, "disable", seconds=seconds(duration, "--for"), why=why), json)


def enable(member: MemberArgument, json: JsonOption = False, state: StateOption = None) -> None:
    """Take the overrides off members."""
    answer = client(state).lift(member)
    if json:
        terminal.data(answer)
        return
    for name in answer["objects"]:
        terminal.line(f"{name}: {'no override any more' if name in answer['lifted'] else 'had no override'}")


def _say(answer: dict[str, object], json: bool) -> None:
    if json:
        terminal.data(answer)
        return
    objects = answer["objects"]
    for name in objects if isinstance(objects, list) else []:
        terminal.line(f"{name}: {answer['word']}" + (f" until {answer['until']}" if answer["until"] else ""))
