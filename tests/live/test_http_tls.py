"""TLS towards clients and members, seen from outside (http-13, reliability H7)."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Sequence

import pytest

from tests.live.conftest import Room, needs
from tests.live.harness.counts import count, say
from tests.live.harness.http.certificates import Authority
from tests.live.harness.http.client import Client, Ended, get, shown, trusting
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.http.engine import Engine
from tests.live.harness.http.groups import Group
from tests.live.harness.processes import environment
from tests.live.harness.wait import until

SUITES_12 = {f"ECDHE-ECDSA-{s}" for s in ("AES128-GCM-SHA256", "AES256-GCM-SHA384")}
SUITES_13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}


def offers(port: int, *words: str) -> bool:
    """Whether `openssl s_client` with these words gets a cipher, with everything that the client itself would refuse allowed."""
    argv = [str(shutil.which("openssl")), "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "h.test", *words]
    done = subprocess.run(argv, input=b"", capture_output=True, timeout=20, env=environment(OPENSSL_CONF="/dev/null"))
    return b"Cipher is (NONE)" not in done.stdout and b"New, " in done.stdout


def ciphers(words: Sequence[str]) -> list[str]:
    """The names openssl knows for a list of ciphers."""
    argv = [str(shutil.which("openssl")), "ciphers", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, env=environment(OPENSSL_CONF="/dev/null"))
    return done.stdout.strip().split(":")


@pytest.mark.timeout(300)
def test_http_13_protocols_and_suites_are_the_profile(room: Room) -> None:
    """Every protocol and every suite that openssl knows is tried: what is accepted is the list."""
    needs("openssl")
    site, ca = room.website("a"), Authority(room.folder)
    ca.leaf("h.pem", "h.test", "*.h.test")
    port = room.port()
    tls = "{certificate: h.pem, hsts: 1y}"
    room.gurney(document(application("web", [service("site", port, tls=tls)], [pool("servers", site.ports())])))
    old = {v: offers(port, f"-{v}", "-cipher", "ALL:@SECLEVEL=0") for v in ("tls1", "tls1_1")}
    new = {v: offers(port, f"-{v}") for v in ("tls1_2", "tls1_3")}
    names = [c for c in ciphers(["-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]) if not c.startswith("TLS_")]
    wanted = [c for c in names if "PSK" not in c and "SRP" not in c]
    twelve = {c for c in wanted if offers(port, "-tls1_2", "-cipher", f"{c}:@SECLEVEL=0")}
    every_13 = [*SUITES_13, "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]
    thirteen = {c for c in every_13 if offers(port, "-tls1_3", "-ciphersuites", c)}
    answer = get(port, tls=trusting(ca.file))
    with socket.create_connection(("127.0.0.1", port)) as plain:
        context = trusting(ca.file)
        context.set_alpn_protocols(["h2", "http/1.1"])
        with context.wrap_socket(plain, server_hostname="h.test") as s:
            alpn = s.selected_alpn_protocol()
    hsts = answer.header("strict-transport-security")
    say("http-13", tried=len(wanted) + 9, tls10_11=sum(old.values()), tls12_suites=len(twelve), tls13_suites=len(thirteen), alpn=alpn)
    assert (old, new) == ({"tls1": False, "tls1_1": False}, {"tls1_2": True, "tls1_3": True})
    assert (twelve, thirteen) == (SUITES_12, SUITES_13)
    assert (answer.status, alpn, hsts and hsts.split(";")[0]) == (200, "h2", "max-age=31536000")


@pytest.mark.timeout(300)
def test_http_13_http2_by_another_client(room: Room) -> None:
    """curl over HTTP/2, streams side by side on one connection, over a reload: every one is answered; what the member sees is HTTP/1.1."""
    needs("curl")
    site, ca = room.website("a", "b"), Authority(room.folder)
    ca.leaf("h.pem", "h.test")
    port = room.port()

    def text(idle: int) -> str:
        keys = {"tls": "{certificate: h.pem}", "limits": f"{{idle: {idle}s}}"}
        return document(application("web", [service("site", port, **keys)], [pool("servers", site.ports())]))

    g = room.gurney(text(60))
    requests = count(60, 1000, asked=200)
    argv = [str(shutil.which("curl")), "-sS", "--http2", "-Z", "--parallel-max", "20", "--cacert", str(ca.file), "--resolve"]
    argv += [
        f"h.test:{port}:127.0.0.1",
        "-o",
        "/dev/null",
        "-w",
        "%{http_version} %{http_code}\n",
        f"https://h.test:{port}/echo/[1-{requests}]",
    ]
    answers: list[str] = []
    for idle in (61, 62):
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment()) as curl:
            done = g.apply(text(idle))
            assert done.returncode == 0, done.stdout + done.stderr
            answers += curl.communicate(timeout=60)[0].split("\n")[:-1]
    say("http-13", http2_requests=len(answers), answered=answers.count("2 200"), reloads=2)
    assert answers == ["2 200"] * (2 * requests), [a for a in answers if a != "2 200"][:5]


def handshake(port: int, context: ssl.SSLContext) -> str:
    """`served`, or `refused`: with TLS 1.3 a client learns of it at its first read."""
    try:
        return "served" if get(port, tls=context, timeout=10).status == 200 else "refused"
    except (ssl.SSLError, ConnectionError, Ended):
        return "refused"


@pytest.mark.timeout(300)
def test_http_13_client_certificates(room: Room) -> None:
    """Required: none, of another authority, expired, revoked are refused and reach no member; a good one is served."""
    site, ca, other = room.website("a"), Authority(room.folder), Authority(room.folder, "other")
    ca.leaf("h.pem", "h.test")
    good, gone = ca.leaf("good.pem", "client-1"), ca.leaf("gone.pem", "client-2")
    expired, foreign = ca.leaf("expired.pem", "client-3", expired=True), other.leaf("foreign.pem", "client-4")
    ca.revoked("crl.pem", gone.serial)
    ports = {"required": room.port(), "optional": room.port()}
    services = [
        service(n, p, tls=f"{{certificate: h.pem, client_ca: ca.pem, client: {n}, crl: crl.pem}}", rules=["{pool: servers}"])
        for n, p in ports.items()
    ]
    room.gurney(document(application("web", services, [pool("servers", site.ports())])))
    cases = {"none": None, "wrong": foreign.file, "expired": expired.file, "revoked": gone.file, "good": good.file}
    seen = {k: handshake(ports["required"], trusting(ca.file, f)) for k, f in cases.items()}
    reached = site.counts("a")["requests"]
    optional = {k: handshake(ports["optional"], trusting(ca.file, cases[k])) for k in ("none", "good", "wrong", "revoked")}
    say(
        "http-13",
        required=",".join(f"{k}:{v}" for k, v in seen.items()),
        optional=",".join(f"{k}:{v}" for k, v in optional.items()),
        reached=reached,
    )
    assert seen == {"none": "refused", "wrong": "refused", "expired": "refused", "revoked": "refused", "good": "served"}
    assert (optional, reached) == ({"none": "served", "good": "served", "wrong": "refused", "revoked": "refused"}, 1)


@pytest.mark.timeout(300)
def test_http_13_a_certificate_is_swapped_under_connections(room: Room) -> None:
    """A new certificate under standing connections: none drops, new handshakes show it, no process starts; `undo` without the old file."""
    site, ca = room.website("a"), Authority(room.folder)
    first = ca.leaf("h.pem", "h.test")
    other = ca.leaf("other.pem", "other.test")
    port = room.port()

    def text(mark: int) -> str:
        return document(
            application("web", [service("site", port, tls="{certificate: [h.pem, other.pem]}")], [pool("servers", {"a": mark_of(mark)})])
        )

    def mark_of(mark: int) -> str:
        return f"{{address: 127.0.0.1:{site.port()}, weight: {mark}}}"

    g = room.gurney(text(100))
    engine = Engine(g.state)
    by_name = [shown(port, n) for n in ("h.test", "other.test", "else.test", None)]
    held = count(100, 1000, asked=1000)
    load = room.load(Group("kept", port, connections=held, pause=0.5, tls=str(ca.file)))
    load.runs(held, 60)
    opened, pids = load.now["kept"].opened, engine.pids()
    second = ca.leaf("h.pem", "h.test")  # the same name in the document, another content
    done = g.apply(text(100))
    assert done.returncode == 0, done.stdout + done.stderr
    swapped = shown(port)
    load.runs(held, 60)
    (room.folder / "h.pem").unlink()
    undone = g.verb("undo")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    back = shown(port)
    load.runs(held, 60)
    tally = load.stop()["kept"]
    same = engine.pids() == pids
    say(
        "http-13",
        connections=held,
        dropped=tally.failed + tally.opened - opened,
        swapped=swapped == second.sha256,
        undone=back == first.sha256,
        same_haproxy=same,
    )
    assert by_name == [first.sha256, other.sha256, first.sha256, first.sha256]
    assert (tally.errors, tally.opened, same) == ({}, opened, True)
    assert (swapped, back) == (second.sha256, first.sha256)
    assert engine.differences() == []
    resumed(g, port, first.sha256)


def resumed(g: object, port: int, sha: str) -> None:
    """After `down` and `up` without a file the certificate is there again, though its file is not."""
    from tests.live.harness.gurney import Gurney

    assert isinstance(g, Gurney)
    assert g.verb("down").returncode == 0
    g.control.stop(5)
    g.up(with_file=False)
    assert shown(port) == sha


@pytest.mark.timeout(300)
def test_http_13_re_encryption_verifies(room: Room) -> None:
    """A member with the right name and authority is used; wrong name, wrong authority, expired are not, whatever their check would say."""
    ca, other = Authority(room.folder), Authority(room.folder, "other")
    ca.leaf("gurney.pem", "gurney-1")
    leaves = {
        "right": ca.leaf("right.pem", "inner.test"),
        "name": ca.leaf("name.pem", "else.test"),
        "authority": other.leaf("foreign.pem", "inner.test"),
        "expired": ca.leaf("expired.pem", "inner.test", expired=True),
    }
    sites = {n: room.website(n, certificate=str(leaf.file), ca=str(ca.file)) for n, leaf in leaves.items()}
    port = room.port()
    tls = "{ca: ca.pem, server_name: inner.test, certificate: gurney.pem}"
    pools = [pool(n, {n: s.port()}, tls=tls, panic="0%") for n, s in sites.items()]
    rules = [f"{{match: {{path: /{n}*}}, pool: {n}}}" for n in list(sites)[1:]] + ["{pool: right}"]
    g = room.gurney(document(application("web", [service("site", port, rules=rules)], pools)))
    answers = {n: get(port, f"/{n}") for n in sites}
    inner = get(port, "/echo").seen()
    words = {n: g.status()["applications"]["web"]["pools"][n]["members"][n]["operational"] for n in sites}
    until(lambda: all(m["operational"] != "up" for n in list(sites)[1:] for m in members(g, n)), 20, "the others are down")
    reached = sum(sites[n].counts(n)["requests"] for n in list(sites)[1:])
    say(
        "http-13",
        statuses=",".join(f"{n}:{a.status}" for n, a in answers.items()),
        reached_the_wrong=reached,
        words=",".join(words.values()),
    )
    assert {n: a.status for n, a in answers.items()} == {"right": 200, "name": 503, "authority": 503, "expired": 503}
    assert (reached, inner["client"], str(inner["tls"]).startswith("TLSv1.")) == (0, True, True)


def members(g: object, name: str) -> list[dict[str, str]]:
    from tests.live.harness.gurney import Gurney

    assert isinstance(g, Gurney)
    return list(g.status()["applications"]["web"]["pools"][name]["members"].values())


@pytest.mark.timeout(300)
def test_http_13_hosts_by_sni_and_the_plain_redirect(room: Room) -> None:
    """Several certificates on one listener by SNI, a TCP service by SNI, 308 from the plain port."""
    site, line = room.website("a", "b"), room.website("t", "u", kind="tcp")
    ca = Authority(room.folder)
    leaves = {n: ca.leaf(f"{n}.pem", f"{n}.test") for n in ("one", "two")}
    port, plain, tcp = room.port(), room.port(), room.port()
    services = [
        service("one", port, hosts="[one.test]", tls=f"{{certificate: one.pem, redirect_from: {plain}}}", rules=["{pool: a}"]),
        service("two", port, hosts="[two.test]", tls="{certificate: two.pem}", rules=["{pool: b}"]),
        service(
            "line", tcp, protocol="tcp", tls="{certificate: [one.pem, two.pem]}", rules=["{match: {host: one.test}, pool: t}", "{pool: u}"]
        ),
    ]
    check = "{kind: tcp, interval: 500ms, timeout: 500ms, rise: 1, fall: 2}"
    pools = [pool(n, {n: site.port(n)}) for n in ("a", "b")] + [pool(n, {n: line.port(n)}, check=check) for n in ("t", "u")]
    room.gurney(document(application("web", services, pools)))
    context = trusting(ca.file)
    by_host = {n: get(port, "/x", tls=context, name=f"{n}.test", host=f"{n}.test").member for n in leaves}
    unknown = Client(port, tls=context, name="one.test")
    with unknown:
        misdirected = unknown.ask("/x", host="nobody.test").status
    moved = get(plain, "/a/b?c=d", host="one.test", source="127.0.0.9")
    lines = {}
    for n in leaves:
        with Client(tcp, tls=context, name=f"{n}.test") as c:
            c.send(b"hello\n")
            lines[n] = c.sock.recv(100).decode().split(":")[0]
    say(
        "http-13",
        by_sni=",".join(f"{k}:{v}" for k, v in by_host.items()),
        tcp_by_sni=",".join(lines.values()),
        redirect=moved.status,
        nobody=misdirected,
    )
    assert (by_host, lines) == ({"one": "a", "two": "b"}, {"one": "t", "two": "u"})
    assert {n: shown(port, f"{n}.test") for n in leaves} == {n: leaf.sha256 for n, leaf in leaves.items()}
    assert (moved.status, moved.header("location")) == (308, f"https://one.test:{port}/a/b?c=d")
    assert misdirected in (404, 421)
