"""TLS on both sides of DICOM services (dicom.md §12: 29; reliability.md H7): who is admitted, who is refused by which name, and what
becomes of traffic while certificates change."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import ssl
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.live.conftest import Room, needs
from tests.live.harness import dcmtk, objects, pdus
from tests.live.harness.account import tally
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.counts import ASKED, CHAOS, say
from tests.live.harness.document import at
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.certificates import Authority, Leaf
from tests.live.harness.load import Load
from tests.live.harness.member import Member
from tests.live.harness.pdus import Broken
from tests.live.harness.sender import Association, Secure, send
from tests.live.harness.wait import until

PACS = "pacs.example.org"
OFFERS = pdus.offers_for([(pdus.VERIFICATION, pdus.IMPLICIT_LE)])


class Papers:
    """Who is who: an authority for everyone inside, another one, and what they issued."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inside, self.outside = Authority(folder, "inside"), Authority(folder, "outside")
        self.own = self.inside.leaf("own.pem", PACS, "127.0.0.1")
        self.gurney = self.inside.leaf("gurney.pem", "gurney.example.org")
        self.archive = self.inside.leaf("archive.pem", "archive.example.org", "127.0.0.1")
        self.ct1 = self.inside.leaf("ct1.pem", "ct1.example.org")
        self.stolen = self.inside.leaf("stolen.pem", "stolen.example.org")
        self.ended = self.inside.leaf("ended.pem", "archive.example.org", "127.0.0.1", expired=True)
        self.foreign = self.outside.leaf("foreign.pem", "archive.example.org", "127.0.0.1")
        self.elsewhere = self.inside.leaf("elsewhere.pem", "elsewhere.example.org")
        self.nul = self.inside.leaf("nul.pem", "archive.example.org\0.evil.example.com")
        self.inside.revoked("revoked.pem", self.stolen.serial)

    def sender(
        self, own: Leaf | None = None, top: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, least: ssl.TLSVersion | None = None, ciphers: str = ""
    ) -> Secure:
        """A sender that verifies us and shows this certificate."""
        context = ssl.create_default_context(cafile=str(self.inside.file))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of versions that are tried here on purpose
            if least is not None:
                context.minimum_version = least
            context.maximum_version = top
        if ciphers:
            context.set_ciphers(ciphers)
        if own is not None:
            context.load_cert_chain(own.file)
        return lambda sock: context.wrap_socket(sock, server_hostname=PACS)

    def server(self, leaf: Leaf, ca: Path | None = None, top: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """A member that shows this certificate and, with `ca`, asks for one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = top
        context.load_cert_chain(leaf.file)
        if ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(ca)
        return context

    def dcmtk(self, own: Leaf) -> list[str]:
        """The options of a DCMTK program with this certificate; it verifies its peer's chain."""
        return ["+tls", str(own.file), str(own.file), "+cf", str(self.inside.file)]


def document(
    services: Mapping[str, str], pools: Mapping[str, str], check: str = "{kind: dicom-echo, interval: 500ms, timeout: 1s, rise: 1, fall: 1}"
) -> str:
    """One application; each service and pool is the inside of its flow mapping."""
    lines = ["gurney: 1", "applications:", "  pacs:", "    services:"]
    lines += [f"      {name}: {{protocol: dicom, {inside}}}" for name, inside in services.items()]
    lines += ["    pools:"]
    lines += [f"      {name}: {{check: {check}, {inside}}}" for name, inside in pools.items()]
    return "\n".join(lines) + "\n"


def admitted(port: int, secure: Secure | None, calling: str = "CT1") -> bool:
    """Whether an association stands, for whoever comes like this."""
    try:
        association = Association(port, OFFERS, secure=secure, calling=calling, timeout=20)
    except (OSError, Broken):
        return False
    association.release()
    return True


class Hospital:
    """One Gurney of four services (mutual, one-way, plain, legacy) over members that are right and members that are not."""

    def __init__(self, folder: Path) -> None:
        self.room, self.papers = Room(folder), Papers(folder)
        papers, room = self.papers, self.room
        self.mutual, self.oneway, self.clear, self.legacy, self.doubted = (room.port() for _ in range(5))
        self.plain = room.keep(Member(Behaviour()))
        self.secured = room.keep(Member(Behaviour(), secured=papers.server(papers.archive, papers.inside.file)))
        self.scp = room.storescp("tlsscp", options=("+B", *papers.dcmtk(papers.archive)))
        shown: dict[str, tuple[Leaf, Path | None]] = {
            "right": (papers.archive, papers.inside.file),
            "unknown-ca": (papers.foreign, None),
            "expired": (papers.ended, None),
            "wrong-name": (papers.elsewhere, None),
            "nul": (papers.nul, None),
            "refused-by-peer": (papers.archive, papers.outside.file),
        }
        self.doubtful: dict[str, Member] = {
            name: room.keep(Member(Behaviour(), secured=papers.server(*how))) for name, how in shown.items()
        }
        self.doubtful["not-tls"] = room.keep(Member(Behaviour()))
        self.doubtful["old-protocol"] = room.keep(Member(Behaviour(), secured=_old(papers)))
        self.g: Gurney = room.gurney(self.document())

    def document(self) -> str:
        named = {name: at(member.port) for name, member in self.doubtful.items()}
        named["nul"] = f"{{address: {named['nul']}, tls: {{server_name: archive.example.org}}}}"
        old = "tls: {certificate: own.pem, suites: legacy}"
        tls, loopback = "tls: {ca: inside.pem, certificate: gurney.pem}", "accept_from: [127.0.0.0/8]"
        by_subject = "rules: [{match: {tls_subject: 'DNS:ct1.example.org'}, pool: secured}, {pool: plain}]"
        mutual = "tls: {certificate: own.pem, client_ca: inside.pem, crl: revoked.pem}"
        return document(
            {
                "mutual": f"listen: 127.0.0.1:{self.mutual}, {mutual}, {by_subject}",
                "oneway": f"listen: 127.0.0.1:{self.oneway}, {loopback}, tls: {{certificate: own.pem}}, rules: [{{pool: plain}}]",
                "clear": f"listen: 127.0.0.1:{self.clear}, {loopback}, rules: [{{pool: scp}}]",
                "legacy": f"listen: 127.0.0.1:{self.legacy}, {loopback}, {old}, rules: [{{pool: plain}}]",
                "doubted": f"listen: 127.0.0.1:{self.doubted}, {loopback}, rules: [{{pool: doubtful}}]",
            },
            {
                "plain": f"members: {{one: {at(self.plain.port)}}}",
                "secured": f"{tls}, members: {{one: {at(self.secured.port)}}}",
                "scp": f"{tls}, members: {{one: {at(self.scp.port)}}}",
                "doubtful": f"{tls}, members: {{{', '.join(f'{name}: {where}' for name, where in named.items())}}}",
            },
        )

    def refused(self, service: str | None) -> list[dict[str, str]]:
        """Lines of the log of refused handshakes: with senders of a service, or (None) with members."""
        lines = (self.g.state / "apps" / "pacs" / "route.log").read_text().splitlines()
        found = [one for one in map(json.loads, lines) if one["event"] == "tls.refused"]
        return [one for one in found if one.get("service") == service]


@pytest.fixture(scope="module")
def hospital() -> Iterator[Hospital]:
    needs("storescu", "storescp", "dcmsend", "echoscu")
    folder = Path(tempfile.mkdtemp(prefix="gl-", dir="/tmp"))
    made = Hospital.__new__(Hospital)
    try:
        made.__init__(folder)  # type: ignore[misc]  # so that what was begun is closed when the rest of it fails
        yield made
    finally:
        made.room.close()
        shutil.rmtree(folder, ignore_errors=True)


TOPS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.mark.timeout(120)
def test_dicom_29_who_is_admitted(hospital: Hospital) -> None:
    """Both versions, with and without a client certificate, plain behind and the reverse, with Python's and DCMTK's peers."""
    papers = hospital.papers
    things, acked = [], set()
    for name, top in TOPS.items():
        for port, own in ((hospital.mutual, papers.ct1), (hospital.oneway, None)):
            mine = objects.study(f"29-{name}-{port}", 10, size=200_000)
            things += mine
            acked |= send(port, mine, associations=2, secure=papers.sender(own, top)).acked
    sets = [objects.study(f"29-dcmtk-{n}", 10, size=100_000) for n in range(2)]
    files = [objects.write_files(one, hospital.room.folder / f"f{n}") for n, one in enumerate(sets)]
    sent = [
        dcmtk.storescu(hospital.mutual, files[0], options=papers.dcmtk(papers.ct1)),  # encrypted on both sides
        dcmtk.storescu(hospital.clear, files[1]),  # plain in front, DCMTK's encrypted receiver behind
    ]
    acked |= {t.sop_instance for one, done in zip(sets, sent, strict=True) if done.acked == 10 for t in one}
    things += [t for one in sets for t in one]
    counts = tally(things, acked, [hospital.plain, hospital.secured, hospital.scp])
    by_subject = {t.sop_instance for t in things} & set(hospital.secured.stored())
    errors = sum(one.errors for one in sent)
    say(
        "dicom-29",
        versions=2,
        acked=counts["acked"],
        stored=counts["stored"],
        lost=counts["lost"],
        by_subject=len(by_subject),
        errors=errors,
    )
    assert (counts["acked"], counts["stored"], counts["lost"], counts["changed"], errors) == (60, 60, 0, 0, 0)
    assert len(by_subject) == 30


@pytest.mark.timeout(120)
def test_dicom_29_who_is_refused(hospital: Hospital) -> None:
    """Every sender that should not come in is refused by name, with one event each and no word of its own in it."""
    papers, mutual, oneway = hospital.papers, hospital.mutual, hospital.oneway
    old, v12 = ssl.TLSVersion(0x0302), ssl.TLSVersion.TLSv1_2
    cases: list[tuple[int, str, Secure | None]] = [
        (mutual, "no-certificate", papers.sender()),
        (mutual, "no-certificate", papers.sender(top=v12)),
        (mutual, "unknown-ca", papers.sender(papers.foreign)),
        (mutual, "expired", papers.sender(papers.ended)),
        (mutual, "revoked", papers.sender(papers.stolen)),
        (mutual, "revoked", papers.sender(papers.stolen, top=v12)),
        (mutual, "not-tls", None),
        (oneway, "old-protocol", papers.sender(top=old, least=old, ciphers="ALL:@SECLEVEL=0")),
        (oneway, "no-shared-suite", papers.sender(top=v12, ciphers="ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")),
        (oneway, "not-tls", None),
    ]

    def lines() -> list[dict[str, str]]:
        return [*hospital.refused("mutual"), *hospital.refused("oneway")]

    before = len(lines())
    wrongly = sum(admitted(port, secure) for port, _, secure in cases)
    wrongly += admitted(hospital.clear, papers.sender())  # a hello on a plain port
    until(lambda: len(lines()) >= before + len(cases), 10, "every refusal is in the log")
    events = Counter((one["service"], one["reason"]) for one in lines())
    let_in = admitted(hospital.legacy, papers.sender(top=old, least=old, ciphers="ALL:@SECLEVEL=0"))
    codes = {(one["code"], one["object"]) for one in hospital.g.status()["conditions"]}
    say("dicom-29", refused=len(cases), wrongly_admitted=wrongly, events=sum(events.values()), legacy=let_in)
    assert wrongly == 0
    assert events == Counter(("mutual" if port == mutual else "oneway", reason) for port, reason, _ in cases)
    assert let_in and ("LegacyTls", "pacs/legacy") in codes
    assert not {code for code, _ in codes} & {"AcceptsEveryone", "PlainListener"}
    assert not any("example" in json.dumps(one) for one in lines())  # what a peer says of itself is in no line


@pytest.mark.timeout(120)
def test_dicom_29_members_that_are_not_who_they_should_be(hospital: Hospital) -> None:
    """Each wrong member is down by the word `tls-failed` and its reason, gets no byte of DICOM, and traffic goes to the right one."""
    g, members = hospital.g, hospital.doubtful
    things = objects.study("29-members", 20)
    out = send(hospital.doubted, things, associations=4)
    g.until_members("doubtful", lambda seen: sum(one["operational"] == "down" for one in seen.values()) == len(members) - 1)
    seen = g.members("doubtful")
    words = {name: one["outcome"] for name, one in seen.items() if name != "right"}
    told = {(one["member"], one["reason"]) for one in hospital.refused(None)}
    reached = sum(len(member.requests) for name, member in members.items() if name != "right")
    say("dicom-29", members=len(members), acked=len(out.acked), down=len(words), reached=reached, reasons=len(told))
    assert len(out.acked) == 20 and seen["right"]["operational"] == "up"
    assert reached == 0
    assert words == {name: "answer-timeout" if name == "not-tls" else "tls-failed" for name in words}  # a plain one waits for more of a PDU
    assert {name: seen[name]["why"] for name, reason in told if reason not in seen[name]["why"]} == {}
    assert told == {(name, "wrong-name" if name == "nul" else name) for name in words if name != "not-tls"}


@pytest.mark.timeout(60)
def test_dicom_29_a_flood_of_handshakes_is_its_source_s_own_share(hospital: Hospital) -> None:
    """Connections that hang in a handshake count as unproven: the limits of one address hold, and another is served meanwhile."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # the beginning of one
    flood = []
    for _ in range(400 if ASKED else 100):
        sock = socket.create_connection(("127.0.0.1", hospital.oneway), 10)
        sock.sendall(hello)
        flood.append(sock)

    def unproven() -> int:
        return int(hospital.g.route("status")["services"]["oneway"]["unassociated"])

    until(lambda: unproven() == 32, 10, "the flood is at its limit")
    things = objects.study("29-flood", 5)
    offers = pdus.offers_for([t.pair for t in things])
    association = Association(hospital.oneway, offers, secure=hospital.papers.sender(), source="127.0.0.77", timeout=20)
    stored, most = sum(association.store(t) == 0 for t in things), unproven()
    association.release()
    for sock in flood:
        sock.close()
    until(lambda: unproven() == 0, 30, "nothing is left")
    say("dicom-29", flood=len(flood), most=most, stored=stored, left=0)
    assert (most, stored) == (32, 5)


def _old(papers: Papers) -> ssl.SSLContext:
    context = papers.server(papers.archive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion(0x0302)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def shown(port: int, papers: Papers) -> str:
    """The SHA-256 of the certificate a new handshake is shown."""
    context = ssl.create_default_context(cafile=str(papers.inside.file))
    context.load_cert_chain(papers.ct1.file)
    with socket.create_connection(("127.0.0.1", port), 20) as sock, context.wrap_socket(sock, server_hostname=PACS) as secured:
        der = secured.getpeercert(binary_form=True)
    assert der is not None
    return hashlib.sha256(der).hexdigest()


class Changes:
    """One encrypted service over one encrypted member under steady load, and what happens to its files meanwhile."""

    def __init__(self, room: Room) -> None:
        self.room, self.papers, self.port = room, Papers(room.folder), room.port()
        papers = self.papers
        self.context = papers.server(papers.archive, papers.inside.file)
        self.member: Member = room.keep(Member(Behaviour(), secured=self.context))
        for name in ("clients.pem", "members.pem"):
            shutil.copy(papers.inside.file, room.folder / name)
        self.g: Gurney = room.gurney(
            document(
                {"store": f"listen: 127.0.0.1:{self.port}, tls: {{certificate: own.pem, client_ca: clients.pem, crl: revoked.pem}}"},
                {"archive": f"tls: {{ca: members.pem, certificate: gurney.pem}}, members: {{one: {at(self.member.port)}}}"},
            )
        )
        self.first = shown(self.port, papers)
        secure = papers.sender(papers.ct1)
        self.staying = Load(self.port, 3, size=120_000, secure=secure, seed="29-stay")
        self.coming = Load(self.port, 2, size=60_000, per_study=3, reopen=True, secure=secure, seed="29-come")
        self.faults: list[str] = []

    def grows(self, by: int = 5) -> None:
        """Objects go on over the associations that stay."""
        was = len(self.staying.acked)
        until(lambda: len(self.staying.acked) >= was + by or self.staying.errors, 60, "objects go on")

    def change(self, *verb: str, wanted: Callable[[], bool], said: str) -> None:
        """A verb under load, until what is `wanted` holds and objects have gone on."""
        self.grows()
        done = self.g.verb(*verb) if verb else None
        if done is not None and done.returncode:
            self.faults.append(done.stdout + done.stderr)
        until(wanted, 40, said)
        self.grows()

    def own(self, *verb: str) -> str:
        """Another certificate of the same name, taken up; its SHA-256."""
        leaf = self.papers.inside.leaf("own.pem", PACS, "127.0.0.1")
        self.change(*verb, wanted=lambda: shown(self.port, self.papers) == leaf.sha256, said="new handshakes are shown the new certificate")
        return leaf.sha256

    def admits(self) -> bool:
        """Whether a sender of the first authority comes in."""
        return admitted(self.port, self.papers.sender(self.papers.ct1))


@pytest.mark.timeout(300 if CHAOS else 150)
def test_dicom_29_certificates_swapped_under_load(room: Room) -> None:
    """Own certificate, client authority, member's authority: by apply, by a renewed file, back by undo. Nobody is cut, nothing is lost."""
    run = Changes(room)
    papers, member, staying, coming = run.papers, run.member, run.staying, run.coming
    apply = ("apply", str(run.g.file))
    (room.folder / "members.pem").write_bytes(papers.inside.file.read_bytes() + papers.outside.file.read_bytes())
    before = len(member.requests)
    own = {run.first, run.own(*apply)}
    until(lambda: len(member.requests) > before, 20, "the member's associations of before are left for new ones")
    if ASKED:
        own.add(run.own())  # a renewed file, and nobody applies
    # the member moves to the authority that is trusted since; then only that one is, and the senders' is another one too
    coming.stop()
    run.context.load_cert_chain(papers.outside.leaf("moved.pem", "archive.example.org", "127.0.0.1").file)
    nobody = papers.outside.revoked("none.pem")
    for file, source in (("members.pem", papers.outside.file), ("clients.pem", papers.outside.file), ("revoked.pem", nobody)):
        shutil.copy(source, room.folder / file)
    before = len(member.requests)
    run.change(*apply, wanted=lambda: not run.admits(), said="who comes with the former authority is refused")
    until(lambda: len(member.requests) > before, 20, "the member is verified by its new authority")
    run.change("undo", wanted=run.admits, said="undo brings the files of before back")
    staying.stop()
    counts = tally(staying.things + coming.things, staying.acked | coming.acked, [member])
    kept = list((run.g.state / "apps" / "pacs" / "certificates").iterdir())
    broken = staying.errors + coming.errors
    say("dicom-29", swaps=3 + ASKED, acked=counts["acked"], lost=counts["lost"], broken=broken, faults=len(run.faults), files=len(kept))
    assert run.faults == [] and len(own) == 2 + ASKED
    assert (counts["lost"], staying.broken, coming.broken, staying.refused, coming.refused) == (0, [], [], [], [])
    assert run.g.members("archive")["one"]["operational"] == "up"
    assert len(kept) == 5  # own, clients, revoked, members, gurney: of the revision in force and no other
