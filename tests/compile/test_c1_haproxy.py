"""C1 (reliability §1): no field value reaches HAProxy's grammar. Every text of a document that says everything × the hostile texts."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from gurney.compile import targets
from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy import keywords
from gurney.compile.haproxy.bundle import Bundle
from gurney.compile.target import Ground
from gurney.config import materials, reader
from gurney.config.document import Document
from gurney.config.proxied import Material
from gurney.errors import GurneyError
from tests.compile.hostile import payloads
from tests.compile.places import Path, places, spelled, with_text
from tests.compile.quoting import Foreign, Line, read

SERVICE = """
gurney: 1
applications:
  portal:
    services:
      site:
        protocol: http
        listen: ["127.0.0.1:18080", "127.0.0.2:18443"]
        hosts: [portal.example.org, "*.portal.example.org"]
        base: /app
        tls:
          certificate: [one.pem, two.pem]
          client_ca: clients.pem
          client: optional
          crl: revoked.pem
          alpn: [h2, http/1.1]
          hsts: 1y
          redirect_from: 18081
        accept_from: [127.0.0.0/8]
        accept_proxy_from: [127.0.0.2/32]
        trust_forwarded_from: [127.0.0.9/32]
        limits: {connections: "500", headers: 10s, body: 10MiB, idle: 60s}
    pools:
      web: ["10.0.2.1:8080"]
"""
RULES = """
gurney: 1
applications:
  portal:
    services:
      site:
        protocol: http
        listen: 18080
        rules:
          - name: some
            match:
              path: ["/api/*", /health, "*.css", "*/deep/*", "/a?b*c"]
              method: [GET, POST]
              host: portal.example.org
              network: 10.0.0.0/8
              "header:X-Tenant": ["a*b", exact]
            pool: api
          - pool: spare
    pools:
      spare: {balance: uri, members: ["10.0.2.9:8080"]}
      api: {fallback: spare, balance: "header:X-User", members: ["10.0.2.3:8080"]}
"""
POOL = """
gurney: 1
applications:
  portal:
    services:
      site: {protocol: http, listen: 18080}
    pools:
      web:
        persist: {by: cookie, for: 30m, then: source}
        max_in_flight: "200"
        queue: {most: "1000", wait: 5s}
        slow_start: 30s
        fallback: {page: sorry.html}
        panic: 30%
        check: {kind: http, path: /ready, host: inner.example.org, expect: 200-399, interval: 2s, timeout: 2s, rise: "2", fall: "3"}
        members:
          one:
            address: 10.0.2.1:8080
            weight: "50"
            tls: {ca: inner.pem, server_name: inner.example.org, certificate: me.pem}
            proxy: v2
          two: inner.example.org:8443
"""
TCP = """
gurney: 1
applications:
  portal:
    services:
      raw:
        protocol: tcp
        listen: 127.0.0.1:18090
        tls: {certificate: one.pem}
        hosts: [raw.example.org]
        rules:
          - match: {network: 127.0.0.0/8, host: "*.example.org"}
            pool: raw
          - pool: raw
    pools:
      raw: {balance: source, persist: source, members: {a: "10.0.2.4:8080"}}
