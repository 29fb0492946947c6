"""Certificates, authorities and revocation lists at run time: what HAProxy tells of a file equals what stands for the file."""

from __future__ import annotations

import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.engines.haproxy import binary, certificates, changes
from gurney.engines.haproxy.commands import Command, Verb
from gurney.engines.haproxy.runtime import Runtime
from gurney.errors import EngineRefused, InputRefused, NotRunning
from tests.engines.haproxy.made import bundle
from tests.engines.haproxy.stage import Stage
from tests.golden import certificates as golden
from tests.live.harness.http.certificates import Authority
from tests.live.harness.wait import until
from tests.ports import free_ports

CONFIGURATION = """global
 description x
 stats socket unix@run/admin.sock mode 600 level admin
defaults
 mode http
 timeout connect 1s
 timeout client 5s
 timeout server 5s
frontend fe
 bind 127.0.0.1:{port} ssl crt current/c.pem ca-file current/ca.pem crl-file current/crl.pem verify required
 http-request return status 200
"""


class Gate:
    """A HAProxy that asks for client certificates of an authority that revokes some."""

    def __init__(self, folder: Path) -> None:
        self.folder, (self.port,) = folder, free_ports(1)
        (folder / "run").mkdir()
        self.place = folder / "current"
        self.place.mkdir()
        (self.place / "haproxy.cfg").write_text(CONFIGURATION.format(port=self.port))
        self.runtime = Runtime(folder)

    def start(self) -> None:
        argv = [str(binary.find().path), "-db", "-f", "current/haproxy.cfg"]
        with (self.folder / "log").open("wb") as log:
            self.child = subprocess.Popen(argv, cwd=self.folder, env=binary.ENVIRONMENT, stdout=log, stderr=log)
        until(self._answers, 20, "HAProxy answers")

    def _answers(self) -> bool:
        try:
            return bool(self.runtime.facts())
        except NotRunning:
            return False

    def differing(self) -> tuple[str, ...]:
        return certificates.differing(self.runtime, self.folder, ("c.pem", "ca.pem", "crl.pem"))

    def admits(self, file: Path) -> bool:
        context = ssl._create_unverified_context()
        context.load_cert_chain(file)
        try:
            with context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 10)) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                return sock.recv(100).startswith(b"HTTP/1.1 200")
        except (ssl.SSLError, ConnectionError):
            return False


@pytest.fixture
def gate() -> Iterator[Gate]:
    with tempfile.TemporaryDirectory(prefix="gurney-gate-") as folder:
        made = Gate(Path(folder))
        yield made
        made.child.kill()
        made.child.wait(10)


def test_authorities_and_revocations_are_swapped(gate: Gate, tmp_path: Path) -> None:
    one, other = Authority(tmp_path, "one"), Authority(tmp_path, "other")
    (gate.place / "c.pem").write_text(one.leaf("c.pem", "h.test").file.read_text())
    mine, theirs = one.leaf("mine.pem", "client"), other.leaf("theirs.pem", "client")
    (gate.place / "ca.pem").write_text(one.file.read_text())
    (gate.place / "crl.pem").write_text(one.revoked("none.pem").read_text() + other.revoked("none2.pem").read_text())
    gate.start()
    assert gate.differing() == ()
    assert (gate.admits(mine.file), gate.admits(theirs.file)) == (True, False)

    (gate.place / "ca.pem").write_text(one.file.read_text() + other.file.read_text())
    assert gate.differing() == ("ca.pem",)
    assert certificates.swap(gate.runtime, gate.folder, "ca.pem") == "authority"
    assert gate.differing() == () and gate.admits(theirs.file)

    (gate.place / "crl.pem").write_text(one.revoked("some.pem", 77, mine.serial).read_text() + other.revoked("none3.pem").read_text())
    assert gate.differing() == ("crl.pem",)
    assert certificates.swap(gate.runtime, gate.folder, "crl.pem") == "revocation list"
    assert gate.differing() == ()
    assert (gate.admits(mine.file), gate.admits(theirs.file)) == (False, True)

    (gate.place / "ca.pem").write_text("nothing\n")
    with pytest.raises(EngineRefused):
        certificates.swap(gate.runtime, gate.folder, "ca.pem")
    (gate.place / "ca.pem").write_text(one.file.read_text() + other.file.read_text())
    assert gate.differing() == (), "what was refused left nothing behind"


def test_what_does_not_fit_a_payload_is_refused_before_it_is_said(gate: Gate, tmp_path: Path) -> None:
    one = Authority(tmp_path, "one")
    (gate.place / "c.pem").write_text(one.leaf("c.pem", "h.test").file.read_text())
    (gate.place / "ca.pem").write_text(one.file.read_text())
    (gate.place / "crl.pem").write_text(one.revoked("none.pem").read_text())
    gate.start()
    (gate.place / "ca.pem").write_text(one.file.read_text() * 40)
    with pytest.raises(InputRefused):
        certificates.swap(gate.runtime, gate.folder, "ca.pem")


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"])
def test_a_file_that_holds_none(text: str) -> None:
    with pytest.raises(InputRefused):
        certificates.of_file(text)


def test_a_name_haproxy_does_not_know() -> None:
    said = "Can't display the certificate: Not found or the certificate is a bundle!\n"
    assert certificates.of_answer(said, "certificate") is None


def test_a_certificate_of_which_the_chain_alone_is_another_is_swapped_too(tmp_path: Path) -> None:
    """HAProxy tells how many certificates stand above one: only who knows what was given before sees that they are other ones."""
    own, wrong, right = (golden.Authority(name) for name in ("h.test", "wrong.test", "right.test"))
    name, stage = "certificates/c_1.pem", Stage(tmp_path / "haproxy", *free_ports(2))
    try:
        stage.certificates[name] = (own.itself + wrong.pem).decode()
        before = bundle({}, port=stage.port, certificates={name: "wrong"})
        stage.publish(before)
        stage.start()
        stage.certificates[name] = (own.itself + right.pem).decode()
        fresh = bundle({}, port=stage.port, certificates={name: "right"})
        stage.publish(fresh)
        assert changes.apply_changes(stage.folder, fresh, before=before) == (f"certificate {name} swapped",)
        shown = Runtime(stage.folder).ask(Command(Verb.SHOW_CERTIFICATE, (f"current/{name}",)))
        assert "right.test" in shown and "wrong.test" not in shown
        assert changes.apply_changes(stage.folder, fresh, before=fresh) == ()
    finally:
        stage.close()
