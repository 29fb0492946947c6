"""What the compiled file does in the real HAProxy: headers, refusals, TLS, certificates, panic, pages, tables, descriptors."""

from __future__ import annotations

import re
import resource
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gurney.compile.haproxy import descriptors
from gurney.compile.target import Machine
from gurney.config.proxied import Material
from gurney.errors import InputRefused
from tests.compile.carried import Running, compiled, lay, members, request, serving
from tests.golden.certificates import Authority
from tests.golden.real import ENVIRONMENT, PROGRAM
from tests.ports import free_ports

pytestmark = pytest.mark.live


def closed(port: int) -> bool:
    """Whether a connection there is closed at once."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as refused:
            return refused.recv(1) == b""
    except ConnectionResetError:
        return True


@dataclass(frozen=True)
class Secured:
    """A running TLS listener and what belongs to it; `own` are its certificates by name."""

    folder: Path
    listen: int
    redirect: int
    member: int
    clients: Authority
    own: Mapping[str, bytes]

    def context(self, name: str, certificate: bytes | None = None) -> ssl.SSLContext:
        """What a client trusts who expects the certificate `name` alone; `certificate`: the one it shows."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.load_verify_locations(cadata=self.own[name].split(b"-----BEGIN PRIVATE")[0].decode())
        if certificate is not None:
            (self.folder / "client.pem").write_bytes(certificate)
            made.load_cert_chain(self.folder / "client.pem")
        return made


def until(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.02)


def application(services: str, pools: str) -> str:
    return f"gurney: 1\napplications:\n  web:\n    services:\n{services}\n    pools:\n{pools}\n"


def test_members_are_told_of_the_client_and_never_by_the_client(tmp_path: Path) -> None:
    plain, trusting, member = free_ports(3)
    text = application(
        f'      plain: {{protocol: http, listen: "127.0.0.1:{plain}", accept_proxy_from: [127.0.0.0/8], rules: [{{pool: web}}]}}\n'
        f'      trusting: {{protocol: http, listen: "127.0.0.1:{trusting}", trust_forwarded_from: [127.0.0.1], rules: [{{pool: web}}]}}',
        f'      web: ["127.0.0.1:{member}"]',
    )
    forged = [
        "GET / HTTP/1.1",
        "Host: portal.example.org:81",
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Proto: https",
        "Forwarded: for=6.6.6.6",
    ]
    forged += ["X-Forwarded-Prefix: /evil", "X-SSL-Client-DN: CN=admin", "X-SSL-Client-Verify: 0"]
    with members([member], tmp_path / "origin"), serving(compiled(text), tmp_path / "front"):
        got = request(plain, forged, source="2001:db8::7").got
        assert got["x-forwarded-for"] == ["2001:db8::7"]
        assert got["x-forwarded-proto"] == ["http"]
        assert got["x-forwarded-host"] == ["portal.example.org:81"]
        assert got["x-forwarded-port"] == [str(plain)]
        assert got["forwarded"] == ['proto=http;host="portal.example.org:81";for="[2001:db8::7]"']
        assert not {"x-forwarded-prefix", "x-ssl-client-dn", "x-ssl-client-verify"} & got.keys()
        kept = request(trusting, forged).got
        assert kept["x-forwarded-for"] == ["6.6.6.6", "127.0.0.1"]
        assert kept["x-forwarded-proto"] == ["https"]
        assert not {"x-ssl-client-dn", "x-ssl-client-verify"} & kept.keys()


def test_what_a_client_wants_compressed_is_and_nothing_else(tmp_path: Path) -> None:
    listen, member = free_ports(2)
    text = application(
        f'      web: {{protocol: http, listen: "127.0.0.1:{listen}", rules: [{{pool: web}}]}}', f'      web: ["127.0.0.1:{member}"]'
    )
    asked = ["GET / HTTP/1.1", "Host: x"]
    with members([member], tmp_path / "origin"), serving(compiled(text), tmp_path / "front"):
        assert "content-encoding" not in request(listen, asked).headers
        packed = request(listen, [*asked, "Accept-Encoding: gzip"])
        assert (packed.status, packed.headers["content-encoding"], packed.headers["vary"]) == (200, "gzip", "Accept-Encoding")


