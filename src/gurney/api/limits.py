"""The one place for how much the API reads: a body of at most 1 MiB, nested at most 32 deep (reliability §6)."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gurney.api.problems import MEDIA_TYPE, plain

BODY_BYTES = 1024 * 1024
DEPTH = 32

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


class Limited:
    """An ASGI application whose requests are read whole, within the limits, before the inner one sees them."""

    def __init__(self, inner: App) -> None:
        self._inner = inner

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read(receive)
        if body is None:
            await _refuse(send, 413, "the request is too large", f"a body has at most {BODY_BYTES} bytes")
            return
        if depth(body) > DEPTH:
            await _refuse(send, 422, "the request is nested too deeply", f"JSON of a request is at most {DEPTH} deep")
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._inner(scope, replay, send)


def depth(body: bytes) -> int:
    """How deep the brackets of a JSON text nest, strings left out; right for what is valid JSON, an upper bound for what is not."""
    deepest = now = 0
    for byte in _STRINGS.sub(b"", body):
        if byte in b"[{":
            now += 1
            deepest = max(deepest, now)
        elif byte in b"]}":
            now -= 1
    return deepest


async def _read(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _refuse(send: Send, status: int, title: str, detail: str) -> None:
    body = json.dumps(plain(status, title, detail)).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
