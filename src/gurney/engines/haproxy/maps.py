"""The one place for map files at run time: comparing what HAProxy holds with the file, and replacing it whole, in one atomic step.

`prepare` makes a version nobody reads yet, `add` fills it by payload (no escaping there: a line is what it is), `commit` makes it the one
that is read and frees all before it; a version that was prepared and left is freed with the next commit. Tried on 2.8.25: the dump keeps
the order of the file. A list used by `-f` (an ACL) has the same verbs under another word, but no payload: its entries are said one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from gurney.engines.haproxy.commands import PAYLOAD_LIMIT, Command, Verb
from gurney.engines.haproxy.runtime import LOOK_SECONDS, Runtime
from gurney.errors import InputRefused

Entries = tuple[str, ...]
MAP, ACL = "map", "acl"
_SHOW = {MAP: Verb.SHOW_MAP, ACL: Verb.SHOW_ACL}
_PREPARE = {MAP: Verb.PREPARE_MAP, ACL: Verb.PREPARE_ACL}
_COMMIT = {MAP: Verb.COMMIT_MAP, ACL: Verb.COMMIT_ACL}
_LISTED = re.compile(r"-?[0-9]+ \(([^()]+)\) ")


def place(name: str) -> str:
    """How the configuration names a file of the bundle: the reference HAProxy knows it by."""
    return f"current/{name}"


def kinds(runtime: Runtime) -> dict[str, str]:
    """Which files HAProxy reads as maps, which as lists; a file that is both counts as a map."""
    found: dict[str, str] = {}
    for kind, verb in ((ACL, Verb.SHOW_ACLS), (MAP, Verb.SHOW_MAPS)):
        for line in runtime.ask(Command(verb), LOOK_SECONDS).splitlines():
            match = _LISTED.match(line)
            if match is not None:
                found[match[1]] = kind
    return found


def entries(text: str, kind: str) -> Entries:
    """The entries of a file as HAProxy takes them: comments and blank lines are none, of a map one space parts key and value."""
    found = []
    for line in text.split("\n"):
        entry = line.strip(" \t\r")
        if entry and not entry.startswith("#"):
            found.append(" ".join(entry.split(None, 1)) if kind == MAP else entry)
    return tuple(found)


def dumped(answer: str) -> Entries:
    """The entries of a dump: each line begins with an address of memory."""
    return tuple(line.partition(" ")[2].strip(" ") for line in answer.split("\n") if line.startswith("0x"))


def differing(
    runtime: Runtime, names: Iterable[str], files: Mapping[str, str], known: Mapping[str, str]
) -> dict[str, tuple[Entries, Entries]]:
    """Of these maps (names in the bundle) those that hold other entries than the file: (held, wanted). What it does not read is none."""
    asked = [name for name in names if place(name) in known]
    told = runtime.done((Command(_SHOW[known[place(name)]], (place(name),)) for name in asked), LOOK_SECONDS)
    found = {name: (dumped(answer), entries(files[name], known[place(name)])) for name, answer in zip(asked, told, strict=True)}
    return {name: (held, wanted) for name, (held, wanted) in found.items() if held != wanted}


def order(differ: Mapping[str, tuple[Entries, Entries]], known: Mapping[str, str]) -> list[tuple[str, Entries]]:
    """Which entries each map is to hold, one after another, so that a value that moves between lists is in one of them all the time.

    What lists gain comes first; one that gains and loses beside others holds both for a moment.
    """
    first, last = [], []
    lists = sum(known[place(name)] == ACL for name in differ)
    for name, (held, wanted) in differ.items():
        if known[place(name)] == MAP or lists == 1 or set(held) <= set(wanted):
            first.append((name, wanted))
            continue
        if not set(wanted) <= set(held):
            kept = set(wanted)
            first.append((name, (*wanted, *(entry for entry in held if entry not in kept))))
        last.append((name, wanted))
    return [*first, *last]


def replace(runtime: Runtime, name: str, wanted: Entries, kind: str) -> None:
    """The map holds exactly these entries; a request sees all of the old ones or all of the new ones. Raises `EngineRefused`.

    Raises `InputRefused` before anything is said when an entry cannot be said at run time.
    """
    _filling(wanted, kind, "1", place(name))
    answer = runtime.ask(Command(_PREPARE[kind], (place(name),)))
    version = answer.strip("\n").rpartition(" ")[2]
    runtime.done(_filling(wanted, kind, version, place(name)))
    runtime.ask(Command(_COMMIT[kind], (version, place(name))))


def _filling(lines: Sequence[str], kind: str, version: str, at: str) -> list[Command]:
    """The commands that fill a prepared version."""
    if kind == ACL:
        return [Command(Verb.ENTRY, (version, at, line)) for line in lines]
    return [Command(Verb.FILL_MAP, (version, at), part) for part in _parts(lines)]


def _parts(lines: Sequence[str]) -> Iterable[tuple[str, ...]]:
    part: list[str] = []
    size = 0
    for line in lines:
        length = len(line.encode()) + 1
        if length > PAYLOAD_LIMIT:
            raise InputRefused("an entry of a map is too long for the runtime socket")
        if part and size + length > PAYLOAD_LIMIT:
            yield tuple(part)
            part, size = [], 0
        part.append(line)
        size += length
    if part:
        yield tuple(part)