def test_what_is_too_much_is_refused_in_plain_words(tmp_path: Path) -> None:
    listen, tcp, member = free_ports(3)
    text = application(
        f'      web: {{protocol: http, listen: "127.0.0.1:{listen}", accept_proxy_from: [127.0.0.0/8], accept_from: [10.0.0.0/8],'
        f" limits: {{body: 10B}}, rules: [{{pool: web}}]}}\n"
        f'      raw: {{protocol: tcp, listen: "127.0.0.1:{tcp}", accept_from: [10.0.0.0/8], rules: [{{pool: raw}}]}}',
        f'      web: ["127.0.0.1:{member}"]\n      raw: ["127.0.0.1:{member}"]',
    )
    post = ["POST / HTTP/1.1", "Host: x"]
    with members([member], tmp_path / "origin"), serving(compiled(text), tmp_path / "front"):
        assert request(listen, [*post, "Content-Length: 3"], source="10.0.0.1", body=b"abc").status == 200
        assert request(listen, [*post, "Content-Length: 11"], source="10.0.0.1", body=b"a" * 11).status == 413
        chunked = [*post, "Transfer-Encoding: chunked"]
        assert request(listen, chunked, source="10.0.0.1", body=b"1\r\na\r\n0\r\n\r\n").status == 411
        assert request(listen, ["GET / HTTP/1.1", "Host: x"], source="11.0.0.1").status == 403
        assert request(listen, ["GET / HTTP/1.1", "Host: x", "X_Evil: 1"], source="10.0.0.1").status == 403
        assert closed(tcp)


