"""Row H7 of reliability.md, per listener and per dialler: what is offered is what is declared, and every refusal is seen from outside.

Listeners are met by an independent client (the `openssl` program) where the matter is what it may offer, by Python's own where it is which
certificate; diallers meet servers of Python's.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop

from gurney.config import words
from gurney.config.proxied import ListenerTls, MemberTls
from gurney.errors import EngineRefused
from gurney.net import dial, tls
from gurney.net.dial import Dial
from gurney.net.handshake import Handshake
from gurney.net.secured import Secured
from gurney.net.tls import Contexts, Towards
from tests.live.harness.counts import say
from tests.live.harness.http.certificates import Authority, Leaf
from tests.net.secrets import Kept

T = TypeVar("T")
HOST = "archive.example.org"


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def wait(self, begin: Callable[[Callable[[T], None]], object], seconds: float = 20) -> T:
        """What the callback given to `begin`, in the loop, is called with."""
        box: list[T] = []
        done = threading.Event()

        def end(value: T) -> None:
            box.append(value)
            done.set()

        self.loop.call_soon_threadsafe(begin, end)
        assert done.wait(seconds), "no callback"
        return box[0]

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@dataclass
class Shop:
    """Two authorities, what they issued, and a loop to meet in."""

    folder: Path
    ca: Authority
    other: Authority
    kept: Kept
    loop: Loop
    leaves: dict[str, Leaf] = field(default_factory=dict)

    def accept(self, context: ssl.SSLContext, client: Callable[[int], object], within: float = 10) -> tuple[str, str]:
        """(why it failed or "", the subject seen) of one handshake with whatever `client` does to the port."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=client, args=(listener.getsockname()[1],), daemon=True)
            thread.start()
            sock, _ = listener.accept()
        sock.setblocking(False)
        seen: list[str] = []

        def begin(end: Callable[[str], None]) -> None:
            def done(secured: Secured | None, why: str) -> None:
                if secured is not None:
                    seen.append(secured.subject)
                    secured.close()
                end(why)

            Handshake(self.loop.loop, sock, context, done, within)

        why = self.loop.wait(begin)
        thread.join(20)
        return why, "".join(seen)

    def dial(self, towards: Towards, server: ssl.SSLContext | None) -> tuple[str, list[str]]:
        """(why it failed or "", what was told) of dialling a server with this context (None: one that closes), reading one byte."""
        told: list[str] = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=_serve, args=(listener, server), daemon=True)
            thread.start()

            def begin(end: Callable[[str], None]) -> None:
                def done(sock: socket.socket | None, why: str) -> None:
                    if sock is None:
                        end(why)
                        return
                    loop = self.loop.loop

                    def read() -> None:
                        try:
                            data = sock.recv(1)
                        except BlockingIOError:
                            return
                        except OSError as error:
                            data, late = b"", error.strerror or ""
                        else:
                            late = "" if data else "closed"
                        loop.remove_reader(sock)
                        sock.close()
                        end(late)

                    loop.add_reader(sock, read)

                port = listener.getsockname()[1]
                Dial(self.loop.loop, "127.0.0.1", port, done, tls=replace(towards, told=told.append), secured_within=10)

            why = self.loop.wait(begin)
            thread.join(20)
        return why, told


