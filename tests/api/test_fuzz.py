"""The API under mutated requests: every one is answered, none with a defect, and nothing is changed by what is refused."""

from __future__ import annotations

import asyncio
import json
import os
import random
from typing import Any

from gurney.api.limits import Limited
from gurney.api.routes import application, routes
from gurney.api.work import Work
from tests.control.world import World, document

COUNT = 50_000 if os.environ.get("GURNEY_COUNTS") == "chaos" else 5_000
TOKENS = [
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"NaN",
    b"1e999",
    b"\\u0000",
    b"\xff",
    b"\\ud800",
    b"-",
    b"true",
    b"\x00",
    b"\n",
]


def ask(app: Any, method: str, path: str, query: bytes, body: bytes) -> tuple[int, bytes]:
    """One request to the ASGI application, without a socket; the status and the body of its answer."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
        "root_path": "", "scheme": "http", "query_string": query, "headers": [(b"content-type", b"application/json")],
        "client": (str(os.geteuid()), 1), "server": None,
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return int(sent[0]["status"]), b"".join(message.get("body", b"") for message in sent[1:])


def mutated(seed: random.Random, whole: bytes) -> bytes:
    found = bytearray(whole)
    for _ in range(seed.randint(0, 4)):
        at = seed.randrange(len(found) + 1)
        match seed.randrange(4):
            case 0:
                found[at : at + seed.randint(0, 8)] = seed.choice(TOKENS)
            case 1:
                found[at:at] = seed.choice(TOKENS) * seed.choice((1, 1, 40))
            case 2:
                del found[at : at + seed.randint(1, 20)]
            case _:
                found[at:at] = found[: seed.randint(0, 30)]
    return bytes(found)


def test_mutated_requests_are_answered_without_a_defect(world: World, work: Work) -> None:
    world.apply(document())
    app = Limited(application(work))
    bodies = [
        json.dumps(body).encode()
        for body in (
            {"text": "gurney: 1", "file": "g", "confirm_seconds": 60.0},
            {"why": "x"},
            {},
            {"object": "pacs/*/x", "word": "drain", "seconds": 5.0},
            {"application": "pacs", "service": "store", "facts": {"modality": "MG"}},
        )
    ]
    paths = [(route.method, route.path) for route in routes(work) if route.path not in ("/v1/undo", "/v1/confirm", "/v1/down")]
    seed, told = random.Random(20261124), dict.fromkeys(range(2, 6), 0)
    for number in range(COUNT):
        method, path = seed.choice(paths)
        body = mutated(seed, seed.choice(bodies))
        status, answer = ask(app, method, path, b"object=" + body[:20] if method == "DELETE" else b"", body)
        told[status // 100] += 1
        assert status != 500, f"seed=20261124 number={number} {method} {path} {body!r}: {answer!r}"
        json.loads(answer)
    assert [one["revision"] for one in world.control.revisions()] == [1] and world.served_weight() == 100
    print(f"api-fuzz requests={COUNT} defects={told[5]}")
    assert told[5] == 0 and told[4] > told[2] > 0
