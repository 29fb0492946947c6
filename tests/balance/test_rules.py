"""Rules: the first that matches, those that still could, and who is admitted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.balance import facts, rules
from gurney.config.document import Peer
from tests.balance.hospital import rule, service

RULES = service(
    rule("mammography", {"modality": ("MG",)}),
    rule("research", {"tag(0019,xx10,ACME)": ("R*",), "network": ("10.9.0.0/16", "lab-*")}),
    rule("ct-room", {"calling_ae": ("CT1", "CT2")}),
    rule("priors", {"accession": ("P*",), "image_type": ("DERIVED",)}),
    rule("alias", {"tag(0008,0070)": ("ACME*",)}),
    rule("rest"),
)


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({"modality": "MG", "calling_ae": "CT1"}, "mammography"),
        ({"modality": "CT", "calling_ae": "CT1"}, "ct-room"),
        ({"tag(0019,xx10,ACME)": "R2", "network": "10.9.1.2"}, "research"),
        ({"tag(0019,xx10,ACME)": "R2", "network": "10.8.1.2"}, "rest"),
        ({"tag(0019,xx10,ACME)": "R2", "network": "lab-3"}, "research"),
        ({"accession": "P17", "image_type": "DERIVED\\SECONDARY"}, "priors"),
        ({"accession": "P17"}, "rest"),
        ({"manufacturer": "ACME Corp"}, "alias"),
        ({}, "rest"),
    ],
)
def test_dicom_20_the_first_rule_that_matches_wins(given: dict[str, str], chosen: str) -> None:
    choice = rules.choose(RULES, given)
    assert choice.rule is not None and choice.rule.name == chosen
    names = [one.name for one in RULES.rules]
    assert [name for name, _ in choice.passed] == names[: names.index(chosen)]


def test_why_a_rule_was_passed_names_facts_and_never_values() -> None:
    choice = rules.choose(RULES, {"modality": "SECRET", "accession": "P1", "image_type": "SECRET", "network": "SECRET", "calling_ae": "X"})
    assert choice.passed == (
        ("mammography", "modality does not fit MG"),
        ("research", "tag(0019,xx10,ACME) is missing"),
        ("ct-room", "calling_ae does not fit CT1 or CT2"),
        ("priors", "image_type does not fit DERIVED"),
        ("alias", "tag(0008,0070) is missing"),
    )


def test_dicom_23_what_cannot_be_read_follows_the_last_rule() -> None:
    choice = rules.choose(RULES, {"calling_ae": "CT1"}, readable=False)
    assert choice.rule is not None and choice.rule.name == "rest"
    assert {why for _, why in choice.passed} == {"the data set cannot be read"}
    last = service(rule("first"), rule("mg", {"modality": ("MG",)}))
    assert rules.choose(last, {}, readable=False).rule is None


def test_no_rule_may_match() -> None:
    assert rules.choose(service(rule("mg", {"modality": ("MG",)})), {"modality": "CT"}).rule is None


def names(known: dict[str, str]) -> list[str]:
    return [one.name for one in rules.possible(RULES, known)]


def test_what_is_still_possible_when_only_the_association_is_known() -> None:
    assert names({"calling_ae": "MR1", "network": "10.8.0.1"}) == ["mammography", "priors", "alias", "rest"]
    assert names({"calling_ae": "CT2", "network": "10.9.0.1"}) == ["mammography", "research", "ct-room"]


def test_facts_of_the_association_are_known_even_when_missing() -> None:
    only = service(rule("toolkit", {"implementation": ("OFFIS*",)}), rule("mg", {"sop_class": ("1.2*",)}), rule("rest"))
    assert [one.name for one in rules.possible(only, {"calling_ae": "X"})] == ["mg", "rest"]
    assert [one.name for one in rules.possible(only, {"calling_ae": "X", "sop_class": "1.2.3"})] == ["mg"]
    assert [one.name for one in rules.possible(only, {"calling_ae": "X", "sop_class": "9"})] == ["rest"]


VALUES = st.sampled_from(["MG", "CT", "CT1", "P1", "DERIVED\\X", "ACME 1", "R2", "10.9.0.1"])
GIVEN = st.dictionaries(
    st.sampled_from(["calling_ae", "network", "modality", "accession", "image_type", "manufacturer", "tag(0019,xx10,ACME)"]), VALUES
)


@given(GIVEN)
def test_the_rule_that_wins_was_possible(given: dict[str, str]) -> None:
    known = {name: value for name, value in given.items() if name in facts.ASSOCIATION}
    choice = rules.choose(RULES, given)
    assert choice.rule in rules.possible(RULES, known)
    assert choice.rule in rules.possible(RULES, given)


PEERS = (Peer("CT1", "10.0.0.31/32"), Peer("MR*", "10.0.3.0/24"), Peer("*", "10.9.0.0/16"), Peer("US1", None), Peer("*", "2001:db8::/32"))


@pytest.mark.parametrize(
    ("ae", "address", "admitted"),
    [
        ("CT1", "10.0.0.31", True),
        ("CT1", "10.0.0.32", False),
        ("CT2", "10.0.0.31", False),
        ("MR9", "10.0.3.77", True),
        ("MR9", "::ffff:10.0.3.77", True),
        ("ANY", "10.9.255.255", True),
        ("US1", "192.0.2.1", True),
        ("us1", "192.0.2.1", False),
        ("ANY", "2001:db8::5", True),
        ("ANY", "2001:db9::5", False),
        ("ANY", "no address", False),
    ],
)
def test_who_is_admitted(ae: str, address: str, admitted: bool) -> None:
    assert rules.admits(PEERS, ae, address) is admitted


def test_without_a_list_everyone_is_admitted() -> None:
    assert rules.admits((), "ANY", "192.0.2.1")