"""

_ENTRY = re.compile(r"[!-\"$-~]([ -~]*[!-~])?\n")  # a line of a map or list: printable ASCII that begins no comment
COUNT = None if os.environ.get("GURNEY_COUNTS") == "chaos" else 160


TREES = {
    name: yaml.load(text, Loader=yaml.BaseLoader) for name, text in (("service", SERVICE), ("rules", RULES), ("pool", POOL), ("tcp", TCP))
}


def _ground(document: Document) -> Ground:
    """Every file the document names, as if it had been read."""
    found = {one.name: Material(one.kind, f"{at:064x}", ("portal.example.org",)) for at, one in enumerate(materials.wanted(document), 1)}
    return Ground(materials=found)


def _bundle(document: Document) -> Bundle:
    target = next(one for one in targets() if one.name == "haproxy")
    made = target.compile(document, "portal", _ground(document))
    assert made is not None
    return bundles.load(made)


def _shape(lines: list[Line]) -> list[tuple[str, str]]:
    return [(line.section, line.keyword) for line in lines]


def _reading(tree: Any) -> Document | None:
    return reader.read(spelled(tree)).document


GOOD = {name: _reading(tree) for name, tree in TREES.items()}


def test_the_documents_say_everything_and_are_good() -> None:
    for tree in TREES.values():
        assert [str(one) for one in reader.read(spelled(tree)).faults if one.severity == "error"] == []
    assert sum(len(places(tree)) for tree in TREES.values()) > 120


def _base(name: str) -> list[tuple[str, str]]:
    good = GOOD[name]
    assert good is not None
    return _shape(read(_bundle(good).files[bundles.CONFIGURATION]))


def _judged(made: Bundle, base: list[tuple[str, str]], *, same: bool) -> None:
    lines = read(made.files[bundles.CONFIGURATION])
    assert list(keywords.judge(bundles.CONFIGURATION, made.files[bundles.CONFIGURATION])) == []
    for name in made.files.keys() - {bundles.CONFIGURATION}:
        assert all(_ENTRY.fullmatch(line) for line in made.files[name].splitlines(keepends=True)), name
    known = {keyword for _, keyword in base}
    assert {line.keyword for line in lines} <= known, "a foreign keyword"
    if same:
        assert sorted(_shape(lines)) == sorted(base), "another tree"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TREES)
def test_no_text_leaves_its_field(name: str) -> None:
    """Refused with a fault, or the tree of lines is the same: 0 foreign keywords, 0 differing trees."""
    base, tree = _base(name), TREES[name]
    texts = payloads()[:COUNT] if COUNT is not None else payloads()
    tried = refused = 0
    defects: list[str] = []
    for path in places(tree):
        for text in texts:
            tried += 1
            document = _reading(with_text(tree, path, text))
            if document is None or "portal" not in document.applications:
                refused += 1
                continue
            try:
                _judged(_bundle(document), base, same=_same_tree(path))
            except (GurneyError, AssertionError, Foreign) as error:
                defects.append(f"{path} = {text!r}: {str(error).splitlines()[0]}")
    print(f"C1 {name}: tried={tried} refused={refused} compiled={tried - refused} defects={len(defects)}")
    assert not defects, "\n".join(defects[:20])
    assert refused < tried


def _same_tree(path: Path) -> bool:
    """Whether another text at this place leaves the lines what they are (a port, a match kind or a protocol word may not)."""
    return not {
        "listen",
        "redirect_from",
        "match",
        "hosts",
        "base",
        "balance",
        "persist",
        "proxy",
        "client",
        "alpn",
        "panic",
        "limits",
    } & set(path)


def _tainted(value: Any, text: str) -> Iterator[Any]:
    """`value` with one text of it replaced, for every text in it: what a document of another time may hold."""
    if isinstance(value, str):
        yield text
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            for made in _tainted(item, text):
                yield (*value[:at], made, *value[at + 1 :])
    elif isinstance(value, dict):
        for key, item in value.items():
            for made in _tainted(item, text):
                yield {**value, key: made}
            yield {(text if other == key else other): one for other, one in value.items()}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for item in dataclasses.fields(value):
            if item.name not in ("path", "member"):
                for made in _tainted(getattr(value, item.name), text):
                    yield dataclasses.replace(value, **{item.name: made})


@pytest.mark.timeout(600)
@pytest.mark.parametrize("which", TREES)
def test_a_tainted_value_is_refused_again_when_it_is_rendered(which: str) -> None:
    """The types of the document are no promise: what no reader saw is checked where it is written."""
    good, base = GOOD[which], _base(which)
    assert good is not None
    application, ground = good.applications["portal"], _ground(good)
    target = next(one for one in targets() if one.name == "haproxy")
    tried = refused = 0
    for text in (
        "x\nbind *:9",
        "%[env(A)]",
        "${A}",
        "a'b",
        '"',
        "-f /etc/passwd",
        "a b",
        "#",
        "x\u2028y",
        "\ud800",
        "x\r\n server e 192.0.2.1:80",
    ):
        for name in ("proxied", "proxied_pools"):
            for made in _tainted(getattr(application, name), text):
                tried += 1
                document = dataclasses.replace(good, applications={"portal": dataclasses.replace(application, **{name: made})})
                try:
                    content = target.compile(document, "portal", ground)
                except (GurneyError, KeyError):
                    refused += 1
                    continue
                assert content is not None
                _judged(bundles.load(content), base, same=False)
    print(f"C1 tainted {which}: tried={tried} refused={refused} foreign=0")
    assert refused
