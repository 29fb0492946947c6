"""The one place for the load program of the HTTP harness: `python -m tests.live.harness.http.load GROUPS`, until its stdin closes.

It never tries anything again: what fails is counted. Each 0.1 s, and at the end, it prints one line of JSON: {group: tally}.
A connection that the server ends *between* two requests is opened again and is no error (RFC 9112 §9.5).
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
import time
from dataclasses import asdict
from typing import Any

import uvloop

from .groups import Group, Tally, from_json
from .requests import Body, Head, Malformed, body_of_answer, head

SAMPLES = 100_000


class Crowd:
    """A group at work."""

    def __init__(self, group: Group) -> None:
        self.group, self.tally = group, Tally()
        self.times: list[float] = []
        self.number = 0
        self.stopping = False
        self.callers: set[Caller] = set()
        self.context: ssl.SSLContext | None = None
        if group.tls is not None:
            self.context = ssl.create_default_context(cafile=group.tls)
        self.others = "".join(f"{n}: {v}\r\n" for n, v in group.headers)

    def error(self, kind: str, what: str = "") -> None:
        self.tally.errors[kind] = self.tally.errors.get(kind, 0) + 1
        if len(self.tally.first) < 5:
            self.tally.first.append(f"{kind} {what}"[:200])

    def finished(self) -> bool:
        return self.stopping or bool(self.group.most and self.number >= self.group.most)

    def good(self, began: float, member: str) -> None:
        t = self.tally
        t.done += 1
        t.shares[member] = t.shares.get(member, 0) + 1
        if len(self.times) < SAMPLES:
            self.times.append(time.monotonic() - began)
        else:
            self.times[t.done % SAMPLES] = time.monotonic() - began

    def said(self) -> dict[str, Any]:
        if self.times:
            ordered = sorted(self.times)
            self.tally.p50 = round(ordered[len(ordered) // 2] * 1000, 2)
            self.tally.p99 = round(ordered[len(ordered) * 99 // 100] * 1000, 2)
        self.tally.standing = len(self.callers)
        return asdict(self.tally)

    async def work(self, index: int) -> None:
        """One client: connection after connection."""
        g = self.group
        cookies: dict[str, str] = {}
        last: list[str] = []
        while not self.finished():
            source = (g.sources[index % len(g.sources)], 0) if g.sources else None
            try:
                caller = await self._connect(source, cookies, last)
            except ConnectionRefusedError as e:
                self.error("refused", str(e))
                await asyncio.sleep(0.02)
                continue
            except ssl.SSLError as e:
                self.error("tls", str(e))
                await asyncio.sleep(0.02)
                continue
            except TimeoutError:
                self.error("timeout", "connecting")
                continue
            except OSError as e:
                self.error("reset", str(e))
                await asyncio.sleep(0.02)
                continue
            self.tally.opened += 1
            await caller.ended

    async def _connect(self, source: tuple[str, int] | None, cookies: dict[str, str], last: list[str]) -> Caller:
        loop, g = asyncio.get_running_loop(), self.group
        name = g.host if self.context is not None else None
        make = lambda: KINDS[g.kind](self, cookies, last)  # noqa: E731
        async with asyncio.timeout(g.timeout):
            _, caller = await loop.create_connection(make, "127.0.0.1", g.port, ssl=self.context, server_hostname=name, local_addr=source)
        return caller


class Caller(asyncio.Protocol):
    """One connection; `ended` is done when it is gone and another may come."""

    transport: asyncio.Transport

    def __init__(self, crowd: Crowd, cookies: dict[str, str], last: list[str]) -> None:
        self.crowd, self.cookies, self.last = crowd, cookies, last
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.data = bytearray()
        self.pending = False
        self.began = 0.0
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        s = self.transport.get_extra_info("socket")
        if s is not None:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.crowd.callers.add(self)
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.callers.discard(self)
        if self.timer is not None:
            self.timer.cancel()
        if self.pending:
            self.lost("closed" if exc is None or isinstance(exc, ssl.SSLError) else "reset", repr(exc))
        if not self.ended.done():
            self.ended.set_result(None)

    def lost(self, kind: str, what: str) -> None:
        """The connection went while something was owed."""
        self.pending = False
        self.crowd.error(kind, f"{what} after {len(self.data)} bytes")

    def ask(self) -> None:
        raise NotImplementedError

    def sent(self, data: bytes) -> None:
        self.began, self.pending = time.monotonic(), True
        self.transport.write(data)
        if self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(self.crowd.group.timeout, self.look)

    def look(self) -> None:
        """One timer a connection, however many requests: it looks how long the present one waits."""
        self.timer = None
        left = self.crowd.group.timeout - (time.monotonic() - self.began)
        if self.pending and left <= 0:
            self.pending = False
            self.crowd.error("timeout", f"after {len(self.data)} bytes")
            self.transport.abort()
        else:
            self.timer = asyncio.get_running_loop().call_later(max(left, 0.1), self.look)

    def next(self) -> None:
        """After a good answer."""
        if self.crowd.finished():
            self.transport.close()
        elif self.crowd.group.pause:
            asyncio.get_running_loop().call_later(self.crowd.group.pause, self.again)
        else:
            self.ask()

    def again(self) -> None:
        if self.transport.is_closing():
            return
        if self.crowd.finished():
            self.transport.close()
        else:
            self.ask()


class Requests(Caller):
    """HTTP requests, one after another."""

    target = ""
    answer: Head | None = None
    body: Body | None = None

    def ask(self) -> None:
        crowd, g = self.crowd, self.crowd.group
        crowd.number += 1
        self.target = f"{g.prefix}{crowd.number}" if g.unique else g.prefix
        self.answer = None
        cookie = "Cookie: " + "; ".join(f"{n}={v}" for n, v in self.cookies.items()) + "\r\n" if self.cookies else ""
        end = "Connection: close\r\n\r\n" if g.close else "\r\n"
        self.sent(f"{g.method} {self.target} HTTP/1.1\r\nHost: {g.host}\r\n{crowd.others}{cookie}{end}".encode("latin-1"))

    def data_received(self, data: bytes) -> None:
        self.data += data
        try:
            self.read()
        except (Malformed, ValueError, IndexError) as e:
            self.pending = False
            self.crowd.error("body", f"malformed {e!r}")
            self.transport.abort()

    def read(self) -> None:
        if self.answer is None:
            end = self.data.find(b"\r\n\r\n")
            if end < 0 or not self.pending:
                return
            self.answer = head(bytes(self.data[:end]))
            del self.data[: end + 4]
            self.body = body_of_answer(self.answer, self.crowd.group.method)
        if self.body is None:
            return
        self.body.feed(self.data)
        if self.body.done:
            self.whole(bytes(self.body.whole))

    def eof_received(self) -> bool:
        if self.pending and self.answer is not None and self.body is not None and self.body.until_end:
            self.whole(bytes(self.body.whole))
        return False

    def whole(self, body: bytes) -> None:
        answer, crowd = self.answer, self.crowd
        assert answer is not None
        self.pending = False
        status = answer.start.split()[1]
        member = answer.get("x-member") or "-"
        closing = crowd.group.close or (answer.get("connection") or "").lower() == "close"
        if status != "200":
            crowd.error(f"status-{status}", f"{self.target} {member}")
        elif not self.target.startswith("/echo") and crowd.group.method != "HEAD" and f" {self.target}\n".encode() not in body[:400]:
            crowd.error("body", f"{self.target}: {body[:60]!r}")
        else:
            self.remember(answer, member)
            crowd.good(self.began, member)
        if closing:
            self.transport.close()
        elif status != "200":
            asyncio.get_running_loop().call_later(0.01, self.again)
        else:
            self.next()

    def remember(self, answer: Head, member: str) -> None:
        if self.last and self.last[-1] != member:
            self.crowd.tally.moved += 1
        self.last[:] = [member]
        if self.crowd.group.cookie:
            for value in answer.all("set-cookie"):
                name, _, text = value.split(";")[0].partition("=")
                self.cookies[name] = text


class Echo(Caller):
    """An upgrade to 101, then lines that come back; an end of it is `broken`."""

    upgraded = False
    line = b""
    member = "-"

    def ask(self) -> None:
        crowd = self.crowd
        crowd.number += 1
        if not self.upgraded and crowd.group.kind == "upgrade":
            g = crowd.group
            key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"  # HAProxy refuses an upgrade without
            lines = f"GET {g.prefix} HTTP/1.1\r\nHost: {g.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}{crowd.others}\r\n"
            self.sent(lines.encode())
        else:
            self.line = f"{crowd.number}-{time.monotonic_ns()}\n".encode()
            self.sent(self.line)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if not self.upgraded and self.crowd.group.kind == "upgrade":
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            answer = head(bytes(self.data[:end]))
            del self.data[: end + 4]
            self.upgraded = True
            self.member = answer.get("x-member") or "-"
            if answer.start.split()[1] != "101":
                self.pending = False
                self.crowd.error(f"status-{answer.start.split()[1]}", "upgrade")
                self.transport.abort()
                return
            self.pending = False
            self.next()
            return
        if not self.data.endswith(b"\n"):
            return
        got = bytes(self.data)
        self.data.clear()
        self.pending = False
        member, colon, text = got.partition(b":")
        if self.crowd.group.kind == "lines" and colon:
            self.member, got = member.decode(), text
        if got != self.line:
            self.crowd.error("body", f"{got[:60]!r} for {self.line!r}")
        else:
            self.crowd.good(self.began, self.member)
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.pending and not self.crowd.finished():
            self.crowd.error("broken", f"{exc!r} while idle")
        super().connection_lost(exc)

    def lost(self, kind: str, what: str) -> None:
        super().lost("broken", f"{kind} {what}")


KINDS: dict[str, type[Caller]] = {"http": Requests, "upgrade": Echo, "lines": Echo}


async def main(groups: list[Group]) -> None:
    crowds = {g.name: Crowd(g) for g in groups}
    tasks = [asyncio.create_task(c.work(i)) for c in crowds.values() for i in range(c.group.connections)]
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    told = asyncio.create_task(reader.read(1))
    working = asyncio.gather(*tasks)
    while not told.done() and not working.done():
        print(json.dumps({n: c.said() for n, c in crowds.items()}), flush=True)
        await asyncio.wait([told, working], timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
    for c in crowds.values():
        c.stopping = True
        for caller in list(c.callers):
            if not caller.pending:
                caller.transport.close()
    _, pending = await asyncio.wait(tasks, timeout=max(g.timeout for g in groups) + 1)
    for c in crowds.values():
        for caller in list(c.callers):
            caller.transport.abort()
    for task in pending:
        task.cancel()
    print(json.dumps({n: c.said() for n, c in crowds.items()}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(from_json(sys.argv[1])))
