"""The one place for a change at run time: what runs becomes what the bundle says, without a new process.

It works from observation alone: whatever was done before (by half, by hand, twice) is looked at, and only the difference is said. What
comes goes before what goes (make before break): certificates, maps (the checks of members to come read them), members added, weights and
limits, members taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gurney.compile.haproxy.bundle import Bundle
from gurney.engines.haproxy import certificates, maps, servers
from gurney.engines.haproxy.commands import Command, Verb, batches
from gurney.engines.haproxy.running import Running
from gurney.engines.haproxy.runtime import Runtime, refused
from gurney.engines.haproxy.servers import Difference
from gurney.errors import EngineRefused, InputRefused

REAPED_A_LOOK = 64  # each `del server` holds every thread for a moment
_TOGETHER = 16
_DELETED = "Server deleted."


class ReloadNeeded(EngineRefused):
    """The runtime socket cannot do this; a reload can. Nothing was harmed."""


def apply_changes(
    folder: Path, wanted: Bundle, hit: Callable[[str], object] = lambda point: None, *, before: Bundle | None = None
) -> tuple[str, ...]:
    """What runs becomes `wanted`; what was done, in words. `folder`: HAProxy's working folder, where `wanted` is published.

    `hit` is told of the crash point `runtime.said` after each group of commands. `before`: the bundle served until now, so that a member
    that goes may come back while it still has connections, and a certificate is swapped of which the chain alone is another. Raises
    `ReloadNeeded` when it cannot be done at run time, `EngineRefused` when HAProxy refuses, `NotRunning`.
    """
    runtime = Runtime(folder)
    running = runtime.look()
    if running.shape != wanted.shape:
        raise ReloadNeeded("HAProxy serves another shape than the one that is to be changed")
    found = servers.differences(running, wanted, before)
    for one in found:
        if not one.commands:
            raise ReloadNeeded(f"{one.text}: only a reload mends that")
    done = [*_certificates(runtime, folder, wanted, before, hit), *_maps(runtime, wanted, hit)]
    done += _servers(runtime, [one for one in found if one.order <= servers.SET], hit)
    done += _servers(runtime, [one for one in found if one.order > servers.SET], hit)
    _forget(runtime, [one.server for one in found if one.server is not None])
    if any(one.order == servers.REMOVE for one in found) or servers.leaving(running, wanted):
        reap(runtime, runtime.look(), wanted)
    return tuple(dict.fromkeys(done))  # a pool's panic twin says the same once more


def reap(runtime: Runtime, running: Running, bundle: Bundle) -> tuple[servers.Leaving, ...]:
    """Delete what has left and has no connection any more; what is still leaving.

    A kept connection that became idle after the maintenance began is closed by going through `drain` to maintenance again; the next look
    deletes. Left alone it takes HAProxy some 15 s.
    """
    gone = servers.leaving(running, bundle)
    still: list[servers.Leaving] = []
    for start in range(0, min(len(gone), REAPED_A_LOOK), _TOGETHER):
        group = gone[start : start + _TOGETHER]
        told = runtime.say(*(servers.reap(one) for one in group))
        still += [one for one, answer in zip(group, told, strict=True) if answer.strip("\n") != _DELETED]
    idle = [command for one in still if not one.sessions for command in servers.flush(one)]
    for batch in batches(idle):
        runtime.say(*batch)
    return (*still, *gone[REAPED_A_LOOK:])


def _certificates(runtime: Runtime, folder: Path, wanted: Bundle, before: Bundle | None, hit: Callable[[str], object]) -> Iterable[str]:
    """What HAProxy holds otherwise, and what is another file now: of the certificates above one it does not tell which they are."""
    given = before.materials if before is not None else wanted.materials
    changed = (name for name in wanted.swappable if given.get(name) != wanted.materials[name])
    for name in dict.fromkeys((*certificates.differing(runtime, folder, wanted.swappable), *changed)):
        try:
            kind = certificates.swap(runtime, folder, name)
        except InputRefused as error:
            raise ReloadNeeded(f"{name} cannot be swapped at run time: {error.message}") from error
        hit("runtime.said")
        yield f"{kind} {name} swapped"


def _maps(runtime: Runtime, wanted: Bundle, hit: Callable[[str], object]) -> Iterable[str]:
    if not wanted.maps:
        return
    known = maps.kinds(runtime)
    differ = maps.differing(runtime, wanted.maps, wanted.files, known)
    for name, entries in maps.order(differ, known):
        try:
            maps.replace(runtime, name, entries, known[maps.place(name)])
        except InputRefused as error:
            raise ReloadNeeded(f"{name} cannot be changed at run time: {error.message}") from error
        hit("runtime.said")
    for name, (_, entries) in differ.items():
        yield f"{name} replaced ({len(entries)} {'entry' if len(entries) == 1 else 'entries'})"


def _servers(runtime: Runtime, found: Sequence[Difference], hit: Callable[[str], object]) -> list[str]:
    for one in found:
        if one.replaces:
            told = runtime.say(one.commands[0])
            if told[0].strip("\n") != _DELETED:
                raise ReloadNeeded(f"{one.text} and still has connections: {refused(told)}")
            runtime.done(one.commands[1:])
            hit("runtime.said")
    for group in batches([command for one in found if not one.replaces for command in one.commands]):
        runtime.done(group)
        hit("runtime.said")
    return [one.done for one in found if one.done]


def _forget(runtime: Runtime, out: Sequence[tuple[str, str, str]]) -> None:
    """Clear the stick entries of members that were taken out (http.md §8), where their backend has a table of its own."""
    if not out:
        return
    tables = {line.split()[2].rstrip(",") for line in runtime.ask(Command(Verb.SHOW_TABLES)).splitlines() if line.startswith("# table: ")}
    for backend, _, number in out:
        if backend in tables and number.isdigit():
            runtime.say(Command(Verb.FORGET, (backend, number)))
