"""What passes and what is set, on the wire: rules by facts, forwarded headers, PROXY protocol, limits, and every byte as it came (D8)."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import count, say
from tests.live.harness.http import proxyheader
from tests.live.harness.http.client import Answer, Client, Ended, get
from tests.live.harness.http.documents import TCP_CHECK, application, document, pool, service
from tests.live.harness.http.shapes import staffed

RULES = [
    "{match: {path: /api/*, method: [POST, PUT]}, pool: writes}",
    "{match: {path: /api/*}, pool: reads}",
    "{match: {'header:X-Kind': [bulk*, slow]}, pool: bulk}",
    "{match: {host: 'img.*'}, pool: images}",
    "{match: {network: 127.0.9.0/24}, pool: inside}",
    "{pool: rest}",
]
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("post under a path", {"target": "/api/x", "method": "POST"}, "writes"),
    ("get under a path", {"target": "/api/x?y=/other"}, "reads"),
    ("the path alone", {"target": "/api"}, "rest"),
    ("a header", {"target": "/", "X_Kind": "bulk-7"}, "bulk"),
    ("a header's case", {"target": "/", "x_kind": "slow"}, "bulk"),
    ("another value", {"target": "/", "X_Kind": "quick"}, "rest"),
    ("a host", {"target": "/", "host": "IMG.h.test"}, "images"),
    ("a network", {"target": "/", "source": "127.0.9.7"}, "inside"),
    ("the first rule wins", {"target": "/api/x", "method": "PUT", "X_Kind": "bulk", "source": "127.0.9.7"}, "writes"),
    ("none", {"target": "/"}, "rest"),
]


@pytest.mark.timeout(300)
def test_http_rules_by_every_fact(room: Room) -> None:
    """Every fact; several services on one listener by host and base; nobody's host is refused; `explain` says the same."""
    names = ("writes", "reads", "bulk", "images", "inside", "rest", "other", "deep")
    site = room.website(*names)
    port = room.port()
    services = [
        service("site", port, hosts="['*.h.test', h.test]", rules=RULES),
        service("other", port, hosts="[other.test]", rules=["{pool: other}"]),
        service("deep", port, hosts="[other.test]", base="/deep", rules=["{match: {path: /in/*}, pool: deep}", "{pool: rest}"]),
    ]
    g = room.gurney(document(application("web", services, [pool(n, {n: site.port(n)}) for n in names])))
    wrong = [(what, answer.member, wanted) for what, words, wanted in CASES if (answer := get(port, **dict(words))).member != wanted]
    more = {
        "other": get(port, "/x", host="other.test").member,
        "deep": get(port, "/deep/in/x", host="other.test").member,
        "rest": get(port, "/deep/x", host="other.test").member,
    }
    nobody = get(port, "/x", host="nobody.test").status
    explained = g.verb("explain", "web/site", "method=POST", "path=/api/x", "host=h.test", "--json")
    say("http-rules", cases=len(CASES) + len(more) + 1, wrong=len(wrong) + sum(k != v for k, v in more.items()), nobody=nobody)
    assert (wrong, more) == ([], {k: k for k in more})
    assert nobody in (404, 421)
    assert explained.returncode == 0 and "writes" in explained.stdout, explained.stdout + explained.stderr


FORGED = {
    "X_Forwarded_For": "6.6.6.6",
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "evil.test",
    "Forwarded": "for=6.6.6.6;proto=https",
}


def header(seen: dict[str, Any], name: str) -> list[str]:
    return [v for n, v in seen["headers"] if n.lower() == name]


@pytest.mark.timeout(300)
def test_http_forwarded_headers_are_true(room: Room) -> None:
    """What a client says of itself is dropped unless its network is trusted; what is said then is true."""
    site = room.website("a")
    ports = {"plain": room.port(), "trusting": room.port()}
    services = [service("plain", ports["plain"]), service("trusting", ports["trusting"], trust_forwarded_from="[127.0.7.0/24]")]
    room.gurney(document(application("web", services, [pool("servers", site.ports())])))
    cases = {
        "forged": get(ports["plain"], "/echo", source="127.0.0.5", **FORGED).seen(),
        "stranger": get(ports["trusting"], "/echo", source="127.0.0.5", **FORGED).seen(),
        "trusted": get(ports["trusting"], "/echo", source="127.0.7.5", **FORGED).seen(),
    }
    found = {k: sum("6.6.6.6" in v or "evil" in v for _, v in seen["headers"]) for k, seen in cases.items()}
    for name in ("forged", "stranger"):
        seen = cases[name]
        assert header(seen, "x-forwarded-for") == ["127.0.0.5"], seen
        assert header(seen, "x-forwarded-proto") == ["http"]
        forwarded = ",".join(header(seen, "forwarded")).lower().replace('"', "")
        assert "for=127.0.0.5" in forwarded and "proto=http" in forwarded and "proto=https" not in forwarded, seen
    say("http-forwarded", **{f"forged_words_{k}": v for k, v in found.items()})
    assert (found["forged"], found["stranger"]) == (0, 0) and found["trusted"] > 0
    assert "6.6.6.6" in ",".join(header(cases["trusted"], "x-forwarded-for"))