def second(port: int, method: str, body: bytes | None) -> bytes:
    """What HTTP/2 answers to a request that says no length: a `body` follows the head (RFC 9113 §6), None: there is none."""

    def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
        return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload

    def literal(name: bytes, value: bytes) -> bytes:
        return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value

    head = ((b":method", method.encode()), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"x"))
    fields = b"".join(literal(name, value) for name, value in head)
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
        link.sendall(start + frame(1, 5 if body is None else 4, 1, fields) + frame(6, 0, 0, bytes(8)))
        said = b""
        while b"\6\1\0\0\0\0" not in said:  # the ping that follows the head is answered: the head was read before the body is sent
            said += link.recv(65_536)
        if body is not None:
            link.sendall(frame(0, 1, 1, body))
        while re.search(rb"\x01[\x04\x05]\0\0\0\x01", said) is None and (data := link.recv(65_536)):
            said += data
        return said


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PROPFIND"])
def test_a_body_without_a_length_is_refused_whatever_the_method(tmp_path: Path, method: str) -> None:
    listen, member = free_ports(2)
    text = application(
        f'      web: {{protocol: http, listen: "127.0.0.1:{listen}", limits: {{body: 10B}}, rules: [{{pool: web}}]}}',
        f'      web: ["127.0.0.1:{member}"]',
    )
    with members([member], tmp_path / "origin"), serving(compiled(text), tmp_path / "front"):
        assert b"411" in second(listen, method, b"a" * 11)
        assert b"\x88" in second(listen, method, None)  # :status 200


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Two services on one TLS listener that ask clients for a certificate, a redirect to it, a member that asks HAProxy for one."""
    clients, inner = Authority("clients.example.org"), Authority("inner.example.org")
    own = {name: Authority(f"{name}.example.org").itself for name in ("portal", "other")}
    kinds = {"portal": "certificate", "other": "certificate", "clients": "ca", "revoked": "crl", "inner": "ca", "us": "certificate"}
    contents = {
        **own,
        "clients": clients.pem,
        "revoked": clients.crl("gone.example.org"),
        "inner": inner.pem,
        "us": inner.issue("us.example.org"),
    }
    held = {f"{name}.pem": Material(kind, f"{at:064x}", (f"{name}.example.org",)) for at, (name, kind) in enumerate(kinds.items())}
    listen, redirect, member = free_ports(3)
    asks = "client_ca: clients.pem, client: optional, crl: revoked.pem"
    text = application(
        f'      portal: {{protocol: http, listen: "127.0.0.1:{listen}", hosts: [portal.example.org],'
        f" tls: {{certificate: portal.pem, {asks}, hsts: 1h, redirect_from: {redirect}}}, rules: [{{pool: web}}]}}\n"
        f'      other: {{protocol: http, listen: "127.0.0.1:{listen}", hosts: [other.example.org],'
        f" tls: {{certificate: other.pem, {asks}}}, rules: [{{pool: web}}]}}",
        f'      web: {{tls: {{ca: inner.pem, server_name: member.example.org, certificate: us.pem}}, members: ["127.0.0.1:{member}"]}}',
    )
    folder = tmp_path_factory.mktemp("secured")
    (folder / "origin").mkdir()
    (folder / "origin/member.pem").write_bytes(inner.issue("member.example.org"))
    (folder / "origin/inner.pem").write_bytes(inner.pem)
    digests = {held[f"{name}.pem"].digest: content for name, content in contents.items()}
    asking = " ssl crt member.pem ca-file inner.pem verify required"
    with members([member], folder / "origin", asking), serving(compiled(text, held), folder / "front", digests):
        yield Secured(folder, listen, redirect, member, clients, own)


def test_the_certificate_is_the_one_for_the_name(secured: Secured) -> None:
    for name in ("portal", "other"):
        asked = ["GET / HTTP/1.1", f"Host: {name}.example.org"]
        answer = request(secured.listen, asked, tls=secured.context(name), name=f"{name}.example.org")
        assert (answer.status, answer.port) == (200, secured.member)  # the member checked HAProxy's certificate
        assert answer.headers.get("strict-transport-security") == ("max-age=3600" if name == "portal" else None)
        assert "x-ssl-client-dn" not in answer.got
    stranger = ["GET / HTTP/1.1", "Host: no.example.org"]
    assert request(secured.listen, stranger, tls=secured.context("portal"), name="portal.example.org").status == 421


def test_the_clients_certificate_is_checked_and_shown(secured: Secured) -> None:
    asked = ["GET / HTTP/1.1", "Host: portal.example.org", "X-SSL-Client-DN: CN=admin"]
    known = secured.context("portal", secured.clients.issue("doctor.example.org"))
    got = request(secured.listen, asked, tls=known, name="portal.example.org").got
    assert got["x-ssl-client-dn"] == ["CN=doctor.example.org"]
    assert got["x-ssl-client-verify"] == ["0"]
    for refused in (secured.clients.issue("gone.example.org"), Authority("stranger.example.org").itself):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            raise AssertionError(request(secured.listen, asked, tls=secured.context("portal", refused), name="portal.example.org"))


def test_the_clear_port_sends_to_https(secured: Secured) -> None:
    moved = request(secured.redirect, ["GET /a?b=c HTTP/1.1", f"Host: portal.example.org:{secured.redirect}"])
    assert (moved.status, moved.headers["location"]) == (308, f"https://portal.example.org:{secured.listen}/a?b=c")
    assert request(secured.redirect, ["GET / HTTP/1.1", "Host: other.example.org"]).status == 404


def test_a_member_that_shows_another_name_gets_nothing(tmp_path: Path) -> None:
    inner = Authority("inner.example.org")
    listen, member = free_ports(2)
    text = application(
        f'      web: {{protocol: http, listen: "127.0.0.1:{listen}", rules: [{{pool: web}}]}}',
        f'      web: {{tls: {{ca: inner.pem, server_name: wanted.example.org}}, members: ["127.0.0.1:{member}"]}}',
    )
    (tmp_path / "origin").mkdir()
    (tmp_path / "origin/member.pem").write_bytes(inner.issue("unwanted.example.org"))
    with (
        members([member], tmp_path / "origin", " ssl crt member.pem"),
        serving(compiled(text, {"inner.pem": Material("ca", "a" * 64)}), tmp_path / "front", {"a" * 64: inner.pem}),
    ):
        assert request(listen, ["GET / HTTP/1.1", "Host: x"]).status == 503


def dead_and_alive(tmp_path: Path, pool: str, alive: int, rest: str = "") -> tuple[str, list[int], list[int]]:
    """(document, ports of members that answer, ports of all, and the listener first) of a pool of 4 members of which `alive` answer."""
    listen, *ports = free_ports(5)
    those = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
    check = "check: {interval: 100ms, timeout: 100ms, rise: 1, fall: 1}"
    text = application(
        f'      web: {{protocol: http, listen: "127.0.0.1:{listen}", rules: [{{pool: web}}]}}',
        f"      web: {{balance: round-robin, {check}, {pool}, members: [{those}]}}\n{rest}",
    )
    return text, ports[:alive], [listen, *ports]


def ups(running: Running) -> int:
    """How many members of the serving backend are up."""
    name = next(back.name for back in running.bundle.backends if back.role == "serve" and back.pool == "web")
    return sum(f"{name}," in row and ",UP," in row for row in running.command("show stat").splitlines() if ",BACKEND," not in row)


@pytest.mark.parametrize(
    ("panic", "alive", "backend"), [("30%", 2, "serve"), ("30%", 1, "panic"), ("0%", 1, "serve"), ("100%", 3, "panic")]
)
def test_panic_begins_below_its_share_and_not_before(tmp_path: Path, panic: str, alive: int, backend: str) -> None:
    text, answering, ports = dead_and_alive(tmp_path, f"panic: {panic}", alive)
    with members(answering, tmp_path / "origin"), serving(compiled(text), tmp_path / "front") as running:
        until(lambda: ups(running) == alive)
        assert [request(ports[0], ["GET / HTTP/1.1", "Host: x"]).status for _ in range(8)] == [200] * 8
        roles = {back.name: back.role for back in running.bundle.backends}
        rows = [row.split(",") for row in running.command("show stat").splitlines() if ",BACKEND," in row]
        used = {roles[row[0]] for row in rows if int(row[7])}
        assert used == {backend}


@pytest.mark.parametrize("two_pools", [False, True])
def test_failover_of_many_members_keeps_to_the_first_that_is_up(tmp_path: Path, two_pools: bool) -> None:
    """HAProxy counts one usable member of such a pool, however many there are: that is no panic."""
    text, _, ports = dead_and_alive(tmp_path, "panic: 60%", 4)
    text = text.replace("balance: round-robin", "balance: failover")
    if two_pools:
        text = text.replace("rules: [", "rules: [{match: {path: /other}, pool: spare}, ") + f'      spare: ["127.0.0.1:{ports[1]}"]\n'
    with members(ports[2:], tmp_path / "origin"), serving(compiled(text), tmp_path / "front") as running:
        until(lambda: ups(running) == 3)
        assert [request(ports[0], ["GET / HTTP/1.1", "Host: x"]).port for _ in range(8)] == [ports[2]] * 8


def test_a_certificate_is_shown_for_every_host_its_wildcard_is_for() -> None:
    text = application(
        "      api: {protocol: http, listen: 8443, hosts: [api.example.net], tls: {certificate: api.pem}, rules: [{pool: web}]}\n"
        '      site: {protocol: http, listen: 8443, hosts: [example.org, www.example.org, "*.clinic.example.org"],'
        " tls: {certificate: site.pem}, rules: [{pool: web}]}",
        '      web: ["127.0.0.1:1"]',
    )
    of = {"api.pem": ("api.example.net", "example.org"), "site.pem": ("example.org", "*.example.org", "*.clinic.example.org", "else.org")}
    made = compiled(text, {name: Material("certificate", f"{at:064x}", names) for at, (name, names) in enumerate(of.items())})
    (listed,) = [held for name, held in made.files.items() if name.startswith("lists/")]
    assert [line.split()[1:] for line in listed.splitlines()] == [
        ["api.example.net"],
        ["example.org", "*.clinic.example.org", "www.example.org"],
    ]


def test_with_nobody_up_the_page_is_shown_or_the_fallback_serves(tmp_path: Path) -> None:
    text, _, ports = dead_and_alive(tmp_path, "fallback: {page: sorry.html}", 0)
    page = {"sorry.html": Material("page", "b" * 64)}
    with serving(compiled(text, page), tmp_path / "paged", {"b" * 64: b"<h1>it's %[env(HOME)] ${HOME}</h1>"}) as running:
        until(lambda: ups(running) == 0)
        answer = request(ports[0], ["GET / HTTP/1.1", "Host: x"])
        assert (answer.status, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    (spare,) = free_ports(1)
    text, _, ports = dead_and_alive(tmp_path, "fallback: spare", 0, f'      spare: ["127.0.0.1:{spare}"]')
    with members([spare], tmp_path / "origin"), serving(compiled(text), tmp_path / "falling") as running:
        until(lambda: ups(running) == 0)
        assert request(ports[0], ["GET / HTTP/1.1", "Host: x"]).port == spare


BALANCES = ("least-load", "round-robin", "random", "source", "uri", "header:x-user")


@pytest.mark.parametrize("balance", BALANCES)
def test_every_server_can_be_added_as_its_arguments_say(tmp_path: Path, balance: str) -> None:
    listen, one, two = free_ports(3)
    inner = Authority("inner.example.org")
    more = "persist: {by: cookie, then: source}, tls: {ca: inner.pem, server_name: in.example.org}"
    text = application(
        f'      web: {{protocol: http, listen: "127.0.0.1:{listen}", rules: [{{pool: web}}]}}\n',
        f'      web: {{balance: "{balance}", {more}, members: [{{address: "127.0.0.1:{one}", proxy: v2}},'
        f' {{address: "127.0.0.1:{two}", proxy: v2}}]}}',
    )
    bundle = compiled(text, {"inner.pem": Material("ca", "a" * 64)})
    with serving(bundle, tmp_path / "front", {"a" * 64: inner.pem}) as running:
        for back in bundle.backends:
            server = back.servers[1]
            assert back.resizable and server.arguments is not None
            running.command(f"set server {back.name}/{server.name} state maint")
            assert "Server deleted" in running.command(f"del server {back.name}/{server.name}")
            said = running.command(f"add server {back.name}/{server.name} {server.address} {server.arguments}")
            assert said == "New server registered."
        assert "not accepted" in running.command(f"add server {bundle.backends[0].name}/y 127.0.0.1:1 tcp-ut 1s")


def test_the_descriptors_granted_are_enough_and_what_hardly_fits_is_known(tmp_path: Path) -> None:
    """http.md §3 against the program: what is granted starts at that limit, with many members and listeners too."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for nofile in {1_024, min(hard, 20_000)}:
        for listeners, count in ((1, 1), (10, 200)):
            ports = free_ports(listeners)
            services = "\n".join(
                f'      s{port}: {{protocol: http, listen: "127.0.0.1:{port}", limits: {{connections: 100000}}, rules: [{{pool: web}}]}}'
                for port in ports
            )
            many = ", ".join(f'"127.0.0.2:{10_000 + at}"' for at in range(count))
            bundle = compiled(application(services, f"      web: {{persist: source, members: [{many}]}}"), machine=Machine(nofile=nofile))
            folder = tmp_path / f"{nofile}-{listeners}-{count}"
            lay(bundle, folder)
            assert starts(folder, nofile), bundle.granted
            text = (folder / "current/haproxy.cfg").read_text()
            granted = int(bundle.granted[0].split(" ")[0])
            (folder / "current/haproxy.cfg").write_text(text.replace(f"    maxconn {granted}\n", f"    maxconn {nofile // 2}\n", 1))
            assert not starts(folder, nofile), "the limit of descriptors is not looked at"


def starts(folder: Path, nofile: int) -> bool:
    """Whether HAProxy starts under that hard limit."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

    arguments = [PROGRAM, "-W", "-S", "unix@run/master.sock,mode,600", "-f", "current/haproxy.cfg"]
    with open(folder / "said.log", "wb") as log:
        process = subprocess.Popen(arguments, cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log, preexec_fn=limited)
    try:
        until(lambda: process.poll() is not None or b"Loading success" in (folder / "said.log").read_bytes())
        return process.poll() is None
    finally:
        process.terminate()
        process.wait()


def test_too_few_descriptors_are_said() -> None:
    with pytest.raises(InputRefused, match="open files are too few"):
        descriptors.grant(Machine(nofile=90), 5_000, listeners=2, members=10, peered=False)
