"""No patient data outside what is carried: planted words in every part of requests, sought in all that is kept or shown (http-18)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import count, say
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.client import Client, Ended
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.http.engine import Engine
from tests.live.harness.processes import running


def planted(i: int) -> dict[str, str]:
    return {place: f"CANARY{place}{i:05}" for place in ("path", "query", "header", "cookie", "authorization", "body", "host", "answer")}


def requests(i: int) -> list[bytes]:
    """Good, refused, malformed and lost requests that carry the planted words."""
    w = planted(i)
    head = f"X-Patient: {w['header']}\r\nCookie: id={w['cookie']}\r\nAuthorization: Bearer {w['authorization']}\r\n"
    start = f"/{w['path']}/x?name={w['query']}"
    body = w["body"].encode()
    sized = f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    host = f"{w['host']}.test".lower()
    return [
        f"GET {start} HTTP/1.1\r\nHost: h.test\r\n{head}\r\n".encode(),
        f"POST {start} HTTP/1.1\r\nHost: h.test\r\n{head}".encode() + sized,
        f"GET /gone{start} HTTP/1.1\r\nHost: h.test\r\n{head}\r\n".encode(),  # no member: 503
        f"GET {start} HTTP/1.1\r\nHost: {host}\r\n{head}\r\n".encode(),
        f"GET {start} HTTP/1.1\r\nHost: h.test\r\nBad Header: {w['header']}\r\n\r\n".encode(),
        f"POST {start} HTTP/1.1\r\nHost: h.test\r\n{head}Content-Length: 999999\r\n\r\n".encode() + body,
        f"{w['path']} {w['query']}\r\n\r\n".encode(),
    ]


def everything(folder: Path, state: Path) -> dict[str, str]:
    """All text that stands on disk below the state and beside it, without what the members themselves wrote."""
    return {
        str(p.relative_to(folder)): p.read_bytes().decode("latin-1")
        for p in folder.rglob("*")
        if p.is_file() and (state in p.parents or p.suffix == ".log")
    }


def carried(port: int, tcp: int, rounds: int) -> int:
    """Sends all of it, whatever is answered; how many requests."""
    sent = 0
    for i in range(rounds):
        for data in requests(i):
            try:
                with Client(port, timeout=0.5) as c:
                    c.send(data)
                    c.read()
            except (Ended, OSError, ValueError):
                pass
            sent += 1
        with Client(tcp) as c:
            c.send(f"CANARYline{i:05}\n".encode())
            c.sock.recv(100)
    return sent


def shown(g: Gurney, engine: Engine) -> dict[str, str]:
    """What is shown while it runs: rings of events, statistics, tables, status, command lines."""
    places = {"argv": "\n".join(argv for _, argv in running(str(g.state)))}
    sinks = engine.admin("show events")
    for sink in [x.split()[0].strip("# :") for x in sinks.splitlines() if x.strip() and not x.startswith("Supported")]:
        places[f"events {sink}"] = engine.admin(f"show events {sink}")
    places["stat"] = engine.admin("show stat typed") + engine.admin("show info") + engine.admin("show table")
    places["status"] = json.dumps(g.status()) + g.verb("status").stdout
    return places


@pytest.mark.timeout(300)
def test_http_18_no_planted_word_is_kept_or_shown(room: Room) -> None:
    """Sought in files, logs, HAProxy's ring of events, status, metrics, argv, `show errors` beside (which keeps raw requests, 0600)."""
    site, line = room.website("a"), room.website("t", kind="tcp")
    port, tcp = room.port(), room.port()
    rules = ["{match: {path: /gone/*}, pool: gone}", "{match: {method: POST}, pool: servers}", "{pool: servers}"]
    services = [
        service("site", port, hosts="[h.test, '*.test']", rules=rules, limits="{body: 10KiB}"),
        service("line", tcp, protocol="tcp", rules=["{pool: line}"]),
    ]
    check = "{kind: tcp, interval: 500ms}"
    pools = [pool("servers", site.ports()), pool("gone", {"g": room.port()}), pool("line", line.ports(), check=check)]
    g = room.gurney(document(application("web", services, pools)))
    engine = Engine(g.state)
    rounds = count(10, 200)
    sent = carried(port, tcp, rounds)
    places = {**everything(room.folder, g.state), **shown(g, engine)}
    hits = {name: text.lower().count("canary") for name, text in places.items() if "canary" in text.lower()}
    events = sum(text.count("\n") for name, text in places.items() if name.startswith("events"))
    modes = {oct(p.stat().st_mode & 0o777) for p in (engine.folder / "run").glob("*.sock")}
    raw = engine.admin("show errors").lower().count("canary")
    figures = {"logged_lines": events, "hits": sum(hits.values()), "raw_in_show_errors": raw, "socket_modes": ",".join(modes)}
    say("http-18", requests=sent, planted=sent * 7, places=len(places), **figures)
    assert hits == {}
    assert modes == {"0o600"}
    assert events > rounds, "the ring of events holds the requests, or nothing was looked at"
    assert site.counts("a")["requests"] >= 2 * rounds, "the member got them"


def test_http_18_environments_hold_nothing(room: Room) -> None:
    """HAProxy's environment is `OPENSSL_CONF=/dev/null` alone, also when Gurney's own holds a secret."""
    site = room.website("a")
    port = room.port()
    os.environ["GURNEY_TEST_CANARY"] = "CANARYenv"
    try:
        g = room.gurney(document(application("web", [service("site", port)], [pool("servers", site.ports())])))
    finally:
        del os.environ["GURNEY_TEST_CANARY"]
    environments = {Path(f"/proc/{pid}/environ").read_bytes().rstrip(b"\0") for pid in Engine(g.state).pids()}
    own = {x for x in environments if x}
    bad = [e for e in own if b"CANARY" in e]
    say("http-18", processes=len(Engine(g.state).pids()), environments=len(environments), canary=len(bad))
    assert bad == [] and all(b"OPENSSL_CONF=/dev/null" in e for e in own), own
