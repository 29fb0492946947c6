"""Explaining agrees with choosing, and leaves nothing out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.balance import explain, keys, members, rules
from gurney.errors import InputRefused, NotFound
from tests.balance.hospital import member, pool, rule, service, table, views

TABLE = table(
    service(rule("mg", {"modality": ("MG",), "calling_ae": ("M*",)}, "breast"), rule("rest")),
    pools=(pool(member("a"), member("b"), member("c", override="drain")), pool(member("x"), name="breast", balance="patient")),
)
VIEWS = {name: views(one) for name, one in TABLE.pools.items()}


def test_what_happened_why_and_why_not_the_others() -> None:
    down = {"archive": {**VIEWS["archive"], "b": members.View(TABLE.pools["archive"].members["b"], operational="down")}}
    found = explain.explain(TABLE, "store", {"modality": "CT", "study_uid": "1.2.3"}, down, "b").as_json()
    assert json.loads(json.dumps(found)) == {
        "application": "pacs",
        "service": "store",
        "facts": {"modality": "CT", "study_uid": "1.2.3"},
        "missing": ["calling_ae"],
        "passed": [{"rule": "mg", "why": "modality does not fit MG"}],
        "rule": "rest",
        "pool": "archive",
        "balance": "study",
        "key": "study",
        "pin": "b",
        "members": [
            {"member": "a", "why": "chosen by study, the pin moves to it"},
            {"member": "b", "why": "pinned to it, but it is down"},
            {"member": "c", "why": "drains: takes no new studies"},
        ],
        "chosen": "a",
        "repin": True,
        "last_resort": False,
        "wait": False,
    }


def test_what_was_asked_for_and_is_not_there_is_missing() -> None:
    found = explain.explain(TABLE, "store", {"tag(0008,0060)": "MG"}, VIEWS)
    assert found.facts == {"modality": "MG"}
    assert found.missing == ("calling_ae", "study_uid")
    found = explain.explain(TABLE, "store", {"modality": "MG", "calling_ae": "MG1", "study_uid": "1"}, VIEWS)
    assert (found.rule, found.key, found.missing) == ("mg", "study", ("patient_id",))


def test_no_rule_is_said() -> None:
    only = table(service(rule("mg", {"modality": ("MG",)})))
    found = explain.explain(only, "store", {}, {}).as_json()
    assert (found["rule"], found["pool"], found["chosen"], found["members"]) == (None, None, None, [])
    assert found["missing"] == ["modality"]


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(NotFound):
        explain.explain(TABLE, "shop", {}, VIEWS)
    with pytest.raises(InputRefused):
        explain.explain(TABLE, "store", {"shoe": "42"}, VIEWS)


GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "modality": st.sampled_from(["MG", "CT"]),
        "calling_ae": st.sampled_from(["MG1", "CT1"]),
        "study_uid": st.text("12.", max_size=6),
    },
)


@given(GIVEN, st.sampled_from([None, "a", "b", "x", "gone"]), st.booleans())
def test_dicom_20_explain_does_not_differ(given: dict[str, str], pin: str | None, readable: bool) -> None:
    found = explain.explain(TABLE, "store", given, VIEWS, pin, readable=readable)
    choice = rules.choose(TABLE.services["store"], given, readable)
    assert choice.rule is not None
    held = TABLE.pools[choice.rule.pool]
    chosen = members.choose(held, keys.key(held, given, readable), pin, VIEWS[held.name])
    assert (found.rule, found.selection.member, found.selection.repin) == (choice.rule.name, chosen.member, chosen.repin)
    assert set(held.members) <= set(found.selection.reasons)