def _serve(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    sock, _ = listener.accept()
    sock.settimeout(20)
    try:
        if context is not None:
            with context.wrap_socket(sock, server_side=True) as secured:
                secured.sendall(b"1")
                secured.recv(1)
    except OSError:
        pass
    finally:
        sock.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("h7")
    ca, other = Authority(folder), Authority(folder, "other")
    made = Shop(folder, ca, other, Kept(folder), Loop())
    made.leaves = {
        "own": ca.leaf("own.pem", HOST, "127.0.0.1"),
        "second": ca.leaf("second.pem", "*.north.example.org"),
        "ct1": ca.leaf("ct1.pem", "ct1.example.org", "10.0.0.31"),
        "expired": ca.leaf("expired.pem", HOST, expired=True),
        "revoked": ca.leaf("revoked.pem", "stolen.example.org"),
        "foreign": other.leaf("foreign.pem", HOST),
        "elsewhere": ca.leaf("elsewhere.pem", "else.example.org"),
        "nul": ca.leaf("nul.pem", f"{HOST}\0.evil.example.com"),
    }
    ca.revoked("revoked-list.pem", made.leaves["revoked"].serial)
    yield made
    made.loop.close()


def client(ca: Path, own: Path | None = None, top: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, name: str = HOST) -> Callable[[int], None]:
    """A sender with this certificate; what it meets is its own matter."""

    def run(port: int) -> None:
        context = ssl.create_default_context(cafile=str(ca))
        context.maximum_version = top
        if own is not None:
            context.load_cert_chain(own)
        try:
            with socket.create_connection(("127.0.0.1", port), 20) as sock, context.wrap_socket(sock, server_hostname=name) as secured:
                secured.recv(1)
        except OSError:
            return

    return run


TOPS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("top", TOPS)
def test_senders_certificates_at_a_listener(shop: Shop, top: ssl.TLSVersion) -> None:
    leaf, ca = shop.leaves, shop.ca.file
    mutual = shop.kept.accepting(leaf["own"].file, ca=ca, crl=shop.folder / "revoked-list.pem")
    plain = shop.kept.accepting(leaf["own"].file)
    cases = [
        ("no certificate asked for", plain, client(ca, top=top), ""),
        ("its own", mutual, client(ca, leaf["ct1"].file, top), ""),
        ("none", mutual, client(ca, None, top), "no-certificate"),
        ("expired", mutual, client(ca, leaf["expired"].file, top), "expired"),
        ("revoked", mutual, client(ca, leaf["revoked"].file, top), "revoked"),
        ("another authority's", mutual, client(ca, leaf["foreign"].file, top), "unknown-ca"),
        ("a sender that does not trust us", plain, client(shop.other.file, top=top), "refused-by-peer"),
    ]
    seen = {what: shop.accept(context, sender) for what, context, sender, _ in cases}
    assert {what: why for what, (why, _) in seen.items()} == {what: why for what, *_, why in cases}
    assert seen["its own"][1] == "\\CN=ct1.example.org\\DNS:ct1.example.org\\IP:10.0.0.31"
    assert seen["no certificate asked for"][1] == ""


def test_what_is_no_handshake_ends_at_once(shop: Shop) -> None:
    context = shop.kept.accepting(shop.leaves["own"].file)

    def says(data: bytes) -> Callable[[int], None]:
        def run(port: int) -> None:
            with socket.create_connection(("127.0.0.1", port), 20) as sock:
                if data:
                    sock.sendall(data)
                    try:
                        sock.recv(100)  # until it is closed
                    except OSError:
                        return

        return run

    rq = b"\x01\x00\x00\x00\x00\xcd\x00\x01" + bytes(197)
    assert [shop.accept(context, says(data))[0] for data in (rq, b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01\x00\x02", b"\x00")] == [
        "not-tls"
    ] * 4
    assert shop.accept(context, says(b""))[0] == "probe"
    assert shop.accept(context, says(b"\x16\x03\x01\xff\xff" + bytes(70_000)))[0] == "broken"  # a record larger than a record may be
    assert shop.accept(context, says(b"\x16\x03\x01\x00\x05\x01"), within=0.2)[0] == "timeout"


OFFERED = {
    "ssl3": ("-ssl3", []),
    "tls1": ("-tls1", ["-cipher", "ALL:@SECLEVEL=0"]),
    "tls1_1": ("-tls1_1", ["-cipher", "ALL:@SECLEVEL=0"]),
}
WEAK = ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "AES128-GCM-SHA256", "DES-CBC3-SHA", "RC4-SHA", "NULL-SHA256",
        "ECDHE-ECDSA-NULL-SHA", "AECDH-AES128-SHA", "ECDHE-ECDSA-CAMELLIA128-SHA256")  # fmt: skip
STRONG = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384")


def openssl(*words_: str) -> Callable[[int], None]:
    """`openssl s_client`: an independent client that offers exactly this."""

    def run(port: int) -> None:
        argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *words_]
        made = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        if b"no cipher match" in made.stderr.lower() or b"unknown option" in made.stderr.lower():
            socket.create_connection(("127.0.0.1", port)).close()  # this library cannot even offer it

    return run


