"""The one place for the JSON Schema of gurney.yaml (draft 2020-12), made from the tables of keys, for editors.

It accepts every document the reader accepts, short forms included, and catches what an editor can: unknown and missing keys, words, shapes.
Editors resolve YAML's own types, so a scalar may be a text, a number or a boolean. What this version does not do is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gurney.config import limits, words
from gurney.config.keys import KINDS, Key

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def _text(pattern: str | None = None, **more: Any) -> Schema:
    found: Schema = {"type": ["string", "number", "boolean"], **more}
    return found if pattern is None else {**found, "pattern": f"^(?:{pattern})$"}


def _string(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _number(lowest: int, highest: int) -> Schema:
    return {"anyOf": [{"type": "integer", "minimum": lowest, "maximum": highest}, {"type": "string", "pattern": "^[0-9]+$"}]}


def _enum(known: Sequence[str]) -> Schema:
    return {"enum": list(known)}


def _one_or_list(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _named(name: str, one: Schema) -> Schema:
    return {"type": "object", "propertyNames": {"pattern": f"^(?:{name})$"}, "additionalProperties": one, "minProperties": 1}


def _ref(kind: str) -> Schema:
    return {"$ref": f"#/$defs/{kind}"}


_NAME = f"[A-Za-z0-9][A-Za-z0-9_-]{{0,{limits.NAME_CHARACTERS - 1}}}"
_MEMBER_NAME = f"[A-Za-z0-9\\[][A-Za-z0-9_.:\\[\\] -]{{0,{limits.MEMBER_NAME_CHARACTERS - 1}}}"
_AE_TITLE = f"[ -\\[\\]-~]{{1,{limits.AE_TITLE_BYTES}}}"
_DURATION = _string("[0-9]+(?:ms|s|m|h|d|y)")
_SIZE = _string("[0-9]+(?:B|KiB|MiB|GiB|TiB)")
_UID = _text("[0-9.]{1,64}")
_PORT = _number(1, limits.PORT_HIGHEST)
_LISTEN: Schema = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": limits.PORT_HIGHEST}, _string("(?:.*:)?[0-9]+")]}
_DESTINATION: Schema = {"anyOf": [_string(".*:[0-9]+"), _ref("member")]}
_STATUS_ROW = "[0-9A-F]{4}|[0-9A-F]{3}x|[0-9A-F]{2}xx|[0-9A-F]xxx"

FORMS: dict[str, Schema] = {
    "version": {"enum": [1, "1"]},
    "name": _text(_NAME),
    "sites": {"type": "object", "propertyNames": {"pattern": f"^(?:{_NAME})$"}, "additionalProperties": _ref("site")},
    "nodes": {"type": "object", "propertyNames": {"pattern": f"^(?:{_NAME})$"}, "additionalProperties": _text()},
    # an editor of YAML 1.1 takes NO (Norway) for false
    "jurisdiction": {"anyOf": [_string("[A-Z]{2}(?:-[A-Z0-9]{1,3})?"), {"type": "boolean"}]},
    "applications": _named(_NAME, _ref("application")),
    "services": _named(_NAME, _ref("service")),
    "pools": _named(_NAME, {"anyOf": [{"type": "array", "items": _DESTINATION, "minItems": 1}, _ref("pool")]}),
    "members": {
        "anyOf": [{"type": "array", "items": _DESTINATION, "minItems": 1}, _named(_MEMBER_NAME, _DESTINATION)],
    },
    "rules": {"type": "array", "items": _ref("rule"), "minItems": 1, "maxItems": limits.RULES},
    "limits": _ref("limits"),
    "check": _ref("check"),
    "match": {
        "type": "object",
        "minProperties": 1,
        "properties": {"request": _one_or_list(_enum(words.REQUESTS))},
        "propertyNames": {"anyOf": [_enum(words.FACTS), {"pattern": r"^tag\(.+\)$"}]},
        "additionalProperties": _one_or_list(_text()),
    },
    "statuses": {
        "type": "object",
        "propertyNames": {"pattern": f"^(?:{_STATUS_ROW})$"},
        "additionalProperties": _enum(words.STATUS_ACTIONS),
    },
    "protocol": _enum(words.PROTOCOLS),
    "delivery": _enum(words.DELIVERIES),
    "echo": _enum(words.ECHOES),
    "non_patient": _enum(words.NON_PATIENTS),
    "duplicates": _enum(words.DUPLICATES),
    "digest": _enum(words.DIGESTS),
    "urgency": _enum(words.URGENCIES),
    "balance": _enum(words.BALANCES),
    "keep": _enum(words.KEEPS),
    "check_kind": _enum(words.CHECK_KINDS),
    "listen": _one_or_list(_LISTEN),
    "port": _PORT,
    "target": _text(".+"),
    "ae_title": _text(_AE_TITLE),
    "accept_from": _one_or_list(_text(".+")),
    "prefer": {"anyOf": [_UID, {"type": "array", "items": _UID}]},
    "replay_limit": _SIZE,
    "size": _SIZE,
    "object_size": {"anyOf": [_SIZE, _enum(["none"])]},
    "count": _number(1, limits.LIMIT_HIGHEST),
    "weight": _number(1, limits.WEIGHT_HIGHEST),
    "member_associations": _number(1, limits.MEMBER_ASSOCIATIONS_HIGHEST),
    "async_ops": _number(1, 1),
    "check_duration": _DURATION,
    "check_count": _number(1, limits.CHECK_COUNT_HIGHEST),
    "expect_contexts": {
        "type": "array",
        "maxItems": limits.CHECK_CONTEXTS,
        "items": {"type": "array", "items": _UID, "minItems": 2, "maxItems": 2},
    },
    "pool_name": _text(_NAME),
    "site_name": _text(_NAME),
}


def json_schema() -> Schema:
    """The schema as JSON values; every call gives a fresh one."""
    return {
        "$schema": DIALECT,
        "$id": "urn:gurney:schema:document:1",
        "title": "gurney.yaml",
        **_object(KINDS["document"]),
        "$defs": {kind: _object(table) for kind, table in KINDS.items() if kind != "document"},
    }


def _object(table: Sequence[Key]) -> Schema:
    return {
        "type": "object",
        "properties": {key.name: _property(key) for key in table if not key.later},
        "required": [key.name for key in table if key.required],
        "additionalProperties": False,
    }


def _property(key: Key) -> Schema:
    found = {**FORMS[key.form], "description": key.meaning}
    if key.default is not None and key.default not in ("[]", "{}"):
        found["default"] = key.default
    return found
