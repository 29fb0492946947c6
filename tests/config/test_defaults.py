"""The defaults that stand in the tables of keys are those the reader fills in: written out, they change nothing."""

from __future__ import annotations

import pytest

from gurney.config import canonical, keys
from gurney.config.reader import read

DOCUMENT = """gurney: 1
applications:
  a:
    services:
      s: {{protocol: {protocol}, listen: 8080, rules: [{{pool: p}}]{service}}}
    pools:
      p: {{members: {{m: {{address: '{address}'{member}}}}}{pool}}}
"""
WHERE = {  # the mapping around a table's keys, and where that stands
    "service": ("{}", "service"),
    "limits": ("limits: {{{}}}", "service"),
    "tls": ("tls: {{certificate: a.pem, client_ca: b.pem, {}}}", "service"),
    "pool": ("{}", "pool"),
    "queue": ("max_in_flight: 5, queue: {{{}}}", "pool"),
    "persist": ("persist: {{by: none, {}}}", "pool"),
    "member_tls": ("tls: {{{}}}", "pool"),
    "member": ("{}", "member"),
    "check": ("check: {{{}}}", "pool"),
}
SEVERAL = {"queue": ("http", "tcp"), "member_tls": ("http", "tcp")}  # tables that protocols share


def cases() -> list[tuple[str, str, str, str]]:
    """(protocol, title, key, default) of every key with a default that a document of one service can show."""
    found = []
    for kind, table in keys.KINDS.items():
        title = keys.title(kind)
        for protocol in SEVERAL.get(title, (keys.protocol(kind),)):
            if protocol and title in WHERE:
                found += [(protocol, title, key.name, key.default) for key in table if key.default is not None]
    return found


def document(protocol: str, title: str, keys_written: str) -> str:
    """The canonical form of the document with some keys in a mapping."""
    around, place = WHERE[title]
    written = around.format(keys_written).replace(", }", "}")
    parts = {"service": "", "pool": "", "member": ""} | {place: f", {written}" if written else ""}
    address = "A@m.example.org:80" if protocol == "dicom" else "m.example.org:80"
    reading = read(DOCUMENT.format(protocol=protocol, address=address, **parts))
    assert reading.document is not None, "\n".join(map(str, reading.faults))
    return canonical.text(reading.document)


@pytest.mark.parametrize(("protocol", "title", "key", "default"), cases())
def test_a_default_written_out_changes_nothing(protocol: str, title: str, key: str, default: str) -> None:
    value = default if default.startswith(("[", "{")) else f"'{default}'"
    beside = "kind: http" if (title, key) in {("check", "path"), ("check", "expect")} else ""
    assert document(protocol, title, f"{beside}, {key}: {value}".removeprefix(", ")) == document(protocol, title, beside)


def test_every_table_with_defaults_is_looked_at() -> None:
    assert {(protocol, title) for protocol, title, *_ in cases()} >= {
        *(("http", title) for title in WHERE),
        *(("tcp", title) for title in WHERE),
        *(("dicom", title) for title in ("service", "limits", "pool", "member", "check")),
    }
    assert len(cases()) > 60


def test_another_value_would_be_seen() -> None:
    assert document("http", "limits", "idle: 59s") != document("http", "limits", "")
    assert document("tcp", "limits", "idle: 1h") == document("tcp", "limits", "")
    assert document("tcp", "check", "kind: http") != document("tcp", "check", "")
