"""C1's canary (reliability §1): a real HAProxy holds a secret in its environment, every field that accepts a reference to it says so."""

from __future__ import annotations

import dataclasses
import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gurney.compile import haproxy
from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy.bundle import Bundle
from gurney.compile.target import Ground
from gurney.config.proxied import Material
from gurney.config.reader import read
from tests.compile import places
from tests.compile.carried import Running, members, serving
from tests.compile.hostile import CANARY, VALUE, payloads
from tests.golden.certificates import Authority
from tests.golden.real import ENVIRONMENT
from tests.live.harness.counts import count, say
from tests.ports import free_ports

SAID = [f"/{where}${CANARY}{end}" for where in "ab" for end in ("", "/*")] + [text for text in payloads() if CANARY in text]
TRIED = SAID[: count(4 + 7, len(SAID), asked=len(SAID))]  # what is left out are the same seven forms with letters around them
PAGE = "".join(f"<p>{text}</p>" for text in SAID)
CERTIFICATE, SORRY = f"{1:064x}", f"{2:064x}"
# ", '"${{{0}}}"', "$({0})", "${0}")


def tree(site: int, safe: int, plain: int, member: int, nobody: int) -> dict[str, Any]:
    """A document with every key where a free text is served, shown, matched or sent on."""
    to = f"127.0.0.1:{member}"
    return {
        "gurney": "1",
        "applications": {
            "web": {
                "services": {
                    "site": {
                        "protocol": "http",
                        "listen": f"127.0.0.1:{site}",
                        "hosts": ["h.test", "*.h.test"],
                        "base": "/app",
                        "limits": {"body": "1KiB"},
                        "rules": [
                            {
                                "name": "some",
                                "match": {"path": ["/api/*", "*.css", "*/deep/*", "/a?b*c"], "method": ["GET", "PURGE"]},
                                "pool": "chosen",
                            },
                            {"match": {"header:X-Tenant": ["one", "a*b"], "host": "h.test"}, "pool": "kept"},
                            {"match": {"path": "/gone/*"}, "pool": "gone"},
                            {"pool": "kept"},
                        ],
                    },
                    "safe": {
                        "protocol": "http",
                        "listen": f"127.0.0.1:{safe}",
                        "tls": {"certificate": "one.pem", "redirect_from": str(plain), "hsts": "1y"},
                        "rules": [{"pool": "kept"}],
                    },
                },
                "pools": {
                    "chosen": {"balance": "header:X-User", "members": {"one": to}},
                    "kept": {
                        "persist": {"by": "cookie", "for": "30m", "then": "source"},
                        "check": {"kind": "http", "path": "/ready", "host": "inner.test", "interval": "200ms"},
                        "members": {"one": {"address": to}},
                    },
                    "gone": {
                        "fallback": {"page": "sorry.html"},
                        "check": {"kind": "tcp", "interval": "100ms", "fall": "1"},
                        "members": {"one": f"127.0.0.1:{nobody}"},
                    },
                },
            }
        },
    }


def made(document: Any) -> Bundle | None:
    """The bundle of a document, None where it is refused."""
    reading = read(places.spelled(document))
    if reading.document is None or "web" not in reading.document.applications:
        return None
    held = {"one.pem": Material("certificate", CERTIFICATE, ("h.test",)), "sorry.html": Material("page", SORRY)}
    content = haproxy.TARGET.compile(reading.document, "web", Ground(materials=held))
    assert content is not None
    return bundles.load(content)


def accepted(document: Any) -> dict[places.Path, list[str]]:
    """For each place that takes a text with a reference to the variable, those texts."""
    found: dict[places.Path, list[str]] = {}
    for path in places.places(document):
        for text in TRIED:
            try:
                taken = made(places.with_text(document, path, text)) is not None
            except KeyError:  # the name of another file, which nobody has
                taken = False
            if taken:
                found.setdefault(path, []).append(text)
    return found


def planted(document: Any, taken: dict[places.Path, list[str]], number: int) -> Any:
    """The document with a text of each place's own at every place that takes one; another `number`, other texts."""
    for at, (path, each) in enumerate(taken.items()):
        document = places.with_text(document, path, each[(number + at) % len(each)])
    return document


def requests(document: Any, secret: list[str]) -> Iterator[bytes]:
    """Requests that meet every rule, and some that are refused."""
    words = [w.replace("*", "x").replace("?", "x") for w in secret]
    base = document["applications"]["web"]["services"]["site"]["base"]
    methods = ["GET", "POST", "OPTIONS", *(w for w in words if w.replace("$", "").replace("_", "").isalnum())]
    targets = ["/", "/ready", "/gone/x", f"{base}/", *(base + w for w in words if w.startswith("/")), *(w for w in words if w[0] == "/")]
    targets += [f"{base}{path}" for path in ("/gone/x", "/api/x", "/x.css", "/x/deep/x", "/axbxc")]
    for method in methods:
        for target in targets if method == "GET" else targets[:6]:
            yield f"{method} {target} HTTP/1.1\r\nHost: h.test\r\nX-User: u\r\nContent-Length: 0\r\n\r\n".encode()
    for word in words:
        yield f"GET {base}/ HTTP/1.1\r\nHost: h.test\r\nX-Tenant: {word}\r\nX-User: {word}\r\nCookie: k={word}\r\n\r\n".encode()
    yield f"POST {base}/ HTTP/1.1\r\nHost: h.test\r\nContent-Length: 99999\r\n\r\n".encode()
    yield b"GET / HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: h.test\r\nBad Header: x\r\n\r\n"
    yield b"\0\r\n\r\n"


