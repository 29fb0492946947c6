"""What the reader accepts, HAProxy's compiler takes and the real checker passes: no range or form of `config` is wider than theirs."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from gurney.compile import haproxy
from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy import keywords
from gurney.config.document import Document
from gurney.config.reader import read
from tests.config import made_proxied
from tests.config.documents import PORTAL, with_web, with_web_pool
from tests.golden.proxied import ground, texts
from tests.golden.real import checked

MADE = {"quick": 10, "chaos": 1000}.get(os.environ.get("GURNEY_COUNTS", ""), 50)
WIDEST = (
    with_web("limits: {connections: 1000000, headers: 1d, idle: 1d, body: 1024TiB}"),
    with_web("limits: {connections: 1, headers: 100ms, idle: 100ms, body: 1B}"),
    with_web("tls: {certificate: a.pem, hsts: 10y, redirect_from: 65535}"),
    with_web_pool("{persist: {by: cookie, for: 24d, then: source}, slow_start: 1h, panic: 100%, members: ['10.0.0.1:65535']}"),
    with_web_pool(
        "{persist: {by: source, for: 24d}, max_in_flight: 100000, queue: {most: 100000, wait: 1d}, members: ['10.0.0.1:1']}", "tcp"
    ),
    with_web_pool("{balance: 'header:-', max_in_flight: 1, queue: {most: 1, wait: 100ms}, panic: 0%, members: ['[fd00::1]:1']}"),
    with_web_pool("{check: {interval: 1h, timeout: 1h, rise: 100, fall: 100, expect: [100-599]}, members: ['10.0.0.1:1']}"),
    with_web_pool("{check: {path: '/c(x)/env(X)', interval: 50ms}, members: ['10.0.0.1:1']}"),
    with_web("base: '/$x/a(b)!&*+,;=:@~', rules: [{match: {path: '/env(PATH)*'}, pool: pages}, {pool: pages}]"),
    with_web("rules: [{match: {'header:X-A': '-f /etc/passwd %[env(X)] ${X} \"\\ #'}, pool: pages}, {pool: pages}]"),
)


def files(document: Document) -> dict[str, str]:
    """HAProxy's files for the document's one application with such services; judged by the compiler's own table of words."""
    (name,) = [application.name for application in document.applications.values() if application.proxied]
    content = haproxy.TARGET.compile(document, name, ground("made", document))
    assert content is not None
    found = texts(bundles.load(content))
    assert keywords.judge("haproxy.cfg", found["haproxy.cfg"]) == ()
    return found


def complaints(document: Document) -> list[str]:
    """What the real checker says."""
    with tempfile.TemporaryDirectory() as folder:
        bundle, place = Path(folder) / "bundle", Path(folder) / "place"
        place.mkdir()
        for at, text in files(document).items():
            (bundle / at).parent.mkdir(parents=True, exist_ok=True)
            (bundle / at).write_text(text, "ascii")
        return checked(bundle, place)


def legal(text: str) -> Document:
    """The document of a text without errors."""
    reading = read(text)
    assert reading.document is not None, "\n".join(map(str, reading.faults))
    return reading.document


def spelt(application: dict[str, Any]) -> str:
    """A whole document with a made application."""
    return yaml.safe_dump(
        {"gurney": 1, "sites": {"london": {"jurisdiction": "GB"}}, "applications": {"made": application}}, sort_keys=False
    )


@settings(max_examples=MADE)
@given(made_proxied.applications("london"))
def test_every_made_document_compiles(application: dict[str, Any]) -> None:
    assert files(legal(spelt(application)))["haproxy.cfg"]


@pytest.mark.parametrize("text", WIDEST)
def test_the_ends_of_every_range_compile(text: str) -> None:
    assert files(legal(text))["haproxy.cfg"]


@pytest.mark.live
def test_http_the_real_checker_passes_what_the_reader_accepts() -> None:
    said: Counter[str] = Counter()
    number = 0
    for text in (PORTAL, *WIDEST):
        said.update(complaints(legal(text)))
        number += 1

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(made_proxied.applications("london"))
    def look(application: dict[str, Any]) -> None:
        nonlocal number
        said.update(complaints(legal(spelt(application))))
        number += 1

    look()
    print(f"config-checker documents={number} refused_or_warned={sum(said.values())}")
    assert said == Counter() and number > 25
