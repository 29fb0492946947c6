"""The one place for the member program of the HTTP harness: `python -m tests.live.harness.http.website SOCKET SITES` (see behaviour.py).

One process carries one or more listeners. On the unix socket SOCKET a line of JSON is answered by one: {"op": "set", "name", …changes},
{"op": "counts"}, {"op": "cut"} (RST to every connection). An answer's body is `NAME TARGET\n`; a target that begins with /echo is answered
with what the member saw, as JSON. An upgrade is answered by 101 and then every byte comes back.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import signal
import socket
import ssl
import struct
import sys
from typing import Any

import uvloop

from .behaviour import Site, from_json
from .proxyheader import Proxied, Short, take
from .requests import Body, Head, Malformed, body_of_request, head

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class Listener:
    """A site, its counts and its connections."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.counts: dict[str, int] = dict.fromkeys(("accepted", "open", "requests", "checks", "upgrades", "lines", "malformed"), 0)
        self.methods: dict[str, int] = {}
        self.connections: set[Connection] = set()
        self.server: asyncio.Server | None = None
        self.stuffed: list[socket.socket] = []
        self.context = self._context()

    def _context(self) -> ssl.SSLContext | None:
        if self.site.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.site.certificate)
        if self.site.ca is not None:
            context.load_verify_locations(self.site.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def socket(self, backlog: int) -> socket.socket:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((self.site.host, self.site.port))
        s.listen(backlog)
        return s

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Connection(self), sock=self.socket(1024), ssl=self.context)

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
        for s in self.stuffed:
            s.close()
        self.stuffed = []

    def cut(self) -> None:
        for c in list(self.connections):
            c.reset()

    def deaf(self) -> None:
        """A listener whose backlog is full: the kernel loses every further SYN."""
        self.close()
        self.cut()
        self.stuffed = [self.socket(0)]
        for _ in range(2):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((self.site.host, self.site.port))
            self.stuffed.append(s)

    async def set(self, changes: dict[str, Any]) -> None:
        before = self.site.mode
        self.site = self.site.changed(**changes)
        if self.site.mode == "deaf":
            self.deaf()
        elif before == "deaf":
            self.close()
            await self.open()


