"""What a person reads of a change: one line a difference, with its document path."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from gurney.config.document import Application
from gurney.config.overrides import Override, lay
from gurney.config.proxied import ListenerTls, MemberTls
from gurney.config.reader import read
from gurney.plan.difference import differences

DOCUMENT = """
gurney: 1
applications:
  pacs:
    services:
      store:
        protocol: dicom
        listen: 11112
        accept_from: [CT1@10.0.0.31, 10.9.0.0/16]
        rules:
          - {name: mammography, match: {modality: MG}, pool: breast}
          - {name: rest, pool: archive}
    pools:
      archive:
        check: {interval: 2s, timeout: 2s}
        members:
          archive-1: ARCHIVE1@10.0.0.11:11112
          archive-2: {address: ARCHIVE2@10.0.0.12:11112, weight: 50}
      breast: [BREAST@10.0.0.21:104]
"""


def application(text: str, **overrides: str) -> Application:
    reading = read(text)
    assert reading.document is not None, reading.faults
    laid = [Override(f"pacs/archive/{name.replace('_', '-')}", word, None, None, "test", 0.0) for name, word in overrides.items()]
    return lay(reading.document, laid).applications["pacs"]


def lines(old: str, new: str) -> list[str]:
    assert old in DOCUMENT
    return [str(one) for one in differences(application(DOCUMENT), application(DOCUMENT.replace(old, new)))]


ROOT = "applications.pacs"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", []),
        ("weight: 50", "weight: 70", ["pools.archive.members.archive-2.weight: 50 → 70"]),
        ("weight: 50", "max_associations: 1, weight: 50", ["pools.archive.members.archive-2.max_associations: 8 → 1"]),
        ("weight: 50", "max_bytes: 64MiB, weight: 50", ["pools.archive.members.archive-2.max_bytes: 256MiB → 64MiB"]),
        (
            "ARCHIVE1@10.0.0.11:11112",
            "ARCH1@10.0.0.11:104",
            ["pools.archive.members.archive-1.address: ARCHIVE1@10.0.0.11:11112 → ARCH1@10.0.0.11:104"],
        ),
        (
            "          archive-1: ARCHIVE1@10.0.0.11:11112\n",
            "          archive-3: ARCHIVE3@10.0.0.13:11112\n",
            ["pools.archive.members.archive-1: member removed", "pools.archive.members.archive-3: member added: ARCHIVE3@10.0.0.13:11112"],
        ),
        ("modality: MG", "modality: [MG, US]", ["services.store.rules[0].match: modality MG → modality MG or US"]),
        ("pool: breast}", "pool: archive}", ["services.store.rules[0].pool: breast → archive"]),
        (
            "          - {name: rest, pool: archive}",
            "          - {name: ct, match: {modality: CT, calling_ae: CT1}, pool: breast}\n          - {name: rest, pool: archive}",
            ["services.store.rules[1]: rule added: calling_ae CT1 and modality CT → pool breast"],
        ),
        ("          - {name: mammography, match: {modality: MG}, pool: breast}\n", "", ["services.store.rules[0]: rule removed"]),
        ("listen: 11112", "listen: [11112, 104]", ["services.store.listen: *:11112 → *:11112, *:104"]),
        (
            "10.9.0.0/16]",
            "MR*@10.8.0.0/16]",
            ["services.store.accept_from: CT1@10.0.0.31/32, 10.9.0.0/16 → CT1@10.0.0.31/32, MR*@10.8.0.0/16"],
        ),
        ("        rules:", "        limits: {associations: 20}\n        rules:", ["services.store.limits.associations: 256 → 20"]),
        ("        rules:", "        replay_limit: 8MiB\n        rules:", ["services.store.replay_limit: 64MiB → 8MiB"]),
        (
            "interval: 2s",
            "interval: 2500ms",
            [f"pools.archive.members.archive-{at}.check.interval: 2s → 2500ms" for at in (1, 2)],
        ),
        ("        check:", "        balance: least-load\n        check:", ["pools.archive.balance: study → least-load"]),
        ("        check:", "        statuses: {A9xx: next}\n        check:", ["pools.archive.statuses.A9xx: none → next"]),
        (
            "    pools:",
            "      second: {protocol: dicom, listen: 104, rules: [{pool: archive}]}\n    pools:",
            ["services.second: service added: dicom on *:104, 1 rule"],
        ),
    ],
)
def test_a_difference_is_one_line_with_its_path(old: str, new: str, said: list[str]) -> None:
    found = [line for line in lines(old, new) if not line.endswith("order mammography, rest → rest, mammography")]
    assert found == [f"{ROOT}.{line}" for line in said]


def test_a_new_order_of_rules_or_members_is_said() -> None:
    first, second = (
        "          - {name: mammography, match: {modality: MG}, pool: breast}\n",
        "          - {name: us, match: {modality: US}, pool: breast}\n",
    )
    before, after = DOCUMENT.replace(first, first + second), DOCUMENT.replace(first, second + first)
    found = [str(one) for one in differences(application(before), application(after))]
    assert found == [f"{ROOT}.services.store.rules: order mammography, us, rest → us, mammography, rest"]


@pytest.mark.parametrize(("word", "said"), [("drain", "none → drain"), ("disable", "none → disable"), ("weight=7", "none → weight=7")])
def test_an_override_is_one_line(word: str, said: str) -> None:
    found = differences(application(DOCUMENT), application(DOCUMENT, archive_1=word))
    assert [str(one) for one in found] == [f"{ROOT}.pools.archive.members.archive-1: override {said}"]


def test_an_application_that_comes_or_goes_is_one_line() -> None:
    there = application(DOCUMENT)
    assert [str(one) for one in differences(None, there)] == [f"{ROOT}: added: 1 service, 2 pools, 3 members"]
    assert [str(one) for one in differences(there, None)] == [f"{ROOT}: removed: 1 service, 2 pools, 3 members"]
    assert differences(None, None) == ()


def test_every_field_that_can_differ_is_said() -> None:
    """A field added to the document's types must be added to the plan too."""
    there = application(DOCUMENT)
    store, archive = there.services["store"], there.pools["archive"]
    member, rule = archive.members["archive-1"], store.rules[0]

    def other(name: str, value: object) -> object:
        if isinstance(value, int) or name in ("rate", "max_object"):
            return 77
        if isinstance(value, tuple):
            return ()
        return "other"

    def changed(node: object) -> list[object]:
        skipped = ("name", "path", "members", "rules", "check", "limits", "statuses", "match", "override", "tls")
        return [
            replace(node, **{item.name: other(item.name, getattr(node, item.name))}) for item in fields(node) if item.name not in skipped
        ]  # type: ignore[type-var, arg-type]

    variants: list[Application] = []
    variants += [replace(there, services={"store": one}) for one in changed(store)]  # type: ignore[dict-item]
    variants += [replace(there, services={"store": replace(store, rules=(one, store.rules[1]))}) for one in changed(rule)]  # type: ignore[arg-type]
    variants += [replace(there, services={"store": replace(store, limits=one)}) for one in changed(store.limits)]  # type: ignore[arg-type]
    pools = changed(archive)
    pools += [replace(archive, members={**archive.members, "archive-1": one}) for one in changed(member)]  # type: ignore[dict-item]
    checks = changed(member.check)
    pools += [replace(archive, members={**archive.members, "archive-1": replace(member, check=one)}) for one in checks]  # type: ignore[arg-type]
    variants += [replace(there, pools={**there.pools, "archive": one}) for one in pools]  # type: ignore[dict-item]
    inward, outward = ListenerTls(("a.pem",), "ca.pem", "crl.pem", "modified"), MemberTls("system", "vna", "own.pem")
    secured = replace(there, services={"store": replace(store, tls=inward)})
    variants += [
        secured,
        replace(there, pools={**there.pools, "archive": replace(archive, members={"archive-1": replace(member, tls=outward)})}),
    ]
    assert len(variants) > 30
    for one in changed(inward):
        assert differences(secured, replace(there, services={"store": replace(store, tls=one)}))  # type: ignore[arg-type]
    for variant in variants:
        if variant != there:
            assert differences(there, variant), variant
