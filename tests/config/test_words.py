"""Words stand in `config`, behaviour beside `balance` and `health`: the lists are equal. Codes, limits and keys are whole."""

from __future__ import annotations

import re
from pathlib import Path

from gurney.balance import facts, policy
from gurney.compile.haproxy import backends, rules
from gurney.config import codes, keys, limits, lint, words
from gurney.health.checks import CHECKS
from gurney.health.outcomes import OUTCOMES

SOURCES = Path(codes.__file__).parent


def test_facts_and_what_reads_them() -> None:
    assert set(facts.FACTS) == set(words.FACTS)
    assert set(facts.ASSOCIATION) == set(words.ASSOCIATION_FACTS)
    assert set(facts.COMMAND) == set(words.COMMAND_FACTS)
    assert set(facts.DATA) == set(words.DATA_FACTS)


def test_requests_and_what_names_them() -> None:
    named = {facts.request(field, uid) for field in (*facts.REQUESTS, 0x0100) for uid in ("", facts.WORKLIST, facts.MPPS, facts.COMMITMENT)}
    assert named | {facts.request(0x0140, facts.PRINT)} == {*words.REQUESTS, *words.REQUESTS_LATER}


def test_checks_and_outcomes() -> None:
    assert set(CHECKS) == set(words.CHECK_KINDS)
    assert set(OUTCOMES) == set(words.OUTCOMES)


def test_what_haproxy_does_is_what_may_be_written() -> None:
    assert set(backends.BALANCES) == {*words.HTTP_BALANCES, *words.TCP_BALANCES}
    assert set(words.TCP_BALANCES) == set(words.HTTP_BALANCES) - {"uri"}
    assert set(backends.CHECKS) == set(words.PROXY_CHECK_KINDS)
    assert set(backends.PERSISTS) == set(words.HTTP_PERSISTS) == {*words.TCP_PERSISTS, "cookie"}
    assert set(rules.FACTS) == set(words.HTTP_FACTS) > set(words.TCP_FACTS)


def test_every_protocol_has_its_lists() -> None:
    assert set(words.BALANCES_OF) == set(words.CHECK_KINDS_OF) == set(words.PROTOCOLS) == {*words.ROUTE_PROTOCOLS, *words.PROXY_PROTOCOLS}
    assert set(words.PERSISTS_OF) == set(words.PROXY_PROTOCOLS)
    assert {keys.protocol(kind) for kind in keys.KINDS} == {"", *words.PROTOCOLS}


def test_what_a_pool_may_say_of_a_status_is_done() -> None:
    assert set(words.STATUS_ACTIONS) == set(policy.ACTIONS) - {"done", "warn"}


def test_no_word_is_both_of_this_version_and_of_a_later_one() -> None:
    lists = {name: value for name, value in vars(words).items() if isinstance(value, tuple)}
    for name, later in lists.items():
        if name.endswith("_LATER"):
            assert not set(later) & set(lists[name.removesuffix("_LATER")]), name


def test_every_code_said_is_in_the_table_and_every_code_of_the_table_is_said() -> None:
    texts = {path: path.read_text("utf-8") for path in SOURCES.rglob("*.py") if path.name != "codes.py"}
    said = {code for text in texts.values() for code in re.findall(r"GRN-[A-Z][0-9]{3}", text)}
    assert said == set(codes.CODES)
    assert list(codes.CODES) == [*sorted(codes.STRUCTURE), *sorted(codes.VERSION), *sorted(codes.FILES), *sorted(codes.LINT)]
    assert all(meaning.endswith(".") for meaning in codes.CODES.values())


def test_every_limit_has_its_note() -> None:
    noted = {entry.name: entry for entry in limits.table()}
    numbers = {name for name, value in vars(limits).items() if name.isupper() and isinstance(value, int)}
    assert numbers - set(noted) == {"KIB", "MIB", "GIB", "TIB"}
    assert all(entry.value == getattr(limits, name) > 0 for name, entry in noted.items())
    assert all(entry.unit and entry.source and entry.meaning for entry in noted.values())
    assert all((entry.unit == "ms") == name.endswith("_MS") for name, entry in noted.items())


def test_every_lint_rule_is_a_file_and_every_file_a_rule() -> None:
    files = {path.stem for path in (SOURCES / "lint").glob("*.py")} - {"__init__", "complaint"}
    assert {look.__module__.rpartition(".")[2] for look in lint.RULES} == files


def test_no_key_stands_twice_in_a_table() -> None:
    for kind, table in keys.KINDS.items():
        names = [key.name for key in table]
        assert len(names) == len(set(names)), kind
