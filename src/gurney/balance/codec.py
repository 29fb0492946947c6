"""The one place for turning frozen dataclasses into JSON values and back, strictly and by their annotations.

Strict: every field must be there, nothing else may be, a bool is no integer, a float is nothing. Whatever is wrong is
reported with its path (`pools.archive.members[0].weight`); all faults of one value are found, not only the first.
A `Mapping[str, Member]` (or `ProxyMember`) is written as an array, because the order of members is wanted state (failover, turns);
other mappings are objects with sorted keys.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

from gurney.config.document import Member
from gurney.config.proxied import ProxyMember

T = TypeVar("T")

_SCALARS = frozenset({str, int, bool})
ORDERED: frozenset[type] = frozenset({Member, ProxyMember})  # mappings to these are arrays in JSON


def encode(value: object) -> Any:
    """`value` (dataclass, mapping, tuple, str, int, bool or None) as a JSON value; anything else is a `TypeError`."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if is_dataclass(value):
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        if value and all(type(item) in ORDERED for item in value.values()):
            return [encode(item) for item in value.values()]
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in a table")


class Faults:
    """What is wrong with one value: (path, what) in the order met."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, path: str, what: str) -> None:
        """Note that `path` is wrong, because of `what`."""
        self.found.append((path or "the file", what))


def decode(kind: type[T], value: object, faults: Faults) -> T | None:
    """A `kind` read from a JSON value, or None with the reasons in `faults`."""
    result = _decode(kind, value, "", faults)
    return None if faults.found else cast(T, result)


def _decode(kind: Any, value: object, path: str, faults: Faults) -> Any:
    if type(value) is kind and kind in _SCALARS:  # most of what a large bundle holds
        return value
    origin, arguments = _generic(kind)
    if origin in (types.UnionType, typing.Union):
        inner = next(item for item in arguments if item is not type(None))
        return None if value is None else _decode(inner, value, path, faults)
    if is_dataclass(kind):
        return _decode_object(cast(type, kind), value, path, faults)
    if origin is tuple:
        return _decode_array(arguments, value, path, faults)
    if origin is Mapping:
        return _decode_mapping(arguments[1], value, path, faults)
    if type(value) is not kind:
        faults.add(path, f"must be {_WORDS[kind]}, not {_said(value)}")
        return None
    return value


_WORDS: Mapping[object, str] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    float: "a fraction",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def _said(value: object) -> str:
    """What a JSON value is, in words; never its content."""
    return _WORDS[type(value)]


def _decode_object(kind: type, value: object, path: str, faults: Faults) -> Any:
    if not isinstance(value, dict):
        faults.add(path, f"must be an object, not {_said(value)}")
        return None
    hints = _hints(kind)
    names = [item.name for item in fields(kind)]
    before = len(faults.found)
    for key in value:
        if key not in hints:
            faults.add(_under(path, key), "is not known")
    read: dict[str, Any] = {}
    for name in names:
        if name in value:
            read[name] = _decode(hints[name], value[name], _under(path, name), faults)
        else:
            faults.add(_under(path, name), "is missing")
    return kind(**read) if len(faults.found) == before else None


@lru_cache(maxsize=256)
def _generic(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(kind), typing.get_args(kind)


@lru_cache(maxsize=256)  # a bounded memo of a pure function: a class has one set of annotations
def _hints(kind: type) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _decode_array(arguments: Sequence[Any], value: object, path: str, faults: Faults) -> Any:
    if not isinstance(value, list):
        faults.add(path, f"must be an array, not {_said(value)}")
        return None
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        kinds: Sequence[Any] = [arguments[0]] * len(value)
    elif len(arguments) == len(value):
        kinds = arguments
    else:
        faults.add(path, f"must have {len(arguments)} items, not {len(value)}")
        return None
    return tuple(_decode(kind, item, f"{path}[{at}]", faults) for at, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def _decode_mapping(kind: Any, value: object, path: str, faults: Faults) -> Any:
    if kind not in ORDERED:
        if not isinstance(value, dict):
            faults.add(path, f"must be an object, not {_said(value)}")
            return None
        return {key: _decode(kind, item, _under(path, key), faults) for key, item in value.items()}
    if not isinstance(value, list):
        faults.add(path, f"must be an array, not {_said(value)}")
        return None
    found: dict[str, Any] = {}
    for at, item in enumerate(value):
        read = _decode(kind, item, f"{path}[{at}]", faults)
        if read is None:
            continue
        if read.name in found:
            faults.add(f"{path}[{at}].name", f"'{read.name}' is there twice")
        found[read.name] = read
    return found


def _under(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
