"""The one place for what a key of gurney.yaml is: its form, its meaning, its default."""

from __future__ import annotations

from dataclasses import dataclass

from gurney.config import text


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `form` is a word of `schema.FORMS`, `default` as one would write it (None: there is none).

    `later` marks what the contract has and this version does not do yet (`GRN-V001`).
    """

    name: str
    form: str
    meaning: str
    default: str | None = None
    required: bool = False
    later: bool = False


def later(*names: str) -> tuple[Key, ...]:
    """Keys of the contract that are not in this version."""
    return tuple(Key(name, "any", "in the contract, not in this version", later=True) for name in names)


def size(value: int) -> str:
    """A size as one would write it."""
    return text.spell_size(value)


def duration(value: int) -> str:
    """A duration (milliseconds) as one would write it."""
    return text.spell_duration(value)