@pytest.mark.timeout(300)
def test_http_proxy_protocol_in_and_out(room: Room) -> None:
    """v1 and v2 from a network that may, refused from one that does not begin with it; v1 and v2 towards members, HTTP and TCP."""
    plain = room.website("plain")
    v1, v2 = room.website("v1", proxy=True), room.website("v2", proxy=True)
    line = room.website("line", kind="tcp", proxy=True)
    port, tcp = room.port(), room.port()
    members = {n: f"{{address: 127.0.0.1:{s.port()}, proxy: {n}}}" for n, s in (("v1", v1), ("v2", v2))}
    services = [
        service("site", port, accept_proxy_from="[127.0.8.0/24]", rules=["{match: {path: /echo/plain}, pool: plain}", "{pool: out}"]),
        service("line", tcp, protocol="tcp", accept_proxy_from="[127.0.8.0/24]", rules=["{pool: line}"]),
    ]
    pools = [
        pool("plain", plain.ports()),
        pool("out", members, balance="round-robin"),
        pool("line", {"line": f"{{address: 127.0.0.1:{line.port()}, proxy: v2}}"}, check=TCP_CHECK),
    ]
    room.gurney(document(application("web", services, pools)))
    seen = {}
    for version, first in (("in-v1", proxyheader.first("9.8.7.6", 4242, port)), ("in-v2", proxyheader.second("9.8.7.6", 4242, port))):
        seen[version] = header(get(port, "/echo/plain", source="127.0.8.1", first=first).seen(), "x-forwarded-for")
    out = [get(port, "/echo", source="127.0.0.6").seen() for _ in range(8)]
    told = {s["member"]: str(s["proxied"]).split(":")[0] for s in out}
    stranger = get(port, "/echo/plain", source="127.0.0.6").status
    forged = refused(port, proxyheader.first("9.8.7.6", 4242, port), "127.0.0.6")
    with Client(tcp, source="127.0.8.1", first=proxyheader.first("9.8.7.6", 4242, tcp)) as c:
        c.send(b"who\n")
        tcp_told = c.sock.recv(100).decode()
    say(
        "http-proxy",
        **{k: v[0] for k, v in seen.items()},
        out=",".join(f"{k}:{v}" for k, v in sorted(told.items())),
        tcp=tcp_told.split()[0],
        forged=forged,
    )
    assert seen == {"in-v1": ["9.8.7.6"], "in-v2": ["9.8.7.6"]}
    assert told == {"v1": "127.0.0.6", "v2": "127.0.0.6"}
    assert (stranger, forged, tcp_told) == (200, True, "line:9.8.7.6:4242 who\n")


def refused(port: int, first: bytes, source: str) -> bool:
    """Whether a PROXY header from a network that may not is no request that is served."""
    try:
        return get(port, "/echo/plain", source=source, first=first).status == 400
    except (Ended, ConnectionError):
        return True


@pytest.mark.timeout(300)
def test_http_limits_networks_and_parsing(room: Room) -> None:
    """accept_from, the body limit, header time-out, hostile framing: refused here, nothing of it reaches a member."""
    site = room.website("a")
    port = room.port()
    limits = "{body: 1KiB, headers: 1s}"
    text = document(
        application("web", [service("site", port, limits=limits, accept_from="[127.0.0.0/24]")], [pool("servers", site.ports())])
    )
    room.gurney(text)
    good = get(port, "/echo", method="POST", body=b"x" * 1000).status
    before = site.counts("a")["requests"]
    results = {"body": answer(port, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000)}
    results["network"] = answer(port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "127.0.5.1")
    results["headers"] = answer(port, b"GET / HTTP/1.1\r\nHost: h\r\nX-")
    for name, data in HOSTILE.items():
        results[name] = answer(port, data)
    reached = site.counts("a")["requests"] - before
    say("http-limits", cases=len(results), reached=reached, **{k: str(v) for k, v in results.items()})
    assert (good, reached) == (200, 0), results
    assert results["body"] == 413 and results["headers"] in (408, None)
    assert results["network"] in (403, None)
    assert all(results[n] in (400, 403, 501, None) for n in HOSTILE), results


