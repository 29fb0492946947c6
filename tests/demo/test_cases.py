"""What a blueprint's cases may say, and that what they may not say is named."""

from __future__ import annotations

import pytest

from gurney.cli import blueprints
from gurney.demo import cases
from gurney.demo.cases import Act
from gurney.demo.loopback import moved
from gurney.demo.senders import SENDERS
from gurney.errors import InputRefused

GOOD = """
cases:
  - case: a member dies while requests come
    first: {drain: portal/portal-2}
    send: {to: portal/web, count: 20, from: [10.8.0.1, 10.8.0.2], path: /x}
    halfway: {kill: [portal/portal-1, portal/portal-3]}
    expect: {answer: 200, pool: portal, members: 2, arrives: {x-forwarded-for: 10.8.0.1}}
"""


def test_a_case_is_read_into_typed_data() -> None:
    (case,) = cases.read(GOOD, "cases.yaml")
    assert (case.application, case.service, case.count, case.sources) == ("portal", "web", 20, ("10.8.0.1", "10.8.0.2"))
    assert case.more == {"path": "/x"}
    assert case.first == (Act("drain", "portal/portal-2"),)
    assert case.halfway == (Act("kill", "portal/portal-1"), Act("kill", "portal/portal-3"))
    assert (case.expect.answer, case.expect.pool, case.expect.members) == ("200", "portal", 2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("first: {drain", "frist: {drain", "frist"),
        ("{drain: portal", "{reboot: portal", "reboot"),
        ("answer: 200", "anwser: 200", "anwser"),
        ("count: 20", "count: 2000", "count"),
        ("to: portal/web, ", "", "to"),
        ("answer: 200, ", "", "answer"),
        ("cases:", "case:", "cases"),
        ("{to:", "{{to:", "cases.yaml"),
    ],
)
def test_what_a_case_may_not_say_is_named(old: str, new: str, said: str) -> None:
    with pytest.raises(InputRefused, match=said):
        cases.read(GOOD.replace(old, new), "cases.yaml")


@pytest.mark.parametrize("name", blueprints.names())
def test_the_cases_of_every_blueprint_fit_its_document(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Services and pools they name are there, what they send is known to the protocol's sender."""
    ports = iter(range(30000, 40000))
    document = moved(blueprints.text(name), name, tmp_path_factory.mktemp("disks"), lambda: next(ports))
    for case in cases.read((blueprints.place(name) / "cases.yaml").read_text(), name):
        protocol = document.services[f"{case.application}/{case.service}"][0]
        pools = {path.split("/")[1] for path in document.places if path.startswith(f"{case.application}/")}
        assert set(case.more) <= SENDERS[protocol].WORDS  # type: ignore[attr-defined]
        assert case.expect.pool is None or case.expect.pool in pools
        named = case.expect.members if isinstance(case.expect.members, frozenset) else frozenset()
        assert {f"{case.application}/{member}" for member in named} <= set(document.places)
