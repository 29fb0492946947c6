"""The one place for the places of a document where a text stands, and for putting another one there."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

Path = tuple[Any, ...]


def texts(node: Any, path: Path = ()) -> Iterator[Path]:
    """The place of every text: values, and the names of what is freely named (a path that ends in `("key", NAME)`)."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, ("key", key))
            yield from texts(value, (*path, key))
    elif isinstance(node, list):
        for at, value in enumerate(node):
            yield from texts(value, (*path, at))
    else:
        yield path


def places(tree: Any) -> list[Path]:
    """Every place of a document but its first line's key."""
    return [path for path in texts(tree) if path[0] != ("key", "gurney")]


def with_text(tree: Any, path: Path, text: str) -> Any:
    """The same document with `text` at one place."""
    made = copy.deepcopy(tree)
    at = made
    for part in path[:-1]:
        at = at[part]
    last = path[-1]
    if isinstance(last, tuple):
        items = [(text if key == last[1] else key, value) for key, value in at.items()]
        at.clear()
        at.update(items)
    else:
        at[last] = text
    return made


def spelled(node: Any) -> str:
    """The tree in YAML's flow style, every text in double quotes with escapes: what the payload means reaches the reader."""
    if isinstance(node, dict):
        return "{" + ", ".join(f"{spelled(key)}: {spelled(value)}" for key, value in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(map(spelled, node)) + "]"
    return '"' + re.sub(r"[^ !#-\[\]-~]", lambda found: f"\\U{ord(found[0]):08x}", node) + '"'
