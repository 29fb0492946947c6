"""The canonical form: the same for what means the same, another for what does not."""

from __future__ import annotations

import random
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from gurney.config import canonical
from gurney.config.document import Document
from gurney.config.reader import read
from tests.config.documents import EVERYTHING, PORTAL, SMALLEST
from tests.config.made import documents


def document(text: str) -> Document:
    """The document of a legal text."""
    found = read(text).document
    assert found is not None
    return found


def _shuffled(value: Any, chance: random.Random, name: str = "") -> Any:
    """The same with the keys of every mapping but `members` in another order."""
    if isinstance(value, dict):
        keys = list(value)
        if name != "members":
            chance.shuffle(keys)
        return {key: _shuffled(value[key], chance, key) for key in keys}
    return [_shuffled(item, chance) for item in value] if isinstance(value, list) else value


@given(documents(), st.integers(0, 1000))
def test_the_order_of_keys_says_nothing(made: dict[str, Any], seed: int) -> None:
    one = document(yaml.safe_dump(made, sort_keys=False))
    other = document(yaml.safe_dump(_shuffled(made, random.Random(seed)), sort_keys=False, default_flow_style=True))
    assert canonical.text(one) == canonical.text(other)
    assert canonical.digest(one) == canonical.digest(other)


def test_short_and_long_forms_comments_and_written_defaults_say_the_same() -> None:
    long = """
# the same, at length
applications:
  pacs:
    pools:
      archive:
        weight: 100
        keep: study
        members:
          ARCHIVE1: {ae_title: ARCHIVE1, address: 10.0.0.11, port: 11112}
          ARCHIVE2: {address: ARCHIVE2@10.0.0.12:11112, max_bytes: 256MiB}
    services:
      store:
        protocol: dicom
        listen: ["11112"]
        accept_from: 10.0.0.0/8
        echo: local
        rules: [{name: rule-1, pool: archive}]
gurney: 1
"""
    assert canonical.text(document(long)) == canonical.text(document(SMALLEST))


def test_every_change_of_meaning_changes_the_digest() -> None:
    digests = {canonical.digest(document(EVERYTHING))}
    changes = (
        ("weight: 50", "weight: 51"),
        ("urgency: critical", "urgency: bulk"),
        ("modality: MG", "modality: CT"),
        ("[11112, 10.0.0.2:104,", "[10.0.0.2:104, 11112,"),
        ("1m, rise: 1", "1m, rise: 2"),
        ("cloud: aws", "cloud: gcp"),
        ("archive-1: ARCHIVE1@10.0.0.11:11112\n          archive-2:", "archive-0: ARCHIVE1@10.0.0.11:11112\n          archive-2:"),
        ('[BREAST@10.0.0.21:104, "[fd00::21]:104",', '["[fd00::21]:104", BREAST@10.0.0.21:104,'),
    )
    for old, new in changes:
        assert old in EVERYTHING
        digests.add(canonical.digest(document(EVERYTHING.replace(old, new))))
    assert len(digests) == len(changes) + 1


def test_every_change_of_what_haproxy_carries_changes_the_digest() -> None:
    digests = {canonical.digest(document(PORTAL))}
    changes = (
        ("path: /health", "path: /healthy"),
        ("path: /two", "path: /three"),
        ("weight: 20", "weight: 21"),
        ("tls/portal.pem, tls/north.pem", "tls/north.pem, tls/portal.pem"),
        ("max_in_flight: none", "max_in_flight: 200"),
        ("base: /images", "base: /pictures"),
        ("[10.0.4.1:5432, {address: 10.0.4.2:5432, proxy: v1}]", "[{address: 10.0.4.2:5432, proxy: v1}, 10.0.4.1:5432]"),
        ("hsts: 1y", "hsts: 2y"),
    )
    for old, new in changes:
        assert old in PORTAL
        digests.add(canonical.digest(document(PORTAL.replace(old, new))))
    assert len(digests) == len(changes) + 1


def test_paths_are_not_in_it() -> None:
    assert '"path"' not in canonical.text(document(EVERYTHING))
    assert canonical.text(document(EVERYTHING)).count("\n") == 1
