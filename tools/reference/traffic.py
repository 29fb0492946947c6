"""The pages about the traffic path: facts, checks with their outcome words, the status policy, metrics and log events."""

from __future__ import annotations

from gurney.balance import facts, policy
from gurney.config import words
from gurney.health.checks import CHECKS
from gurney.health.outcomes import OUTCOMES, Effect
from gurney.telemetry.events import EVENTS, FIELDS
from gurney.telemetry.names import METRICS
from tools.reference.table import code, codes, page, table

ASSOCIATION = {
    "calling_ae": "the sender's AE title",
    "called_ae": "the AE title it called",
    "network": "its address; matched by addresses and networks (`10.0.3.0/24`)",
    "listener": "the name of the listener it came in by: `*:11112`, `10.0.0.1:104`",
    "implementation": "its implementation version name",
    "tls_subject": "the certificate the sender showed (`client_ca`): subject, its parts, its alternative names, each a component",
}
COMMAND = {
    "request": "what is asked: `store`, `echo`",
    "sop_class": "Affected SOP Class UID (0000,0002)",
    "sop_instance": "Affected SOP Instance UID (0000,1000)",
    "priority": "(0000,0700): `high`, `medium`, `low`",
    "move_originator": "Move Originator AE Title (0000,1030)",
    "transfer_syntax": "the accepted transfer syntax of its context",
}
REQUEST = {
    "method": "GET, POST …; compared in upper case",
    "path": "the path after `base`, without the query",
    "host": "the name that was asked for (Host; of tcp: SNI, where the service has `tls`), in lower case",
    "network": "the client's address; matched by addresses and networks (`10.0.3.0/24`)",
}
PROXIED_KINDS = {
    "http": "GET of `path`; good is a status of `expect`",
    "tcp": "connects and closes, with `tls` the handshake too; a hung program survives it",
}
KINDS = {
    "tcp": "connects and closes; a hung program survives it, so a condition says that it is weak",
    "dicom-associate": "opens an association with the pairs in use, refreshes what is known of them, releases",
    "dicom-echo": "the same, and a C-ECHO that must end with 0000",
}


def facts_page() -> str:
    """Every fact a rule can match, by where it is read."""
    rows = [(code(name), "association", ASSOCIATION[name]) for name in facts.ASSOCIATION]
    rows += [(code(name), "command set", COMMAND[name]) for name in facts.COMMAND]
    rows += [(code(name), "data set", f"({tag >> 16:04X},{tag & 0xFFFF:04X})") for name, tag in facts.DATA.items()]
    rows += [
        (code("tag(GGGG,EEEE)"), "data set", "any element of the top level"),
        (code("tag(GGGG,xxEE,CREATOR)"), "data set", "a private element, by its creator"),
    ]
    return page(
        "Facts",
        "`gurney/balance/facts.py` and `gurney/config/words.py`",
        "What is read of a message or request and can be matched by a rule. A value is a text, a list (any may fit) or a glob (`*`, `?`); all facts of a "
        "`match` must fit. A fact that is absent or empty makes a rule on it not match. In the contract, not in this version: "
        f"{codes(words.FACTS_LATER)}",
        "## DICOM",
        table(("fact", "read from", "what it is"), rows),
        "## HTTP and TCP",
        table(("fact", "of", "what it is"), _request_rows()),
        f"In the contract, not in this version: {codes(words.HTTP_FACTS_LATER)}",
    )


def _request_rows() -> list[tuple[str, str, str]]:
    """The facts of http and tcp, by who has them."""
    protocols = {name: [p for p, has in (("http", words.HTTP_FACTS), ("tcp", words.TCP_FACTS)) if name in has] for name in REQUEST}
    rows = [(code(name), ", ".join(protocols[name]), REQUEST[name]) for name in (*words.HTTP_FACTS, *words.TCP_FACTS) if name in protocols]
    header = (code("header:NAME"), "http", "a header of the request; `header: {NAME: globs}` is the same")
    return [*dict.fromkeys(rows), header]


def checks() -> str:
    """The kinds of checks and the outcome words with their effects."""
    return page(
        "Checks and outcomes",
        "`gurney/health/`",
        "A check asks a member; what it found is one of the outcome words, the same in status, metrics, log and `gurney explain`. Traffic counts "
        "with the same words.",
        "## Kinds of DICOM",
        table(("kind", "what it does"), [(code(kind), KINDS[kind]) for kind in CHECKS]),
        "## Kinds of HTTP and TCP",
        "HAProxy makes these checks itself; `gurney status` shows its words of the last one beside the outcome.",
        table(("kind", "what it does"), [(code(kind), PROXIED_KINDS[kind]) for kind in words.PROXY_CHECK_KINDS]),
        "## Outcomes",
        table(("word", "means", "effect"), [(code(word), effect.means, _effect(effect)) for word, effect in OUTCOMES.items()]),
        "*Full* is never *down*: a member that is full takes no new work until it has room and is not counted as failed.",
    )


def _effect(effect: Effect) -> str:
    words_ = [
        name for name, on in (("counts towards `rise`", effect.good), ("counts towards `fall`", effect.fall), ("full", effect.full)) if on
    ]
    return ", ".join(words_) or "none"


def statuses() -> str:
    """What a member's C-STORE status means."""
    rows = []
    for row, action in policy.TABLE.items():
        hears = "verbatim" if action.relay_status else "0000"
        effects = [
            name
            for name, on in (
                ("counts against the member", action.counts_against_member),
                ("the pair is not taken there", action.capability_refused),
                ("no new studies there until a check passes", action.full),
                (f"condition {code(action.condition)}", action.condition is not None),
            )
            if on
        ]
        rows.append((code(row), code(action.word), hears, ", ".join(effects) or "–"))
    return page(
        "Statuses",
        "`gurney/balance/policy.py`",
        "What is done about a member's C-STORE status. The row with fewer `x` wins; a pool may override rows (`statuses: {A9xx: next}`) with the "
        f"words {codes(policy.ACTIONS)}. `next`: the next eligible member, the pin stays · `next-repin`: the pin moves too · `again`: once more "
        "there, then the next · `final`: no other member, the same bytes would fail there. With `next` the sender hears the status when no member "
        "is left. 0111 after an ambiguity at this member means stored: the sender hears 0000.",
        table(("status", "word", "the sender hears", "and"), rows),
    )


def metrics() -> str:
    """Every metric."""
    rows = [(code(item.name), item.kind, codes(item.labels), item.means) for item in METRICS]
    return page(
        "Metrics",
        "`gurney/telemetry/names.py`",
        "A name that is not here cannot be counted. No label holds a UID, a patient's data or a text of a peer; AE titles only as the document names them.",
        table(("metric", "kind", "labels", "meaning"), rows),
    )


def events() -> str:
    """Every log event and the kinds of fields."""
    return page(
        "Log events",
        "`gurney/telemetry/events.py`",
        "Logs are JSON lines. An event or field that is not here is dropped and counted, never written. A `peer` field is escaped ASCII of at most 64 "
        "characters, a `ref` is a keyed digest (the same object or study has the same one in log, status and ledger).",
        "## Events",
        table(("event", "fields"), [(code(name), codes(dict.fromkeys(names))) for name, names in EVENTS.items()]),
        "## Fields",
        table(
            ("kind", "fields"), [(kind, codes(sorted(n for n, k in FIELDS.items() if k == kind))) for kind in sorted(set(FIELDS.values()))]
        ),
    )
