"""The pages about gurney.yaml: its keys, its closed lists of words, its limits, what can be wrong with it."""

from __future__ import annotations

import json

from gurney.config import codes as diagnostic_codes
from gurney.config import keys, limits, words
from gurney.config.keys import Key
from gurney.config.schema import json_schema
from tools.reference.table import code, codes, page, table

LISTS = (
    ("protocol", words.PROTOCOLS, words.PROTOCOLS_LATER),
    ("delivery", words.DELIVERIES, words.DELIVERIES_LATER),
    ("balance of dicom", words.BALANCES, words.BALANCES_LATER),
    ("balance of http", (*words.HTTP_BALANCES, "header:NAME"), words.HTTP_BALANCES_LATER),
    ("balance of tcp", words.TCP_BALANCES, words.TCP_BALANCES_LATER),
    ("keep", words.KEEPS, ()),
    ("persist of http", words.HTTP_PERSISTS, tuple(f"{word}:NAME" for word in words.HTTP_PERSISTS_LATER)),
    ("persist of tcp", words.TCP_PERSISTS, ()),
    ("then of persist", words.PERSIST_THENS, ()),
    ("check kind of dicom", words.CHECK_KINDS, words.CHECK_KINDS_LATER),
    ("check kind of http and tcp", words.PROXY_CHECK_KINDS, words.PROXY_CHECK_KINDS_LATER),
    ("client of tls", words.CLIENTS, ()),
    ("alpn of tls", words.ALPNS, ()),
    ("proxy of a member", words.PROXIES, ()),
    ("echo", words.ECHOES, ()),
    ("non_patient", words.NON_PATIENTS, words.NON_PATIENTS_LATER),
    ("duplicates", words.DUPLICATES, words.DUPLICATES_LATER),
    ("digest", words.DIGESTS, words.DIGESTS_LATER),
    ("urgency", words.URGENCIES, ()),
    ("fact of http", (*words.HTTP_FACTS, "header:NAME"), words.HTTP_FACTS_LATER),
    ("fact of tcp", words.TCP_FACTS, ()),
    ("request (a fact of dicom)", words.REQUESTS, words.REQUESTS_LATER),
    ("statuses", words.STATUS_ACTIONS, ()),
    ("override", words.OVERRIDES, ()),
)


def fields() -> str:
    """Every key of the document by the kind of mapping it stands in, then the closed lists of words."""
    parts = []
    for kind, entries in keys.KINDS.items():
        title, protocol = keys.title(kind), keys.protocol(kind)
        now = [entry for entry in entries if not entry.later]
        later = [entry.name for entry in entries if entry.later]
        parts.append(f"## {title.replace('_', ' ')} of {protocol}" if protocol else f"## {title.replace('_', ' ')}")
        parts.append(table(("key", "form", "default", "meaning"), [_row(entry) for entry in now]))
        if later:
            parts.append(f"In the contract, not in this version (`GRN-V001`): {codes(later)}")
    parts.append("## Words")
    parts.append(table(("of", "this version", "later (`GRN-V001`)"), [(name, codes(now), codes(later)) for name, now, later in LISTS]))
    return page(
        "The keys of gurney.yaml",
        "`gurney/config/keys.py` and `words.py`",
        "Every scalar is read as text; the form parses it. There is no null: leave a key out. Durations are an integer and one of "
        "`ms s m h d y`, sizes an integer and one of `B KiB MiB GiB TiB`.",
        *parts,
    )


def _row(entry: Key) -> tuple[str, ...]:
    default = "**required**" if entry.required else code(entry.default)
    return code(entry.name), _form(entry.form), default, entry.meaning


def _form(form: str) -> str:
    """A form in words: the protocol it belongs to stands in the heading already."""
    return form.removeprefix("http_").removeprefix("tcp_").removeprefix("some_").removeprefix("application_").replace("_", " ")


def limits_page() -> str:
    """Every limit and default number."""
    rows = [(code(item.name), _amount(item.value, item.unit), item.unit, item.meaning, item.source) for item in limits.table()]
    return page(
        "Limits",
        "`gurney/config/limits.py`",
        "Every limit and every default number, each in one place of the code. A limit on what a peer sends is checked before anything is allocated.",
        table(("name", "value", "unit", "meaning", "source"), rows),
    )


def _amount(value: int, unit: str) -> str:
    if unit == "bytes":
        for size, name in ((limits.TIB, "TiB"), (limits.GIB, "GiB"), (limits.MIB, "MiB"), (limits.KIB, "KiB")):
            if value and value % size == 0:
                return f"{value // size} {name}"
    return f"{value:,}"


GROUPS = (
    ("The text and the fields", diagnostic_codes.STRUCTURE),
    ("Not in this version", diagnostic_codes.VERSION),
    ("Files the document names (at `apply`)", diagnostic_codes.FILES),
    ("Combinations (lint)", diagnostic_codes.LINT),
)


def diagnostics() -> str:
    """Every code of `gurney check`."""
    parts = []
    for title, group in GROUPS:
        parts += [f"## {title}", table(("code", "what is wrong"), [(code(name), meaning) for name, meaning in group.items()])]
    return page(
        "Diagnostics",
        "`gurney/config/codes.py`",
        "`gurney check FILE` prints every fault of the file at once, in file order, as `file:line:column: severity CODE: message`, and the way out as a hint. "
        "An error refuses the document (exit status 2, nothing changed); a warning does not. Codes are stable: one is never used for something else.",
        *parts,
    )


def schema_text() -> str:
    """The JSON Schema of a document, as `gurney schema` prints it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
