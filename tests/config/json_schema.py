"""The one place for judging a value by a JSON Schema: a small validator of draft 2020-12, for the keywords our schema uses and no others.

An oracle that shares nothing with the schema's maker; an unknown keyword is an error, so that nothing is skipped silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "default"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "integer": (int,),
}


def wrong(value: Any, schema: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[str]:
    """What is wrong with `value`, as `path: reason`; nothing when it is valid."""
    for keyword, said in schema.items():
        if keyword not in ANNOTATIONS:
            yield from _KEYWORDS[keyword](value, said, schema, root, path)


def _type(value: Any, said: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    kinds = said if isinstance(said, list) else [said]
    fits = any(isinstance(value, TYPES[kind]) and not (isinstance(value, bool) and kind != "boolean") for kind in kinds)
    if not fits:
        yield f"{path}: {value!r} is no {kinds}"


def _properties(value: Any, said: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name in value.keys() & said.keys():
            yield from wrong(value[name], said[name], root, f"{path}/{name}")


def _additional(value: Any, said: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name in value.keys() - schema.get("properties", {}).keys():
            if said is False:
                yield f"{path}: unknown key {name}"
            else:
                yield from wrong(value[name], said, root, f"{path}/{name}")


def _names(value: Any, said: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name in value:
            yield from wrong(name, said, root, f"{path}: key {name}")


def _any_of(value: Any, said: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    tries = [list(wrong(value, one, root, path)) for one in said]
    if all(tries):
        yield f"{path}: fits none of {min(tries, key=len)}"


def _ref(value: Any, said: str, schema: Any, root: Any, path: str) -> Iterator[str]:
    yield from wrong(value, root["$defs"][said.removeprefix("#/$defs/")], root, path)


def _items(value: Any, said: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from wrong(item, said, root, f"{path}/{at}")


def _pattern(value: Any, said: str, schema: Any, root: Any, path: str) -> Iterator[str]:
    if isinstance(value, str) and re.search(said, value) is None:
        yield f"{path}: {value!r} does not fit {said}"


def _required(value: Any, said: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{path}: {name} is missing" for name in said if name not in value)


def _bound(value: Any, said: Any, low: bool, kind: type | tuple[type, ...], path: str) -> Iterator[str]:
    measured = len(value) if isinstance(value, (dict, list)) and isinstance(value, kind) else value if isinstance(value, kind) else None
    if measured is not None and not isinstance(value, bool) and (measured < said if low else measured > said):
        yield f"{path}: {value!r} is out of bounds"


_KEYWORDS: dict[str, Any] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "anyOf": _any_of,
    "$ref": _ref,
    "items": _items,
    "pattern": _pattern,
    "required": _required,
    "enum": lambda value, said, schema, root, path: iter(() if value in said else (f"{path}: {value!r} is none of {said}",)),
    "minimum": lambda value, said, schema, root, path: _bound(value, said, True, (int, float), path),
    "maximum": lambda value, said, schema, root, path: _bound(value, said, False, (int, float), path),
    "minItems": lambda value, said, schema, root, path: _bound(value, said, True, list, path),
    "maxItems": lambda value, said, schema, root, path: _bound(value, said, False, list, path),
    "minProperties": lambda value, said, schema, root, path: _bound(value, said, True, dict, path),
}