class Connection(asyncio.Protocol):
    """One connection of a client: requests in turn, or lines, or an echo after an upgrade."""

    transport: asyncio.Transport

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.data = bytearray()
        self.request: Head | None = None
        self.body: Body | None = None
        self.proxied: Proxied | None = None
        self.waiting = listener.site.proxy
        self.echo = self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.listener.counts["accepted"] += 1
        self.listener.counts["open"] += 1
        self.listener.connections.add(self)
        if self.listener.site.mode == "refuse":
            self.reset()

    def connection_lost(self, exc: Exception | None) -> None:
        self.listener.counts["open"] -= 1
        self.listener.connections.discard(self)

    def reset(self) -> None:
        s = self.transport.get_extra_info("socket")
        if s is not None:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.echo:
            self.transport.write(data)
            return
        self.data += data
        try:
            if self.waiting:
                self.proxied = take(self.data)
                self.waiting = False
            if self.listener.site.kind == "tcp":
                self.lines()
            else:
                self.requests()
        except Short:
            pass
        except (Malformed, ValueError, IndexError):
            self.listener.counts["malformed"] += 1
            self.transport.abort()

    def lines(self) -> None:
        while (end := self.data.find(b"\n")) >= 0:
            line = bytes(self.data[: end + 1])
            del self.data[: end + 1]
            self.listener.counts["lines"] += 1
            if self.listener.site.mode == "hang":
                continue
            seen = f"{self.proxied.source} " if self.proxied and line.startswith(b"who") else ""
            self.transport.write(f"{self.listener.site.name}:{seen}".encode() + line)

    def requests(self) -> None:
        while not self.busy and not self.echo:
            if self.request is None:
                end = self.data.find(b"\r\n\r\n")
                if end < 0:
                    return
                self.request = head(bytes(self.data[:end]))
                del self.data[: end + 4]
                self.body = body_of_request(self.request)
                if (self.request.get("expect") or "").lower() == "100-continue":
                    self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert self.body is not None
            self.body.feed(self.data)
            if not self.body.done:
                return
            request, body, self.request = self.request, bytes(self.body.whole), None
            self.take(request, body)

    def take(self, request: Head, body: bytes) -> None:
        site, counts = self.listener.site, self.listener.counts
        method, target, _ = request.start.split(" ", 2)
        check = target.startswith("/check")
        counts["checks" if check else "requests"] += 1
        if not check:
            self.listener.methods[method] = self.listener.methods.get(method, 0) + 1
        if request.get("upgrade") and "upgrade" in (request.get("connection") or "").lower():
            counts["upgrades"] += 1
            self.echo = True
            accept = base64.b64encode(hashlib.sha1((request.get("sec-websocket-key") or "").encode() + GUID).digest()).decode()
            first = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {request.get('upgrade')}\r\nConnection: Upgrade\r\n"
            self.transport.write(f"{first}Sec-WebSocket-Accept: {accept}\r\n".encode())
            self.transport.write(f"X-Member: {site.name}\r\n\r\n".encode())
            return
        if site.mode == "normal" or not target.startswith(site.only):
            self.answer(request, method, target, body)
        elif site.mode == "slow":
            self.busy = True
            asyncio.get_running_loop().call_later(site.seconds, self.late, request, method, target, body)
        else:
            self.misbehave(request, method, target, body)

    def misbehave(self, request: Head, method: str, target: str, body: bytes) -> None:
        site = self.listener.site
        if site.mode == "status":
            self.answer(request, method, target, body, site.status)
        elif site.mode == "rst":
            self.reset()
        elif site.mode == "drop":
            self.transport.close()
        elif site.mode in ("cut", "die"):
            self.transport.write(self.bytes(request, method, target, body, 200)[: site.after])
            if site.mode == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            self.transport.close()

    def late(self, request: Head, method: str, target: str, body: bytes) -> None:
        self.busy = False
        if not self.transport.is_closing():
            self.answer(request, method, target, body)
            self.requests()

    def answer(self, request: Head, method: str, target: str, body: bytes, status: int = 200) -> None:
        self.transport.write(self.bytes(request, method, target, body, status))
        if (request.get("connection") or "").lower() == "close" or request.start.endswith("HTTP/1.0"):
            self.transport.close()

    def bytes(self, request: Head, method: str, target: str, body: bytes, status: int) -> bytes:
        site = self.listener.site
        text = self.seen(request, body) if target.startswith("/echo") else f"{site.name} {target}\n".encode() + b"." * site.size
        kind = "application/json" if target.startswith("/echo") else "text/plain"
        lines = f"HTTP/1.1 {status} Status\r\nX-Member: {site.name}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n\r\n"
        return lines.encode() + (b"" if method == "HEAD" else text)

    def seen(self, request: Head, body: bytes) -> bytes:
        """What came: start line, headers in order, the body's digest and length, the peer and the PROXY header's source."""
        ssl_object = self.transport.get_extra_info("ssl_object")
        return json.dumps(
            {
                "member": self.listener.site.name,
                "start": request.start,
                "headers": request.headers,
                "sha256": hashlib.sha256(body).hexdigest(),
                "length": len(body),
                "proxied": None if self.proxied is None else self.proxied.source,
                "tls": None if ssl_object is None else ssl_object.version(),
                "client": None if ssl_object is None else bool(ssl_object.getpeercert(True)),
            }
        ).encode()


async def command(listeners: dict[str, Listener], line: bytes) -> dict[str, Any]:
    order = json.loads(line)
    op = order.pop("op")
    name = order.pop("name", None)
    chosen = [listeners[name]] if name else list(listeners.values())
    for each in chosen:
        if op == "set":
            await each.set(order)
        elif op == "cut":
            each.cut()
    return {each.site.name: {**each.counts, "methods": each.methods} for each in chosen}


async def serve(path: str, sites: list[Site]) -> None:
    listeners = {s.name: Listener(s) for s in sites}
    for each in listeners.values():
        await each.open()
        if each.site.mode == "deaf":
            each.deaf()

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(await command(listeners, line)).encode() + b"\n")
        writer.close()

    orders = await asyncio.start_unix_server(control, path)  # a server that nobody holds is collected
    async with orders:
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], from_json(sys.argv[2])))