@pytest.mark.skipif(shutil.which("openssl") is None, reason="not proven: H7 (needs openssl)")
def test_h7_what_a_listener_offers_is_what_is_declared(shop: Shop) -> None:
    """Each retired version and suite is refused under the two profiles in force; what is declared is accepted."""
    own = shop.leaves["own"].file
    admitted, refused, wrongly = 0, 0, []
    for suites in ("bcp195", "modified"):
        context = shop.kept.accepting(own, suites=suites)
        for name, (flag, more) in OFFERED.items():
            why = shop.accept(context, openssl(flag, *more))[0]
            refused += why != ""
            if why not in ("old-protocol", "probe"):
                wrongly.append((suites, name, why))
        for suite in WEAK:
            why = shop.accept(context, openssl("-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0"))[0]
            refused += why != ""
            if why not in ("no-shared-suite", "probe"):
                wrongly.append((suites, suite, why))
        for suite in STRONG:
            why = shop.accept(context, openssl("-tls1_2", "-cipher", suite))[0]
            admitted += why == ""
            if why:
                wrongly.append((suites, suite, why))
        chacha = shop.accept(context, openssl("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"))[0]
        if chacha != ("" if suites == "modified" else "no-shared-suite"):
            wrongly.append((suites, "chacha", chacha))
    legacy = shop.kept.accepting(own, suites="legacy")
    old = [shop.accept(legacy, openssl(flag, "-cipher", "ALL:@SECLEVEL=0"))[0] for flag in ("-tls1", "-tls1_1")]
    say("h7-listener", profiles=2, admitted=admitted, refused=refused, wrongly=len(wrongly))
    assert wrongly == []
    assert old == ["", ""]
    for forbidden in ("NULL-SHA256", "AECDH-AES128-SHA", "RC4-SHA"):
        assert shop.accept(legacy, openssl("-tls1_2", "-cipher", f"{forbidden}:@SECLEVEL=0"))[0] != ""


