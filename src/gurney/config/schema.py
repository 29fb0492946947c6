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
_PROTOCOLS = words.PROTOCOLS


def _each(title: str) -> list[Schema]:
    """The tables of a kind, one for each protocol."""
    return [_ref(f"{title}.{protocol}") for protocol in _PROTOCOLS]


def _destination(*protocols: str) -> Schema:
    return {"anyOf": [_string(".*:[0-9]+"), *(_ref(f"member.{protocol}") for protocol in protocols)]}


def _members(protocol: str) -> Schema:
    one = _destination(protocol)
    return {"anyOf": [{"type": "array", "items": one, "minItems": 1}, _named(_MEMBER_NAME, one)]}


def _rules(protocol: str) -> Schema:
    return {"type": "array", "items": _ref(f"rule.{protocol}"), "minItems": 1, "maxItems": limits.RULES}


def _word_or(known: Sequence[str], *others: Schema) -> Schema:
    return {"anyOf": [_enum(known), *others]}


_HEADER = "header:[A-Za-z0-9-]+"
_GLOBS = _one_or_list(_text())
_FILE = _text("[^/~'\"\\\\][^'\"\\\\]*")
_STATUSES = _text("[1-5]xx|[1-5][0-9]{2}(?:-[1-5][0-9]{2})?")
_STATUS_ROW = "[0-9A-F]{4}|[0-9A-F]{3}x|[0-9A-F]{2}xx|[0-9A-F]xxx"

FORMS: dict[str, Schema] = {
    "version": {"enum": [1, "1"]},
    "name": _text(_NAME),
    "sites": {"type": "object", "propertyNames": {"pattern": f"^(?:{_NAME})$"}, "additionalProperties": _ref("site")},
    "nodes": {"type": "object", "propertyNames": {"pattern": f"^(?:{_NAME})$"}, "additionalProperties": _text()},
    # an editor of YAML 1.1 takes NO (Norway) for false
    "jurisdiction": {"anyOf": [_string("[A-Z]{2}(?:-[A-Z0-9]{1,3})?"), {"type": "boolean"}]},
    "applications": _named(_NAME, _ref("application")),
    "services": _named(_NAME, {"anyOf": _each("service")}),
    "pools": _named(_NAME, {"anyOf": [{"type": "array", "items": _destination(*_PROTOCOLS), "minItems": 1}, *_each("pool")]}),
    "application_limits": _ref("limits"),
    "members": _members("dicom"),
    "http_members": _members("http"),
    "tcp_members": _members("tcp"),
    "rules": _rules("dicom"),
    "http_rules": _rules("http"),
    "tcp_rules": _rules("tcp"),
    "limits": _ref("limits.dicom"),
    "http_limits": _ref("limits.http"),
    "tcp_limits": _ref("limits.tcp"),
    "check": _ref("check.dicom"),
    "http_check": _ref("check.http"),
    "tcp_check": _ref("check.tcp"),
    "dicom_tls": _ref("tls.dicom"),
    "suites": _enum(words.SUITES),
    "http_tls": _ref("tls.http"),
    "tcp_tls": _ref("tls.tcp"),
    "member_tls": _ref("member_tls"),
    "queue": _ref("queue"),
    "http_persist": _word_or(words.HTTP_PERSISTS, _ref("persist.http")),
    "tcp_persist": _word_or(words.TCP_PERSISTS, _ref("persist.tcp")),
    "http_persist_kind": _enum(words.HTTP_PERSISTS),
    "tcp_persist_kind": _enum(words.TCP_PERSISTS),
    "persist_then": _enum(words.PERSIST_THENS),
    "http_fallback": {"anyOf": [_text(_NAME), _ref("fallback.http")]},
    "http_match": {
        "type": "object",
        "minProperties": 1,
        "properties": {"header": _named("[A-Za-z0-9-]+", _GLOBS)},
        "propertyNames": {"anyOf": [_enum([*words.HTTP_FACTS, "header"]), {"pattern": f"^{_HEADER}$"}]},
        "additionalProperties": _GLOBS,
    },
    "tcp_match": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _enum(words.TCP_FACTS),
        "additionalProperties": _GLOBS,
    },
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
    "protocol": _enum(["dicom"]),
    "http_protocol": _enum(["http"]),
    "tcp_protocol": _enum(["tcp"]),
    "delivery": _enum(words.DELIVERIES),
    "echo": _enum(words.ECHOES),
    "non_patient": _enum(words.NON_PATIENTS),
    "duplicates": _enum(words.DUPLICATES),
    "digest": _enum(words.DIGESTS),
    "urgency": _enum(words.URGENCIES),
    "balance": _enum(words.BALANCES),
    "http_balance": _word_or(words.HTTP_BALANCES, _string(_HEADER)),
    "tcp_balance": _enum(words.TCP_BALANCES),
    "keep": _enum(words.KEEPS),
    "check_kind": _enum(words.CHECK_KINDS),
    "proxy_check_kind": _enum(words.PROXY_CHECK_KINDS),
    "check_path": _text("/.*"),
    "expect": _one_or_list(_STATUSES),
    "client": _enum(words.CLIENTS),
    "alpn": _one_or_list(_enum(words.ALPNS)),
    "proxy": _enum(words.PROXIES),
    "hosts": _one_or_list(_text("[A-Za-z0-9.*-]+")),
    "host": _text("[A-Za-z0-9.:-]+"),
    "base": _text("/.*"),
    "networks": _one_or_list(_text(".+")),
    "some_networks": {"anyOf": [_text(".+"), {"type": "array", "items": _text(".+")}]},
    "file": _FILE,
    "files": _one_or_list(_FILE),
    "ca": _FILE,
    "percent": _string("[0-9]{1,3}%"),
    "connections": _number(1, limits.HTTP_CONNECTIONS_HIGHEST),
    "max_in_flight": {"anyOf": [_number(1, limits.MAX_IN_FLIGHT_HIGHEST), _enum(["none"])]},
    "queue_most": _number(1, limits.QUEUE_MOST_HIGHEST),
    "short_duration": _DURATION,
    "long_duration": _DURATION,
    "slow_start": _DURATION,
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