HOSTILE = {
    "te_and_cl": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: xchunked\r\n\r\nabcd",
    "two_lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "obs_fold_colon": b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
    "bad_chunk": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "nul": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
    "name": b"GET / HTTP/1.1\r\nHost: h\r\nX_Y(: a\r\n\r\n",
    "two_hosts": b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
}


def answer(port: int, data: bytes, source: str = "127.0.0.1") -> int | None:
    """The status, None when the connection ends without one."""
    try:
        with Client(port, source=source, timeout=10) as c:
            c.send(data)
            return c.read().status
    except (TimeoutError, Ended, ConnectionError):
        return None


NAMES = ("Accept", "If-Match", "If-None-Match", "Range", "Prefer", "Content-MD5", "Authorization", "Link", "Cookie", "X-Odd-9")


def some(r: random.Random) -> tuple[str, str, list[tuple[str, str]], bytes, str]:
    """A request: method, target, headers, body and how the body is sent."""
    method = r.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
    path = "".join(r.choice(["/a", "/%41", "/b;c=d", "/..", "/.", "//", "/%2F", "/'()*"]) for _ in range(r.randrange(6)))
    query = r.choice(["", "?", "?a=%20+&b=%C3%A9", "?q=" + "x" * r.randrange(500), "?a[]=1&a[]=2;3"])
    headers = [(n, odd(r)) for n in r.sample(NAMES, r.randrange(len(NAMES)))]
    how = r.choice(["none", "length", "chunked", "continue"]) if method in ("POST", "PUT", "PATCH", "PROPFIND") else "none"
    body = b"" if how == "none" else r.randbytes(r.choice([0, 1, 100, 5000, 70_000]))
    return method, f"/echo{path}{query}", headers, body, how


def odd(r: random.Random) -> str:
    return r.choice(
        [
            '"a", W/"b"',
            "bytes=0-99,200-",
            'a=b; c="d e"',
            "x" * r.randrange(1, 900),
            "ä ö".encode().decode("latin-1"),
            "a  b",
            "%[env(HOME)]",
        ]
    )


def sent(port: int, r: random.Random) -> tuple[bool, str]:
    """Sends one random request; whether what the member saw equals it."""
    method, target, headers, body, how = some(r)
    lines = [f"{method} {target} HTTP/1.1", "Host: h.test", *(f"{n}: {v}" for n, v in headers)]
    if how == "chunked":
        lines.append("Transfer-Encoding: chunked")
    elif how != "none":
        lines.append(f"Content-Length: {len(body)}")
    if how == "continue":
        lines.append("Expect: 100-continue")
    try:
        answer = transferred(port, r, method, lines, body, how)
    except (OSError, Ended) as e:
        return False, f"{e!r} for {lines} {len(body)} {how}"
    if answer.status != 200:
        return False, f"{answer.status} for {lines[:1]}"
    seen = answer.seen()
    mine = [(n.lower(), v) for n, v in headers]
    names = {n for n, _ in mine}
    theirs = [(n.lower(), v) for n, v in seen["headers"] if n.lower() in names]
    same = (seen["start"], theirs, seen["sha256"], seen["length"]) == (lines[0], mine, hashlib.sha256(body).hexdigest(), len(body))
    return same, f"{seen} for {lines} {len(body)}"


def transferred(port: int, r: random.Random, method: str, lines: list[str], body: bytes, how: str) -> Answer:
    """The answer to a request whose body goes as `how` says."""
    with Client(port) as c:
        c.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if how == "chunked":
            at = 0
            while at < len(body):
                piece = body[at : at + r.randrange(1, 9000)]
                c.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                at += len(piece)
            c.send(b"0\r\n\r\n")
        elif body:
            c.send(body)
        return c.read(method)


@pytest.mark.timeout(600)
def test_reliability_d8_http_content_leaves_as_it_came(room: Room) -> None:
    """Random methods, targets, headers and bodies (by length, in chunks, after 100-continue): what the member sees is what was sent."""
    site = room.website("a")
    port = room.port()
    room.gurney(staffed(port, site.ports()))
    requests = count(300, 10_000, asked=1000)
    seed = random.SystemRandom().randrange(1 << 32)
    r = random.Random(seed)
    wrong = [f"seed {seed}, request {i}: {why}" for i in range(requests) for same, why in [sent(port, r)] if not same]
    big = hashlib.sha256()
    with Client(port) as c:
        c.send(b"PUT /echo/big HTTP/1.1\r\nHost: h.test\r\nContent-Length: 33554432\r\n\r\n")
        for _ in range(32):
            piece = r.randbytes(1 << 20)
            big.update(piece)
            c.send(piece)
        whole = c.read("PUT").seen()["sha256"] == big.hexdigest()
    say("reliability-d8-http", requests=requests, differing=len(wrong), big_equal=whole, seed=seed)
    assert (wrong[:1], whole) == ([], True)