def test_every_profile_is_a_word_of_the_document_and_holds_what_it_says() -> None:
    assert tuple(tls.SUITES) == words.SUITES
    names = {word: {one["name"] for one in tls._base(ssl.PROTOCOL_TLS_SERVER, word).get_ciphers()} for word in words.SUITES}
    newest = {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}
    assert names["bcp195"] == newest | {
        f"ECDHE-{key}-AES{bits}" for key in ("ECDSA", "RSA") for bits in ("128-GCM-SHA256", "256-GCM-SHA384")
    }
    assert names["bcp195"] < names["modified"] < names["legacy"]
    assert not any("NULL" in name or "RC4" in name or (name.startswith("A") and "DH" in name[:5]) for name in names["legacy"])


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("top", TOPS)
def test_h7_what_a_dialler_refuses(shop: Shop, top: ssl.TLSVersion) -> None:
    def server(leaf: str, ca: Path | None = None, most: ssl.TLSVersion = top, ciphers: str = "") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = most
        context.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
        context.load_cert_chain(shop.leaves[leaf].file)
        if ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(ca)
        return context

    trusts = Towards(shop.kept.towards(shop.ca.file), HOST)
    shows = Towards(shop.kept.towards(shop.ca.file, shop.leaves["ct1"].file), HOST)
    cases: list[tuple[str, Towards, ssl.SSLContext | None, str]] = [
        ("right", trusts, server("own"), ""),
        ("by address", replace(trusts, name="127.0.0.1"), server("own"), ""),
        ("mutual", shows, server("own", shop.ca.file), ""),
        ("unknown-ca", trusts, server("foreign"), "unknown-ca"),
        ("expired", trusts, server("expired"), "expired"),
        ("wrong-name", trusts, server("elsewhere"), "wrong-name"),
        ("wrong address", replace(trusts, name="127.0.0.2"), server("own"), "wrong-name"),
        ("NUL in a name", trusts, server("nul"), "wrong-name"),
        ("no certificate of ours", trusts, server("own", shop.ca.file), "refused-by-peer"),
        ("a certificate of ours it does not know", shows, server("own", shop.other.file), "refused-by-peer"),
    ]
    if top == ssl.TLSVersion.TLSv1_2:
        weak = server("own", ciphers="ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        cases.append(("CBC only", trusts, weak, "refused-by-peer"))
        old = server("own", most=ssl.TLSVersion.MINIMUM_SUPPORTED)
        old.maximum_version = tls_1_1()
        cases.append(("TLS 1.1 only", trusts, old, "old-protocol"))
    wrongly = []
    for what, towards, context, wanted in cases:
        why, told = shop.dial(towards, context)
        # TLS 1.3: whoever refuses our certificate does so after our side of the handshake is done, and the first read meets it
        if told != ([wanted] if wanted else []) or (wanted != "" and why not in (f"tls-failed: {wanted}", wanted)):
            wrongly.append((what, why, told))
    say("h7-dialler", version=top.name, cases=len(cases), wrongly=len(wrongly))
    assert wrongly == []


def test_h7_controls_without_a_guard_the_same_peer_comes_in(shop: Shop) -> None:
    """The cases above are not blind: each guard taken out lets in what it is there for (CVE-2019-17134 was the first of them)."""
    leaf, ca = shop.leaves, shop.ca.file
    unasked = shop.kept.accepting(leaf["own"].file, ca=ca)
    unasked.verify_mode = ssl.CERT_OPTIONAL
    unlisted = shop.kept.accepting(leaf["own"].file, ca=ca)
    unnamed = Towards(shop.kept.towards(ca), HOST)
    unnamed.context.check_hostname = False
    unverified = Towards(shop.kept.towards(ca), HOST)
    unverified.context.check_hostname = False
    unverified.context.verify_mode = ssl.CERT_NONE

    def server(one: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf[one].file)
        return context

    let_in = {
        "no certificate": shop.accept(unasked, client(ca))[0],
        "revoked": shop.accept(unlisted, client(ca, leaf["revoked"].file))[0],
        "wrong name": shop.dial(unnamed, server("elsewhere"))[0],
        "unknown authority": shop.dial(unverified, server("foreign"))[0],
        "expired": shop.dial(unverified, server("expired"))[0],
    }
    say("h7-controls", guards=3, let_in=sum(why == "" for why in let_in.values()))
    assert set(let_in.values()) == {""}


def tls_1_1() -> ssl.TLSVersion:
    """The version, which Python warns of when it is named."""
    return ssl.TLSVersion(0x0302)


def test_a_member_that_closes_or_is_silent_is_no_fault_of_tls(shop: Shop) -> None:
    towards = Towards(shop.kept.towards(shop.ca.file), HOST)
    why, told = shop.dial(towards, None)
    assert (why, told, dial.outcome(why)) == ("tls-closed", [], "aborted")
    assert dial.outcome("tls-timeout") == "answer-timeout"
    assert dial.outcome("tls-failed: expired") == "tls-failed"
    assert [dial.outcome(why) for why in ("connect-timeout", "ETIMEDOUT", "ECONNREFUSED")] == [
        "connect-timeout",
        "connect-timeout",
        "refused",
    ]


def test_the_certificate_is_chosen_by_the_name_asked_for(shop: Shop) -> None:
    context = shop.kept.accepting(shop.leaves["own"].file, shop.leaves["second"].file)

    def shown(name: str) -> str:
        found: list[str] = []

        def run(port: int) -> None:
            asking = ssl.create_default_context(cafile=str(shop.ca.file))
            asking.check_hostname = False
            with socket.create_connection(("127.0.0.1", port), 20) as sock, asking.wrap_socket(sock, server_hostname=name) as secured:
                names = secured.getpeercert()
                assert names is not None
                found.append(str(names["subjectAltName"][0][1]))

        assert shop.accept(context, run)[0] == ""
        return found[0]

    asked = ["ct.north.example.org", "CT.North.example.org", "north.example.org", HOST, "nobody.example.net"]
    assert [shown(name) for name in asked] == ["*.north.example.org"] * 2 + [HOST] * 3


def test_what_is_not_new_is_the_context_of_before(shop: Shop) -> None:
    kept = Kept(shop.folder)
    own, ca = kept.keep("certificate", shop.leaves["own"].file), kept.keep("ca", shop.ca.file)
    listener, member = ListenerTls((own,), ca, None, "bcp195"), MemberTls(ca, None, None)
    first = kept.contexts()
    was = first.accepting(listener), first.towards(member, HOST)
    again = kept.contexts(first)
    assert (again.accepting(listener), again.towards(member, HOST)) == was
    kept.materials["certificate"][own] = Kept(shop.folder).materials.setdefault("x", {}).get("", kept.materials["ca"][ca])
    with pytest.raises(EngineRefused):  # an authority's file holds no key
        kept.contexts(again).accepting(listener)


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_file_that_is_gone_or_damaged_is_refused_by_name(shop: Shop, tmp_path: Path, harm: str) -> None:
    kept = Kept(tmp_path)
    tls_ = ListenerTls((kept.keep("certificate", shop.leaves["own"].file),), None, None, "bcp195")
    path = next(tmp_path.glob("*.pem"))
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(EngineRefused) as refused:
        Contexts(tmp_path, kept.materials).accepting(tls_)
    assert path.name in refused.value.message and "PRIVATE" not in refused.value.message


@pytest.mark.parametrize(
    ("shown", "fact"),
    [
        (None, ""),
        ({}, ""),
        (
            {"subject": ((("countryName", "GB"),), (("organizationName", "North, Ltd"),), (("commonName", "CT1"),))},
            "\\CN=CT1,O=North? Ltd,C=GB\\CN=CT1\\O=North, Ltd\\C=GB",
        ),
        ({"subject": ((("commonName", "a\\DNS:b.org\x1b[0m\0é"),),)}, "\\CN=a?DNS:b.org?[0m??"),
        ({"subject": (), "subjectAltName": (("DNS", "CT1.Example.org"), ("othername", "<unsupported>"))}, "\\DNS:ct1.example.org"),
    ],
)
def test_a_subject_is_components_that_cannot_pretend_to_be_others(shown: dict[str, object] | None, fact: str) -> None:
    assert tls.subject(shown) == fact


def test_a_subject_is_bounded() -> None:
    many = {"subjectAltName": tuple(("DNS", f"{n}.{'x' * 400}.org") for n in range(1_000))}
    parts = tls.subject(many).split("\\")[1:]
    assert (len(parts), {len(part) for part in parts}) == (tls.PARTS, {tls.PART_CHARACTERS})


def test_a_handshake_given_up_calls_nobody(shop: Shop) -> None:
    context = shop.kept.accepting(shop.leaves["own"].file)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    async def both() -> None:
        called: list[str] = []
        handshake = Handshake(asyncio.get_running_loop(), ours, context, lambda _, why: called.append(why), 0.01)
        handshake.cancel()
        await asyncio.sleep(0.05)
        assert called == [] and ours.fileno() == -1

    asyncio.run(both())
    theirs.close()
