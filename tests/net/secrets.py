"""The one place for what the tests of TLS in `net` share: files by digest, contexts over them, two connected ends."""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from gurney.config.proxied import ListenerTls, MemberTls
from gurney.net.secured import Secured
from gurney.net.tls import Contexts


@dataclass
class Kept:
    """A folder as the engine makes it: each file under its digest, by kind and the name it is called by."""

    folder: Path
    materials: dict[str, dict[str, str]] = field(default_factory=dict)

    def keep(self, kind: str, path: Path) -> str:
        """The file's name, by which a `tls` names it from now on."""
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / f"{digest}.pem").write_bytes(content)
        self.materials.setdefault(kind, {})[path.name] = digest
        return path.name

    def contexts(self, before: Contexts | None = None) -> Contexts:
        return Contexts(self.folder, self.materials, before)

    def accepting(self, *own: Path, ca: Path | None = None, crl: Path | None = None, suites: str = "bcp195") -> ssl.SSLContext:
        """What a listener with these files has."""
        names = tuple(self.keep("certificate", one) for one in own)
        tls = ListenerTls(names, self.keep("ca", ca) if ca else None, self.keep("crl", crl) if crl else None, suites)
        context = self.contexts().accepting(tls)
        assert context is not None
        return context

    def towards(self, ca: Path, own: Path | None = None) -> ssl.SSLContext:
        """What dials a member of this authority."""
        found = self.contexts().towards(MemberTls(self.keep("ca", ca), None, self.keep("certificate", own) if own else None), "h")
        assert found is not None
        return found.context


def connected() -> tuple[socket.socket, socket.socket]:
    """Two ends of one TCP connection on loopback, non-blocking."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialled = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    for sock in (dialled, accepted):
        sock.setblocking(False)
    return dialled, accepted


def secured(accepting: ssl.SSLContext, towards: ssl.SSLContext, name: str) -> tuple[Secured, Secured]:
    """(dialling, accepting) after a handshake that must succeed."""
    plain = connected()
    ends = Secured(plain[0], towards, name), Secured(plain[1], accepting)
    done: set[Secured] = set()
    while len(done) < 2:
        for end in ends:
            try:
                end.handshake()
                done.add(end)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
    return ends
