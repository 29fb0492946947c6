"""The reference is what the code says, and nothing in the code is left unexplained."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import TOP, pages
from tools.reference.pages import PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    path = TOP / "docs/reference" / name
    assert path.exists() and path.read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_no_page_is_left_over() -> None:
    assert sorted(path.name for path in (TOP / "docs/reference").iterdir()) == sorted(PAGES)


def test_the_index_names_every_page() -> None:
    assert [name for name in PAGES if f"reference/{name}" not in pages()["docs/README.md"]] == []


def test_every_diagnostics_code_is_explained() -> None:
    """The codes the reader and the lint rules can say are those of the table, no more and no less."""
    from gurney.config.codes import CODES

    folder = TOP / "src/gurney/config"
    said = {
        found
        for path in folder.rglob("*.py")
        if path.name != "codes.py"
        for found in re.findall(r"GRN-[A-DF-Z]\d{3}", path.read_text(encoding="utf-8"))
    }
    assert sorted(said) == sorted(CODES)


def test_every_condition_is_explained_to_operators() -> None:
    from gurney.control import conditions as of_control
    from gurney.deliver import conditions as of_routes
    from gurney.engines.haproxy import conditions as of_haproxy

    text = pages()["docs/operating.md"]
    assert [name for name in {**of_control.MEANINGS, **of_routes.MEANINGS, **of_haproxy.MEANINGS} if f"`{name}`" not in text] == []


def test_every_condition_of_the_status_policy_is_a_known_one() -> None:
    from gurney.balance import policy
    from gurney.deliver.conditions import MEANINGS

    assert {action.condition for action in policy.TABLE.values() if action.condition} <= set(MEANINGS)


def test_every_verb_stands_in_a_guide() -> None:
    from tools.reference.verbs import commands

    text = "".join(text for page, text in pages().items() if not page.startswith("docs/reference/"))
    assert [name for name in commands() if f"gurney {name}" not in text] == []


def test_every_error_class_has_a_code_of_its_own() -> None:
    from tools.reference.operating import error_classes

    codes = [item.code for item in error_classes()]
    assert len(codes) == len(set(codes)) and all(item.title for item in error_classes())
