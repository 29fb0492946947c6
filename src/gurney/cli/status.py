"""The one place for `gurney status`: how it goes, as tables for a person and as JSON for a program."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gurney.cli import terminal
from gurney.cli.options import JsonOption, StateOption, client, state_folder
from gurney.cli.times import clock, rate, size
from gurney.errors import GurneyError, NotRunning

WATCH_SECONDS = 1.0


def status(
    json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every second, until Ctrl-C.")] = False,
    state: StateOption = None,
) -> None:
    """Show how it goes.

    Applications, services, pools, members in three words (configured, override, operational), sessions, rates, conditions.
    """
    asked = client(state)
    if not watch:
        try:
            _show(asked.status(), json)
        except NotRunning as error:
            raise _what_goes_on(error, state_folder(state)) from error
        return
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            answer = asked.status()
            if terminal.coloured(sys.stdout) and not json:
                sys.stdout.write("\x1b[H\x1b[2J")
            _show(answer, json)
            time.sleep(WATCH_SECONDS)


def _what_goes_on(error: NotRunning, folder: Path) -> NotRunning:
    """Without a control process traffic goes on: the guard says what."""
    from gurney.guard.client import Guard

    try:
        kept = Guard(folder).list()
    except GurneyError:
        return error
    words = ", ".join(f"{one['name']} {one['state']}, pid {one['pid']}" for one in kept) or "nothing"
    return NotRunning(f"{error.message}; without it the guard keeps alive: {words}", hint=error.hint)


def _show(answer: dict[str, Any], json: bool) -> None:
    if json:
        terminal.data(answer)
    else:
        show(answer)


def show(answer: Mapping[str, Any]) -> None:
    """The status as tables."""
    revision = answer.get("revision")
    head = f"revision {revision['revision']}" if revision else "no revision"
    if answer.get("node"):
        head += f" on node {answer['node']}"
    terminal.line(head)
    for name, application in answer["applications"].items():
        terminal.line()
        terminal.line(f"application {name}: {engines_in_words(application)}")
        terminal.table(
            "services", SERVICE_HEADS, [service_row(key, one) for key, one in application["services"].items()], right=(3, 4, 5, 6)
        )
        outcomes(application["services"])
        for pool, one in application["pools"].items():
            members(pool, one)
        figures(application)
    if answer["conditions"]:
        terminal.line()
        rows = [(one["since"], one["code"], one["object"], one["reason"]) for one in answer["conditions"]]
        terminal.table("conditions", ("since", "code", "object", "reason"), rows)
    else:
        terminal.line()
        terminal.line("no conditions")


SERVICE_HEADS = ("service", "listens on", "state", "sessions", "objects/s", "MB/s", "objects")
MEMBER_HEADS = ("member", "address", "configured", "override", "operational", "slots", "in flight", "queued", "objects", "why")


def service_row(name: str, service: Mapping[str, Any]) -> tuple[object, ...]:
    """One service: what it is called, where, whether it accepts, sessions and rates."""
    megabytes = service.get("bytes_per_second")
    return (
        name,
        " ".join(service["listen"]),
        "accepting" if service.get("accepting") else "closed",
        service.get("associations", "-"),
        rate(service.get("objects_per_second")),
        rate(megabytes / 1e6 if isinstance(megabytes, (int, float)) else None),
        service.get("objects_total", "-"),
    )


WIDE = 140  # columns; on a narrower terminal the reasons stand below the table


def members(pool: str, state: Mapping[str, Any]) -> None:
    """The members of one pool."""
    rows = [member_row(name, member) for name, member in state["members"].items()]
    title = f"pool {pool} ({state.get('balance', '')})"
    if terminal.width() >= WIDE:
        terminal.table(title, MEMBER_HEADS, rows, right=(5, 6, 7, 8))
        return
    terminal.table(title, MEMBER_HEADS[:-1], [row[:-1] for row in rows], right=(5, 6, 7, 8), wrap=(1,))
    for row in rows:
        if row[-1]:
            terminal.line(f"  {row[0]}: {row[-1]}")


def member_row(name: str, member: Mapping[str, Any]) -> tuple[object, ...]:
    """One member: its three words, slots in use of its cap, bytes in flight, what waits, and why."""
    override = member["override"] or "none"
    if member.get("override_until"):
        override += f" until {clock(member['override_until'])}"
    why = member["why"] or ""
    if member.get("override_why"):
        why = f"{why} ({member['override_why']})" if why else str(member["override_why"])
    return (
        name,
        member.get("address", ""),
        member["configured"],
        override,
        member["operational"],
        f"{member.get('associations', '-')}/{member.get('cap', '-')}",
        size(member.get("in_flight_bytes")),
        member.get("queued", "-"),
        member.get("objects_total", "-"),
        why,
    )


def engines_in_words(application: Mapping[str, Any]) -> str:
    """Whether each engine has confirmed, with its pid."""
    words = []
    for name, engine in application["engines"].items():
        state = "confirmed" if engine["confirmed"] else engine.get("why") or "has not confirmed"
        words.append(f"{name} {state}" + (f", pid {engine['pid']}" if engine.get("pid") else ""))
    return "; ".join(words) or "nothing runs"


def outcomes(services: Mapping[str, Any]) -> None:
    """What became of the objects, in words, and which refusals were sent."""
    for name, service in services.items():
        words = [f"{count} {word}" for word, count in service.get("outcomes", {}).items() if count]
        refused = [f"{count} × {reason}" for reason, count in service.get("rejects", {}).items() if count]
        if words:
            terminal.line(f"  {name}: {', '.join(words)}")
        if refused:
            terminal.line(f"  {name}: associations refused: {', '.join(refused)}")


def figures(application: Mapping[str, Any]) -> None:
    """Replay memory, pins, split studies."""
    words = []
    if "replay_bytes" in application:
        words.append(f"replay memory {size(application['replay_bytes'])}")
    if "pins" in application:
        words.append(f"pinned studies {application['pins']}")
    if "split_studies" in application:
        words.append(f"split studies {application['split_studies']}")
    if words:
        terminal.line("  " + ", ".join(words))
