"""The one place for single requests of a test: bytes out, the answer as it came; the certificate a listener shows."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .requests import Head, body_of_answer, head


@dataclass(frozen=True)
class Answer:
    """One answer. `between` are the statuses of 1xx answers before it."""

    status: int
    head: Head
    body: bytes
    between: tuple[int, ...] = ()

    @property
    def member(self) -> str:
        return self.head.get("x-member") or "-"

    def seen(self) -> dict[str, Any]:
        """What the member saw, of a request to /echo…."""
        return dict(json.loads(self.body))

    def header(self, name: str) -> str | None:
        return self.head.get(name)


class Ended(ConnectionError):
    """The connection ended before the answer did."""


class Client:
    """One connection. `tls`: a context; `first`: bytes before everything (a PROXY header)."""

    def __init__(
        self,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        name: str = "h.test",
        source: str | None = None,
        first: bytes = b"",
        timeout: float = 15,
    ) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0) if source else None)
        self.data = bytearray()
        try:
            if first:
                self.sock.sendall(first)
            if tls is not None:
                self.sock = tls.wrap_socket(self.sock, server_hostname=name)
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def _more(self) -> bool:
        piece = self.sock.recv(1 << 16)
        self.data += piece
        return bool(piece)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self, method: str = "GET") -> Answer:
        """The next answer."""
        between: list[int] = []
        while True:
            while (end := self.data.find(b"\r\n\r\n")) < 0:
                if not self._more():
                    raise Ended(bytes(self.data[:200]).decode("latin-1"))
            h = head(bytes(self.data[:end]))
            del self.data[: end + 4]
            status = int(h.start.split()[1])
            if status >= 200 or status == 101:
                break
            between.append(status)
        body = body_of_answer(h, method)
        body.feed(self.data)
        while not body.done:
            if not self._more():
                if body.until_end:
                    break
                raise Ended(f"{status} with {len(body.whole)} bytes of its body")
            body.feed(self.data)
        return Answer(status, h, bytes(body.whole), tuple(between))

    def ask(self, target: str = "/", method: str = "GET", host: str = "h.test", body: bytes = b"", **headers: str) -> Answer:
        """`headers`: X_Forwarded_For="…" is X-Forwarded-For."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{n.replace('_', '-')}: {v}" for n, v in headers.items())]
        if body and not any(n.lower() == "transfer_encoding" for n in headers):
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return self.read(method)


def get(port: int, target: str = "/", **more: Any) -> Answer:
    """One request on a connection of its own; words of `Client` and of `ask`."""
    own = {k: more.pop(k) for k in ("tls", "name", "source", "first", "timeout") if k in more}
    with Client(port, **own) as c:
        return c.ask(target, **more)


def trusting(ca: Path, certificate: Path | None = None) -> ssl.SSLContext:
    """A client's context that trusts `ca`, and shows `certificate`."""
    context = ssl.create_default_context(cafile=str(ca))
    if certificate is not None:
        context.load_cert_chain(str(certificate))
    return context


def shown(port: int, name: str | None = "h.test") -> str:
    """SHA-256 of the certificate a listener shows for this SNI; nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, context.wrap_socket(plain, server_hostname=name) as s:
        der = s.getpeercert(True)
    assert der is not None
    return hashlib.sha256(der).hexdigest()
