"""The one place for how values of the document look in a plan: as an operator would write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gurney.config.addresses import spell_target
from gurney.config.document import Listen, Member, Peer, Rule
from gurney.config.proxied import ProxyMember

NOTHING = "none"
_TIMES = (("h", 3_600_000), ("m", 60_000), ("s", 1_000))
_SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def plain(value: object) -> str:
    """A word, a number or a list of them; an absent one is `none`."""
    if value is None or value in ((), ""):
        return NOTHING
    if isinstance(value, tuple):
        return ", ".join(plain(item) for item in value)
    return str(value)


def duration(milliseconds: int | None) -> str:
    """1500 → `1500ms`, 2000 → `2s`; an absent one is `none`."""
    if milliseconds is None:
        return NOTHING
    for unit, size in _TIMES:
        if milliseconds % size == 0 and milliseconds:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def size(count: int | None) -> str:
    """67108864 → `64MiB`."""
    if count is None:
        return NOTHING
    for unit, factor in _SIZES:
        if count % factor == 0 and count:
            return f"{count // factor}{unit}"
    return str(count)


def listen(given: Listen) -> str:
    """`*:11112`, `10.0.0.2:104`, `[2001:db8::2]:104`."""
    return spell_target(given.host or "*", given.port)


def member(given: Member) -> str:
    """`ARCHIVE1@10.0.0.11:104`."""
    where = spell_target(given.host, given.port)
    return where if given.ae_title is None else f"{given.ae_title}@{where}"


def address(given: ProxyMember) -> str:
    """`10.0.2.1:8080`, `[2001:db8::1]:8080`."""
    return spell_target(given.host, given.port)


def peer(given: Peer) -> str:
    """`MR*@10.0.3.0/24`, or only the part that was written."""
    if given.network is None:
        return given.name
    return given.network if given.name == "*" else f"{given.name}@{given.network}"


def match(given: Mapping[str, Sequence[str]]) -> str:
    """`calling_ae CT1 and modality MG or CT`; what matches nothing in particular matches `everything`."""
    return " and ".join(f"{fact} {' or '.join(globs)}" for fact, globs in sorted(given.items())) or "everything"


def rule(given: Rule) -> str:
    """`modality MG → pool breast`."""
    return f"{match(given.match)} → pool {given.pool}"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 pool`, `2 pools`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def names(given: Sequence[str]) -> str:
    """`*:104`, `*:104 and *:105`, `*:104, *:105 and *:106`; nothing for none."""
    if len(given) < 2:
        return "".join(given) or "nothing"
    return f"{', '.join(given[:-1])} and {given[-1]}"


def the(program: str) -> str:
    """A program as a subject: `the route process`, `HAProxy`."""
    return program if program[:1].isupper() else f"the {program}"


def some(program: str) -> str:
    """One more of a program: `a route process`, `HAProxy`."""
    return program if program[:1].isupper() else f"a {program}"
