"""The one place for a blueprint's cases: what `cases.yaml` may say, as typed data.

```text
cases:
  - case: a member dies while requests come      # what is promised, in words
    first: {kill: portal/portal-1}               # kill | drain | disable: POOL/MEMBER, globs allowed; done and seen before anything is sent
    send: {to: portal/web, count: 20}            # APP/SERVICE, how many, from: addresses; the rest is the protocol's (see `senders`)
    halfway: {kill: portal/portal-2}             # the same acts, done once half is sent, without waiting for anybody to notice
    expect: {answer: 200, pool: portal, members: 2, arrives: {x-forwarded-for: 10.8.0.1}}
```
`answer` is what each must get: a status of HTTP or of DICOM, `answered`, `refused` … . `members` are those that answered (POOL/MEMBER, each
at least once), or how many; `pool` is theirs. `arrives` is what the member must have received (headers, of HTTP).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from gurney.errors import InputRefused

ACTS = ("kill", "drain", "disable")
COUNT = 10
MOST = 200  # of one case: a test of a blueprint is short
KEYS = frozenset({"case", "first", "send", "halfway", "expect"})
EXPECT_KEYS = frozenset({"answer", "pool", "members", "arrives"})


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to members: `word` is one of ACTS, `members` a glob over POOL/MEMBER."""

    word: str
    members: str


@dataclass(frozen=True, slots=True)
class Expect:
    """What must be true of a case's answers; None is not asked."""

    answer: str
    pool: str | None
    members: frozenset[str] | int | None
    arrives: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `more` are the words of `send` that belong to the protocol."""

    name: str
    application: str
    service: str
    count: int
    sources: tuple[str, ...]
    more: Mapping[str, Any]
    first: tuple[Act, ...]
    halfway: tuple[Act, ...]
    expect: Expect


def read(text: str, file: str) -> tuple[Case, ...]:
    """The cases of a file. Raises `InputRefused` naming the case and what is wrong with it."""
    try:
        tree = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as e:
        raise InputRefused(f"{file}: {e}") from e
    if not isinstance(tree, dict) or set(tree) != {"cases"} or not isinstance(tree["cases"], list) or not tree["cases"]:
        raise InputRefused(f"{file}: it begins with `cases:` and has a list of them")
    found = []
    for number, one in enumerate(tree["cases"], 1):
        try:
            found.append(_case(one))
        except (KeyError, TypeError, ValueError) as e:
            raise InputRefused(f"{file}: case {number}: {e.args[0] if e.args else e}") from e
    return tuple(found)


def _case(given: Mapping[str, Any]) -> Case:
    _known(given, KEYS)
    send = dict(given["send"])
    application, _, service = send.pop("to").partition("/")
    count = int(send.pop("count", COUNT))
    if not 1 <= count <= MOST:
        raise ValueError(f"count is 1 to {MOST}")
    sources = _list(send.pop("from", []))
    expect = given["expect"]
    _known(expect, EXPECT_KEYS)
    return Case(
        name=given["case"],
        application=application,
        service=service,
        count=count,
        sources=tuple(sources),
        more=send,
        first=_acts(given.get("first", {})),
        halfway=_acts(given.get("halfway", {})),
        expect=Expect(expect["answer"], expect.get("pool"), _members(expect.get("members")), expect.get("arrives", {})),
    )


def _members(given: Any) -> frozenset[str] | int | None:
    if isinstance(given, str) and given.isdecimal():
        return int(given)
    return frozenset(_list(given)) if given is not None else None


def _acts(given: Mapping[str, Any]) -> tuple[Act, ...]:
    _known(given, frozenset(ACTS))
    return tuple(Act(word, members) for word, value in given.items() for members in _list(value))


def _list(given: Any) -> list[str]:
    return list(given) if isinstance(given, list) else [given]


def _known(given: Mapping[str, Any], keys: frozenset[str]) -> None:
    unknown = sorted(set(given) - keys)
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; there are: {', '.join(sorted(keys))}")
