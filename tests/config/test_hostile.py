"""Every text of an http or tcp document × the hostile corpus: refused, or it stands in the document as it was written."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
import yaml

from gurney.config.proxied import ProxyCheck
from gurney.config.reader import read
from tests.config.documents import PORTAL
from tests.config.hostile import FRAGMENTS, payloads

EACH = {"quick": 2, "chaos": 200}.get(os.environ.get("GURNEY_COUNTS", ""), 12)  # payloads a place
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202e\ufeff]")
Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every text of a document, and every key that a person may choose; a key's place ends with `key`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if at and at[-1] in ("applications", "services", "pools", "members", "match", "header", "sites"):
                yield (*at, name, "key")
            yield from places(inner, (*at, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*at, index))
    else:
        yield at


def put(value: Any, at: Place, text: str) -> Any:
    """The document with `text` at a place."""
    if not at:
        return text
    step, *rest = at
    if rest == ["key"]:
        return {(text if name == step else name): inner for name, inner in value.items()}
    if isinstance(value, dict):
        return {name: put(inner, tuple(rest), text) if name == step else inner for name, inner in value.items()}
    return [put(inner, tuple(rest), text) if index == step else inner for index, inner in enumerate(value)]


def texts(value: object) -> Iterator[str]:
    """Every text of a checked document but the paths of the document itself."""
    if is_dataclass(value):
        for item in fields(value):
            if item.name != "path" or isinstance(value, ProxyCheck):
                yield from texts(getattr(value, item.name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from texts(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def _folded(text: str) -> set[str]:
    """A text as a field may keep it: case folded, a fact with its prefix, a network or address in canonical form elsewhere."""
    return {text, text.lower(), text.upper(), f"header:{text.lower()}", text.lower().removeprefix("header:")}


@pytest.mark.timeout(600)
def test_every_text_is_refused_or_stands_as_it_was_written() -> None:
    whole = yaml.load(PORTAL, Loader=yaml.BaseLoader)
    before = read(PORTAL).document
    assert before is not None
    usual, chance = set(texts(before)), random.Random(20261124)
    corpus, refused, kept = payloads(), 0, 0
    every = list(places(whole))
    for place in every:
        for text in chance.sample(corpus, min(EACH, len(corpus))):
            document = read(json.dumps(put(whole, place, text))).document
            if document is None:
                refused += 1
                continue
            kept += 1
            new = set(texts(document)) - usual
            assert new <= _folded(text), (place, text, new)
            assert not any(CONTROLS.search(one) for one in texts(document)), (place, text)
    print(f"config-hostile places={len(every)} payloads={len(corpus)} read={refused + kept} refused={refused} kept={kept} changed=0")
    assert len(every) > 140 and len(corpus) > 150 and refused > 5 * kept > 0


def test_the_corpus_has_what_it_is_for() -> None:
    assert {"%[env(X)]", "${X}", "\n", "\r", "\0", "\u2028", "'", '"', "\\", "#", ";", "{}", "-f", "-m", "--"} <= set(FRAGMENTS)
    assert len(payloads()) >= 150


def test_the_watch_bites() -> None:
    """A field that kept another text than was written would be seen."""
    assert not {"portal.example.org"} <= _folded("Portal.example.net")
    assert set(texts(read(PORTAL.replace("/health", "/sick")).document)) - set(texts(read(PORTAL).document)) == {"/sick"}
