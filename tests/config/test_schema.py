"""The JSON Schema: it accepts what the reader accepts, short forms and YAML's own types included, and sees what an editor should see."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given

from gurney.config import keys
from gurney.config.reader import read
from gurney.config.schema import DIALECT, FORMS, json_schema
from tests.config.documents import EVERYTHING, PORTAL, SMALLEST, legal, with_web
from tests.config.json_schema import wrong
from tests.config.made import documents

SCHEMA = json_schema()


def _judge(value: Any) -> list[str]:
    return list(wrong(value, SCHEMA, SCHEMA))


@pytest.mark.parametrize("name", sorted(legal()))
def test_every_legal_document_fits_typed_and_as_text(name: str) -> None:
    assert _judge(yaml.safe_load(legal()[name])) == []
    assert _judge(yaml.load(legal()[name], Loader=yaml.BaseLoader)) == []


@given(documents())
def test_every_made_document_fits(made: dict[str, Any]) -> None:
    assert _judge(made) == []
    reading = read(yaml.safe_dump(made, sort_keys=False))
    assert reading.errors == (), made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gurney: 1", "gurney: 2"),
        ("services:", "servces:"),
        ("protocol: dicom", "protocol: hl7"),
        ("protocol: dicom", "protocol: dicom, tls: {}"),
        ("listen: 11112", "listen: 70000"),
        ("listen: 11112", "listen: []"),
        ("listen: 11112, ", ""),
        ("accept_from: [10.0.0.0/8]", "delivery: spool"),
        ("accept_from: [10.0.0.0/8]", "rules: [{match: {modalty: MG}, pool: archive}]"),
        ("accept_from: [10.0.0.0/8]", "rules: [{match: {request: worklist}, pool: archive}]"),
        ("archive: [", "archive: [{adress: x}, "),
        ("archive: [ARCHIVE1@10.0.0.11:11112, ARCHIVE2@10.0.0.12:11112]", "archive: []"),
        ("archive: [", "archive: [ARCHIVE1@10.0.0.11, "),
        ("pacs:", "../pacs:"),
    ],
)
def test_an_editor_sees_what_is_wrong(old: str, new: str) -> None:
    assert old in SMALLEST
    text = SMALLEST.replace(old, new, 1)
    assert _judge(yaml.safe_load(text)) != []
    assert read(text).document is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("protocol: http", "protocol: fhir"),
        ("protocol: http, ", "protocol: http, ae_title: PACS, "),
        ("protocol: http, ", "protocol: http, waf: block, "),
        ("protocol: http, ", "protocol: http, base: portal, "),
        ("protocol: http, ", "protocol: http, hosts: [a_b], "),
        ("protocol: http, ", "protocol: http, tls: {certificate: /etc/a.pem}, "),
        ("protocol: http, ", "protocol: http, tls: {client: required}, "),
        ("protocol: http, ", "protocol: http, rules: [{match: {modality: MG}, pool: pages}], "),
        ("protocol: http, ", "protocol: tcp, base: /x, "),
        ("pages: [", "pages: [{address: x, proxy: v3}, "),
        ("pages: [10.0.3.1:8080]", "pages: {balance: leastconn, members: [10.0.3.1:8080]}"),
        ("pages: [10.0.3.1:8080]", "pages: {panic: 30, members: [10.0.3.1:8080]}"),
        ("pages: [10.0.3.1:8080]", "pages: {keep: study, persist: cookie, members: [10.0.3.1:8080]}"),
    ],
)
def test_an_editor_sees_what_is_wrong_with_http(old: str, new: str) -> None:
    whole = with_web("accept_from: 10.0.0.0/8")
    assert old in whole and _judge(yaml.safe_load(whole)) == []
    text = whole.replace(old, new, 1)
    assert _judge(yaml.safe_load(text)) != []
    assert read(text).document is None


def test_every_form_is_used_and_defined() -> None:
    used = {key.form for table in keys.KINDS.values() for key in table if not key.later}
    assert used == set(FORMS)


def test_every_key_of_this_version_stands_in_the_whole_document() -> None:
    whole = EVERYTHING + PORTAL
    missing = {key.name for table in keys.KINDS.values() for key in table if not key.later and f"{key.name}:" not in whole}
    assert missing == set()


def test_it_is_json_of_the_dialect_it_names() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == DIALECT
    assert json_schema() is not json_schema()
