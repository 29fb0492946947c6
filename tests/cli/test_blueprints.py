"""Blueprints teach: what stands in them as a comment is right as well once its # is off."""

from __future__ import annotations

import re

import pytest

from gurney.cli import blueprints
from gurney.config import reader

COMMENTED = re.compile(r"^(\s+)# (\s*[a-z][\w-]*:( .*)?)$", re.MULTILINE)


def uncommented(text: str) -> str:
    """The document with every commented key switched on."""
    return COMMENTED.sub(r"\1\2", text)


@pytest.mark.parametrize("name", blueprints.names())
def test_what_is_commented_out_is_right_as_well(name: str) -> None:
    text = blueprints.text(name)
    assert [str(fault) for fault in reader.read(uncommented(text), name).errors] == []
    assert "# " in text and all(len(line) <= 140 for line in text.splitlines())


def test_the_tls_of_the_web_blueprint_is_among_it() -> None:
    document = reader.read(uncommented(blueprints.text("web"))).document
    assert document is not None
    tls = document.applications["portal"].proxied["web"].tls
    assert tls is not None and tls.certificates == ("portal.pem",)
    members = document.applications["portal"].proxied_pools["portal"].members
    assert members["portal-3"].tls is not None


def test_a_blueprint_says_in_its_first_line_what_it_is_for() -> None:
    assert all(blueprints.about(name).endswith(".") and len(blueprints.about(name)) <= 100 for name in blueprints.names())
