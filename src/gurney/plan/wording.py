"""The one place for how a step is said to a person, and for what it cuts, which is part of saying it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gurney.plan import shown
from gurney.plan.difference import Difference, differences
from gurney.plan.steps import Listener, Process, changed

REASONS = 2  # differences named as the reason of a reload; the rest is counted


@dataclass(frozen=True, slots=True)
class Said:
    """A step in words, and how many sessions end by it."""

    text: str
    cuts: int = 0


def start(wanted: Process) -> str:
    """`start a route process listening on *:11112`."""
    return f"start {shown.some(wanted.program)} listening on {_names(wanted.listeners)}"


def bind(new: tuple[Listener, ...]) -> str:
    """`listen on *:104`."""
    return f"listen on {_names(new)}"


def unbind(out: tuple[Listener, ...]) -> str:
    """`stop listening on *:104`."""
    return f"stop listening on {_names(out)}"


def gap(names: tuple[str, ...]) -> str:
    """What a step that must let go of an address before another can have it says."""
    return f"; nobody listens on {shown.names(names)} until the next steps take {'it' if len(names) == 1 else 'them'} over"


def stop(there: Process, sessions: Mapping[str, int]) -> Said:
    """Everything that is open ends."""
    cuts = sum(count for name, count in sessions.items() if "/" not in name)
    text = f"stop {shown.the(there.program)}"
    return Said(f"{text}; {shown.count(cuts, 'session')} end within 10 s" if cuts else text, cuts)


def load(before: Process, after: Process, sessions: Mapping[str, int]) -> Said:
    """A configuration is loaded: between objects, by a run-time change, or by a reload that leaves a process of before behind."""
    if after.shape is None:
        return _between_objects(before, after, sessions)
    same = before.application is not None and before.shape == after.shape and set(before.listeners) == set(after.listeners)
    return _at_run_time(before, after, sessions) if same else _reload(before, after, sessions)


def _between_objects(before: Process, after: Process, sessions: Mapping[str, int]) -> Said:
    there, then = before.application, after.application
    gone = [] if there is None or then is None else [name for name in there.services if name not in then.services]
    cuts = sum(sessions.get(service, 0) for service in gone)
    text = "load the new route table between objects" if changed(before, after) else "load the route table again"
    return Said(f"{text}; {shown.count(cuts, 'session')} of {shown.names(gone)} end" if cuts else text, cuts)


def _at_run_time(before: Process, after: Process, sessions: Mapping[str, int]) -> Said:
    members, others = _apart(before, after)
    pools = Counter(pool for pool, _ in members)
    words = [f"{shown.count(count, 'member')} of {pool}" for pool, count in pools.items()]
    if others:
        words.append(shown.count(len(others), "further value" if words else "value"))
    text = f"change {shown.names(words)}" if words else "take up anew what the files it names hold"
    text += f" while {shown.the(after.program)} runs"
    removed = [f"{pool}/{name}" for pool, name in members if not _has(after, pool, name)]
    staying = sum(sessions.get(one, 0) for one in removed)
    return Said(f"{text}; {shown.count(staying, 'session')} of {shown.names(removed)} stay until they end" if staying else text)


def _reload(before: Process, after: Process, sessions: Mapping[str, int]) -> Said:
    text = f"reload {shown.the(after.program)} without a pause: {_why(before, after)}"
    staying = sum(count for name, count in sessions.items() if "/" not in name)
    return Said(f"{text}; {shown.count(staying, 'session')} stay with the process of before until they end" if staying else text)


def _why(before: Process, after: Process) -> str:
    if before.application is None:
        return "nobody can tell what it serves"
    _, others = _apart(before, after)
    named = others or changed(before, after)
    words = [change.path.split(".", 2)[-1] for change in named[:REASONS]]
    if not words:
        return "its configuration is made differently now"
    more = len(named) - REASONS
    return shown.names([*words, f"{more} more"] if more > 0 else words)


def _apart(before: Process, after: Process) -> tuple[tuple[tuple[str, str], ...], tuple[Difference, ...]]:
    """(pool, member) of each member that comes, goes or changes in a pool that stays, and the differences beside those."""
    old, new = before.application, after.application
    if old is None or new is None:
        return (), ()
    found: list[tuple[str, str]] = []
    pools = dict(old.proxied_pools)
    for name, pool in old.proxied_pools.items():
        then = new.proxied_pools.get(name)
        if then is not None:
            names = dict.fromkeys((*pool.members, *then.members))
            found += [(name, member) for member in names if pool.members.get(member) != then.members.get(member)]
            pools[name] = replace(pool, members=then.members)
    return tuple(found), differences(replace(old, proxied_pools=pools), new)


def _has(after: Process, pool: str, name: str) -> bool:
    there = after.application.proxied_pools.get(pool) if after.application is not None else None
    return there is not None and name in there.members


def _names(listeners: tuple[Listener, ...]) -> str:
    return shown.names([listener[0] for listener in listeners])
