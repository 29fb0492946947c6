"""The one place for comparing two nodes of a document key by key: what differs, as a person reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from gurney.plan import shown


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes at one document path."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class HasPath(Protocol):
    """A node of the document."""

    @property
    def path(self) -> str:
        """Its document path."""


Node = TypeVar("Node", bound=HasPath)
Found = Iterator[Difference]
Key = tuple[str, Callable[[Any], object], Callable[[Any], str]]  # the document's key, the value, how it looks


def told(name: str, look: Callable[[Any], str] = shown.plain, key: str | None = None) -> Key:
    """The field `name` of a node, called `key` in the document."""
    return key or name, lambda node: getattr(node, name), lambda node: look(getattr(node, name))


def keys(path: str, before: object, after: object, keys: tuple[Key, ...]) -> Found:
    """Every key whose value differs."""
    for key, value, look in keys:
        if value(before) != value(after):
            yield Difference(f"{path}.{key}", f"{look(before)} → {look(after)}")


def named(
    before: Mapping[str, Node], after: Mapping[str, Node], what: str, changed: Callable[[Node, Node], Found], text: Callable[[Node], str]
) -> Found:
    """Nodes with names: removed, changed, added."""
    for name, node in before.items():
        if name not in after:
            yield Difference(node.path, f"{what} removed")
        elif node != after[name]:
            yield from changed(node, after[name])
    for name, node in after.items():
        if name not in before:
            yield Difference(node.path, f"{what} added: {text(node)}")


def part(path: str, before: object | None, after: object | None, keys_: tuple[Key, ...], text: Callable[[Any], str]) -> Found:
    """A part that may be left out (`tls`): it comes, goes or changes."""
    if before is not None and after is not None:
        yield from keys(path, before, after, keys_)
    elif before != after:
        yield Difference(path, " → ".join(shown.NOTHING if one is None else text(one) for one in (before, after)))


def order(path: str, before: tuple[str, ...], after: tuple[str, ...]) -> Found:
    """A changed order of what is in both; what came or went is said on its own."""
    old = tuple(name for name in before if name in after)
    new = tuple(name for name in after if name in before)
    if old != new:
        yield Difference(path, f"order {', '.join(old)} → {', '.join(new)}")