def answer(port: int, data: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Everything that comes back on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        link = tls.wrap_socket(plain, server_hostname="h.test") if tls else plain
        link.sendall(data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        got = b""
        try:
            while part := link.recv(65_536):
                got += part
        except ConnectionResetError:
            pass
        return got


def shown(running: Running) -> dict[str, str]:
    """All that the process shows and keeps, but its environment, which is the one thing that holds the value."""
    asked = ["show info", "show stat typed", "show events", "show errors", "show table", "show sess all", "show servers state"]
    asked += ["show backend", "show ssl cert", "show resolvers", "show activity", "show pools", "show startup-logs", "show acl", "show map"]
    asked += [f"show {kind} current/maps/{p.name}" for kind in ("map", "acl") for p in (running.folder / "current/maps").glob("*")]
    sinks = [x.split()[0].strip("# :") for x in running.command("show events").splitlines() if x.strip()]
    found = {word: running.command(word) for word in [*asked, *(f"show events {sink}" for sink in sinks)]}
    return found | {str(p): p.read_bytes().decode("latin-1") for p in running.folder.rglob("*") if p.is_file()}


def sought(running: Running, each: list[bytes], ports: Sequence[int]) -> tuple[int, int, int, list[str]]:
    """(requests, bytes served, pages of ours served as they are, where the value came out) of one process that holds it."""
    site, safe, plain = ports
    assert VALUE in running.command(f"show env {CANARY}"), "the process does not hold it"
    insecure = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    insecure.check_hostname, insecure.verify_mode = False, ssl.CERT_NONE
    sent = size = pages = 0
    found: list[str] = []
    for port, tls, some in ((site, None, each), (safe, insecure, each[:8]), (plain, None, each[:8])):
        for data in some:
            got = answer(port, data, tls)
            sent, size, pages = sent + 1, size + len(got), pages + (PAGE.encode() in got)
            found += [f"answer to {data[:60]!r}"] if VALUE.encode() in got else []
    return sent, size, pages, found + [place for place, text in shown(running).items() if VALUE in text]


CONTENTS = {CERTIFICATE: Authority("h.test").itself, SORRY: PAGE.encode()}
HOLDS = {**ENVIRONMENT, CANARY: VALUE}


def control(bundle: Bundle, leaf: str) -> Bundle:
    """The same bundle with a header whose value does refer to the variable, as no compiler of ours would write it."""
    text, line = bundle.files[bundles.CONFIGURATION], "    http-request "
    assert line in text
    put = text.replace(line, f"    http-response set-header X-Put {leaf}\n{line}", 1)
    return dataclasses.replace(bundle, files={**bundle.files, bundles.CONFIGURATION: put})


@pytest.mark.timeout(400)
def test_reliability_c1_an_environment_canary_is_never_served(tmp_path: Path) -> None:
    """0 hits in what is served, kept or shown; with a leaf put in behind the compiler, in either of its two ways, there are some."""
    *ports, member, nobody = free_ports(5)
    document = tree(*ports, member, nobody)
    taken = accepted(document)
    documents = count(2, max(map(len, taken.values())), asked=max(map(len, taken.values())))
    sent = size = pages = red = 0
    hits: list[str] = []
    with members([member], tmp_path / "origin"):
        for number in range(documents):
            this = planted(document, taken, number)
            bundle = made(this)
            assert bundle is not None, this
            assert CANARY in bundle.files[bundles.CONFIGURATION], "nothing is planted"
            secret = [each[(number + at) % len(each)] for at, each in enumerate(taken.values())]
            each = list(requests(this, secret))
            with serving(bundle, tmp_path / f"front-{number}", CONTENTS, HOLDS) as running:
                requested, served, own, found = sought(running, each, ports)
            sent, size, pages, hits = sent + requested, size + served, pages + own, hits + found
        for at, leaf in enumerate((f"%[env({CANARY})]", f'"${{{CANARY}}}"')):
            with serving(control(bundle, leaf), tmp_path / f"control-{at}", CONTENTS, HOLDS) as running:
                red += any(place.startswith("answer") for place in sought(running, each[4:8], ports)[3])
    say(
        "reliability-c1-canary",
        places=len(taken),
        documents=documents,
        requests=sent,
        bytes=size,
        pages=pages,
        hits=len(hits),
        controls_red=red,
    )
    assert hits == []
    assert red == 2
    assert len(taken) >= 11 and pages >= documents and size > 100 * sent
