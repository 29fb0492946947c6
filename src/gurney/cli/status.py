"""The one place for `gurney status`: how it goes, as tables for a person and as JSON for a program."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
        services(application["services"])
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


@dataclass(frozen=True, slots=True)
class Counted:
    """What services and members of some engines are counted in: the word for it, and the keys of the status that hold its numbers.

    `held` is what is open now, of `most`; a member is shown `extra` beside it.
    """

    word: str
    total: str
    rate: str
    held: str
    most: str
    extra: tuple[tuple[str, str], ...]


COUNTED = (
    Counted("objects", "objects_total", "objects_per_second", "associations", "cap", (("in flight", "in_flight_bytes"),)),
    Counted("requests", "requests_total", "requests_per_second", "sessions", "cap", (("failures", "failures_total"),)),
)
"""In the order in which they are looked for: the first whose total a service or member has is the one it is counted in."""

SIZES = frozenset({"in_flight_bytes"})


def counted(states: Iterable[Mapping[str, Any]]) -> Counted:
    """What these services or members are counted in."""
    known = list(states)
    return next((one for one in COUNTED if any(one.total in state or one.held in state for state in known)), COUNTED[0])


def services(states: Mapping[str, Mapping[str, Any]]) -> None:
    """A table for each way services are counted."""
    for kind in COUNTED:
        rows = [service_row(name, one, kind) for name, one in states.items() if counted([one]) is kind]
        heads = ("service", "listens on", "state", "sessions", f"{kind.word}/s", "MB/s", kind.word)
        terminal.table("services", heads, rows, right=(3, 4, 5, 6))


def service_row(name: str, service: Mapping[str, Any], kind: Counted) -> tuple[object, ...]:
    """One service: what it is called, where, whether it accepts, sessions and rates."""
    megabytes = service.get("bytes_per_second")
    return (
        name,
        " ".join(service["listen"]),
        "accepting" if service.get("accepting") else "closed",
        service.get(kind.held, "-"),
        rate(service.get(kind.rate)),
        rate(megabytes / 1e6 if isinstance(megabytes, (int, float)) else None),
        service.get(kind.total, "-"),
    )


WIDE = 140  # columns; on a narrower terminal the reasons stand below the table


def members(pool: str, state: Mapping[str, Any]) -> None:
    """The members of one pool."""
    kind = counted(state["members"].values())
    heads = ("member", "address", "configured", "override", "operational", "slots", *(head for head, _ in kind.extra), "queued", kind.word)
    rows = [member_row(name, member, kind) for name, member in state["members"].items()]
    title = f"pool {pool} ({state.get('balance', '')})"
    numbers = tuple(range(5, len(heads)))
    if terminal.width() >= WIDE:
        terminal.table(title, (*heads, "why"), rows, right=numbers)
        return
    terminal.table(title, heads, [row[:-1] for row in rows], right=numbers, wrap=(1,))
    for row in rows:
        if row[-1]:
            terminal.line(f"  {row[0]}: {row[-1]}")


def member_row(name: str, member: Mapping[str, Any], kind: Counted) -> tuple[object, ...]:
    """One member: its three words, slots in use of its cap, what else its kind counts, what waits, and why."""
    override = member["override"] or "none"
    if member.get("override_until"):
        override += f" until {clock(member['override_until'])}"
    why = member["why"] or ""
    if member.get("override_why"):
        why = f"{why} ({member['override_why']})" if why else str(member["override_why"])
    most = member.get(kind.most)
    return (
        name,
        member.get("address", ""),
        member["configured"],
        override,
        member["operational"],
        f"{member.get(kind.held, '-')}/{'-' if most is None else most}",
        *(size(member.get(key)) if key in SIZES else member.get(key, "-") for _, key in kind.extra),
        member.get("queued", "-"),
        member.get(kind.total, "-"),
        why,
    )


def engines_in_words(application: Mapping[str, Any]) -> str:
    """Whether each engine has confirmed, with its pid."""
    words = []
    for name, engine in application["engines"].items():
        state = "confirmed" if engine["confirmed"] else engine.get("why") or "has not confirmed"
        words.append(f"{name} {state}" + (f", pid {engine['pid']}" if engine.get("pid") else "") + _left_behind(engine))
    return "; ".join(words) or "nothing runs"


def _left_behind(engine: Mapping[str, Any]) -> str:
    """Processes of before a reload that still carry sessions."""
    old = (engine.get("workers") or {}).get("old") or []
    if not old:
        return ""
    sessions = sum(one.get("sessions") or 0 for one in old)
    return f", {len(old)} of before with {sessions} session{'s' if sessions != 1 else ''}"


def outcomes(services: Mapping[str, Any]) -> None:
    """What became of the objects, in words, and which refusals were sent."""
    for name, service in services.items():
        words = [f"{count} {word}" for word, count in (service.get("outcomes") or {}).items() if count]
        refused = [f"{count} × {reason}" for reason, count in (service.get("rejects") or {}).items() if count]
        answers = [f"{count} × {status}" for status, count in (service.get("answers") or {}).items() if count]
        if words:
            terminal.line(f"  {name}: {', '.join(words)}")
        if answers:
            terminal.line(f"  {name}: answered {', '.join(answers)}")
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
