"""Lint: each rule bites on what it is for and on nothing beside it; faults elsewhere keep it silent."""

from __future__ import annotations

import pytest

from gurney.config.reader import read
from tests.config.documents import with_pool, with_service


def lint(text: str) -> list[str]:
    """The lint codes of a document, in file order."""
    return [fault.code for fault in read(text).faults if fault.code.startswith("GRN-L")]


def two(first: str, second: str) -> str:
    """Two applications with a listener each."""
    application = "  {name}:\n    services: {{s: {{protocol: dicom, listen: {listen}}}}}\n    pools: {{p: [A@10.0.0.1:104]}}\n"
    return "gurney: 1\napplications:\n" + application.format(name="a", listen=first) + application.format(name="b", listen=second)


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("104", "104", True),
        ("104", "105", False),
        ("104", "10.0.0.2:104", True),
        ("10.0.0.2:104", "104", True),
        ("10.0.0.2:104", "10.0.0.3:104", False),
        ("10.0.0.2:104", "10.0.0.2:104", True),
        ("0.0.0.0:104", "10.0.0.2:104", True),
        ("10.0.0.2:104", "0.0.0.0:104", True),
        ("0.0.0.0:104", "'[fd00::2]:104'", False),
        ("'[::]:104'", "'[fd00::2]:104'", True),
        ("'[fd00::2]:104'", "'[::]:104'", True),
        ("'[::]:104'", "0.0.0.0:104", False),
        ("'[::]:104'", "104", True),
        ("'[fd00::2]:104'", "'[FD00:0::2]:104'", True),
    ],
)
def test_one_address_has_one_listener(first: str, second: str, clash: bool) -> None:
    assert lint(two(first, second)) == (["GRN-L004"] if clash else [])


@pytest.mark.parametrize(
    ("member", "circle"),
    [
        ("A@127.0.0.1:11112", True),
        ("A@localhost:11112", True),
        ("'A@[::1]:11112'", True),
        ("A@127.0.0.1:11113", False),
        ("A@10.0.0.1:11112", False),
    ],
)
def test_a_member_is_not_its_own_service(member: str, circle: bool) -> None:
    assert lint(with_pool(f"[{member}]")) == (["GRN-L006"] if circle else [])


def test_another_applications_listener_may_be_a_member() -> None:
    chained = two("104", "105").replace("A@10.0.0.1:104", "A@127.0.0.1:105", 1)
    assert lint(chained) == []


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ("[{pool: archive}]", []),
        ("[{match: {modality: CT}, pool: archive}, {pool: archive}]", []),
        ("[{match: {modality: CT}, pool: archive}]", ["GRN-L002"]),
        ("[{pool: archive}, {match: {modality: CT}, pool: archive}]", ["GRN-L001"]),
        ("[{pool: archive}, {pool: archive}]", ["GRN-L001"]),
        ("[{match: {modality: [CT, MR]}, pool: archive}, {match: {modality: [MR, CT]}, pool: archive}, {pool: archive}]", ["GRN-L003"]),
        ("[{match: {modality: CT}, pool: archive}, {match: {modality: CT, station: A}, pool: archive}, {pool: archive}]", []),
        ("[{match: {called_ae: 'P*'}, pool: archive}, {pool: archive}]", []),
        ("[{match: {called_ae: 'X*'}, pool: archive}, {pool: archive}]", ["GRN-L011"]),
        ("[{match: {listener: '*:11112'}, pool: archive}, {pool: archive}]", []),
        ("[{match: {listener: '*:1'}, pool: archive}, {pool: archive}]", ["GRN-L012"]),
        ("[{match: {request: echo}, pool: archive}, {pool: archive}]", ["GRN-L013"]),
        ("[{match: {request: [echo, store]}, pool: archive}, {pool: archive}]", []),
    ],
)
def test_rules(rules: str, found: list[str]) -> None:
    assert lint(with_service(f"ae_title: PACS, rules: {rules}")) == found


@pytest.mark.parametrize(
    ("pool", "found"),
    [
        ("{members: {a: 'A@10.0.0.1:104', b: 'A@10.0.0.1:104'}}", ["GRN-L007"]),
        ("{members: {a: 'A@10.0.0.1:104', b: 'B@10.0.0.1:104'}}", []),
        ("{check: {kind: tcp, expect_contexts: [['1.2', '1.3']]}, members: ['A@10.0.0.1:104']}", ["GRN-L008"]),
        ("{check: {kind: tcp, expect_contexts: []}, members: ['A@10.0.0.1:104']}", []),
        ("{balance: failover, members: [{address: 'A@10.0.0.1:104', weight: 100}]}", ["GRN-L009"]),
        ("{balance: failover, members: ['A@10.0.0.1:104']}", []),
    ],
)
def test_pools(pool: str, found: list[str]) -> None:
    assert lint(with_pool(pool)) == found


def test_limits_and_senders() -> None:
    assert lint(with_service("limits: {associations_per_ae: 300}")) == ["GRN-L010"]
    assert lint(with_service("limits: {associations: 8}")) == []  # what was not written is not complained about
    assert lint(with_service("accept_from: [ct1.lan, CT1, CT1, CT1]")) == ["GRN-L015", "GRN-L016"]


def test_a_pool_only_a_later_service_leads_to_is_not_called_unused() -> None:
    text = with_service("rules: [{pool: archive, copy_to: [vna]}]") + "      vna: [VNA@10.0.0.31:104]\n      idle: [IDLE@10.0.0.32:104]\n"
    assert lint(text) == []  # `copy_to` may name any pool: judged again when it is gone
    assert lint(text.replace(", copy_to: [vna]", "")) == ["GRN-L005", "GRN-L005"]
