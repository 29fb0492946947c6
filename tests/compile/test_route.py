"""Compiling one application into its route table: what it depends on, its listeners, and the way back to the document."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gurney.compile import route
from gurney.config.document import Listen
from gurney.config.reader import read
from gurney.errors import NotFound
from tests.golden.pairs import ROUTE, document


def test_another_application_does_not_change_this_ones_table() -> None:
    assert route.compile(document("two-applications"), "pacs") == route.compile(document("smallest"), "pacs")


def test_an_unknown_application_is_said() -> None:
    with pytest.raises(NotFound):
        route.compile(document("smallest"), "pasc")


def test_listeners_have_names() -> None:
    assert route.compile(document("hospital"), "pacs").listeners == (
        ("*:11112", "", 11112),
        ("*:11113", "", 11113),
        ("10.0.0.2:104", "10.0.0.2", 104),
        ("[2001:db8::2]:104", "2001:db8::2", 104),
    )


def test_a_listener_named_twice_is_bound_once() -> None:
    found = document("smallest")
    pacs = found.applications["pacs"]
    store = replace(pacs.services["store"], listen=(Listen("", 11112), Listen("", 11112)))
    twice = replace(found, applications={"pacs": replace(pacs, services={"store": store})})
    assert route.compile(twice, "pacs").listeners == (("*:11112", "", 11112),)


@pytest.mark.parametrize(
    ("table_path", "document_path"),
    [
        ("pools.archive.members[1].weight", "applications.pacs.pools.archive.members.alpha.weight"),
        ("pools.archive.members[0].check.interval_ms", "applications.pacs.pools.archive.members.zulu.check"),
        ("pools.archive.members[2].host", "applications.pacs.pools.archive.members.echo.address"),
        ("pools.breast.balance", "applications.pacs.pools.breast.balance"),
        ("services.store.rules[0].match.modality", "applications.pacs.services.store.rules[0].match"),
        ("services.store.rules[2]", "applications.pacs.services.store.rules[2]"),
        ("services.store.listen[0].port", "applications.pacs.services.store.listen"),
        ("application", None),
    ],
)
def test_a_complaint_about_the_table_finds_its_place_in_the_document(table_path: str, document_path: str | None) -> None:
    made = route.compile(document("hospital"), "pacs")
    assert made.document_path(table_path) == document_path
    assert document_path is None or table_path.startswith(made.table_paths(document_path)[0])


def test_every_place_exists_in_the_document() -> None:
    reading = read((ROUTE / "hospital.yaml").read_text("utf-8"))
    made = route.compile(document("hospital"), "pacs")
    nodes = {path for table_path, path in made.paths.items() if table_path.count(".") == 1 or table_path.endswith("]")}
    assert nodes - set(reading.marks) == set()
