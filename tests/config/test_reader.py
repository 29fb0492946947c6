"""What a document means: the contract's forms, defaults, names, marks; and that the reader is total and bounded on hostile text."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator

import pytest

from gurney.config import limits
from gurney.config.document import Application, Check, Listen, Peer, Service
from gurney.config.faults import Reading
from gurney.config.reader import read
from tests.config.documents import EVERYTHING, SMALLEST, legal, refused, with_pool, with_service, with_web

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@:/*?-]*[A-Za-z0-9*]|[0-9]")
MUTANTS = {"quick": 500, "chaos": 50_000}.get(os.environ.get("GURNEY_COUNTS", ""), 5_000)


def application(text: str, name: str = "pacs") -> Application:
    """The application of a document without errors."""
    reading = read(text)
    assert reading.document is not None, "\n".join(map(str, reading.faults))
    return reading.document.applications[name]


def store(text: str) -> Service:
    """The service `store` of application `pacs`."""
    return application(text).services["store"]


def codes(text: str) -> list[str]:
    """The codes of a document's faults in file order."""
    return [fault.code for fault in read(text).faults]


@pytest.mark.parametrize("name", sorted(legal()))
def test_a_legal_document_has_no_fault_at_all(name: str) -> None:
    assert [str(fault) for fault in read(legal()[name]).faults] == []


def test_the_smallest_safe_pacs_gets_every_default() -> None:
    service = store(SMALLEST)
    assert service.listen == (Listen("", 11112),)
    assert (service.delivery, service.echo, service.non_patient, service.duplicates, service.digest) == (
        "relay",
        "local",
        "balance",
        "forward",
        "none",
    )
    assert (service.replay_limit, service.prefer, service.ae_title) == (64 * 1024 * 1024, (), None)
    assert [(rule.name, rule.pool, dict(rule.match)) for rule in service.rules] == [("rule-1", "archive", {})]
    assert (service.limits.associations, service.limits.associations_per_address, service.limits.associations_per_ae) == (256, 64, 32)
    assert (service.limits.unassociated, service.limits.unassociated_per_address, service.limits.max_object) == (512, 32, None)
    pool = application(SMALLEST).pools["archive"]
    assert (pool.balance, pool.keep, pool.site, list(pool.members)) == ("study", "study", None, ["ARCHIVE1", "ARCHIVE2"])
    member = pool.members["ARCHIVE2"]
    assert (member.host, member.port, member.ae_title, member.calling_ae) == ("10.0.0.12", 11112, "ARCHIVE2", None)
    assert (member.weight, member.max_associations, member.max_bytes, member.rate) == (100, 8, 256 * 1024 * 1024, None)
    assert member.check == Check("dicom-echo", 2000, 2000, 2, 3)
    assert member.path == "applications.pacs.pools.archive.members.ARCHIVE2"


def test_all_of_the_contract_for_dicom_is_read() -> None:
    service = store(EVERYTHING)
    assert service.listen == (Listen("", 11112), Listen("10.0.0.2", 104), Listen("fd00::2", 104))
    assert service.accept_from == (
        Peer("CT1", "10.0.0.31/32"),
        Peer("MR*", "10.0.3.0/24"),
        Peer("*", "10.9.0.0/16"),
        Peer("US1", None),
        Peer("*", "fd00::/8"),
        Peer("*", "fd00::31/128"),
    )
    assert [rule.name for rule in service.rules] == ["mammography", "rule-2", "rule-3"]
    assert [rule.urgency for rule in service.rules] == ["critical", "routine", "routine"]
    assert service.rules[0].match == {"modality": ("MG",), "calling_ae": ("MG1", "MG?2*"), "network": ("10.0.3.0/24", "10.0.0.31/32")}
    assert list(service.rules[1].match) == ["tag(0010,0040)", "tag(0019,xx10,ACME)", "sop_class", "listener", "request"]
    assert service.rules[1].path == "applications.pacs.services.store.rules[1]"
    assert (service.limits.associations, service.limits.associations_per_address, service.limits.max_object) == (512, 128, 8 * 1024**3)
    pools = application(EVERYTHING).pools
    one, two, three, four = pools["archive"].members.values()
    assert (one.weight, one.site, one.check) == (60, "london", Check("dicom-associate", 500, 60_000, 1, 5))
    assert (two.host, two.weight, two.site, two.calling_ae, two.max_associations) == (
        "archive-2.example.org",
        50,
        "aws-london",
        "GURNEY",
        1,
    )
    expected = (("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"),)
    assert two.check == Check("dicom-echo", 500, 60_000, 1, 2, expected)
    assert (three.host, three.port, three.ae_title) == ("fd00::13", 104, "ARCHIVE 3")
    assert (four.ae_title, four.port) == (None, 104)
    assert pools["archive"].statuses == {"A9xx": "next", "0110": "final", "C0xx": "again", "A700": "next-repin"}
    assert list(pools["breast"].members) == ["BREAST", "[fd00::21]:104", "BREAST2"]


def test_every_scalar_is_text() -> None:
    document = read(EVERYTHING).document
    assert document is not None
    assert document.sites["oslo"].jurisdiction == "NO"
    rule = store(
        with_service('rules: [{match: {station: [22:30, 0x10, yes, 1e3, 1_0, "", "null"]}, pool: archive}, {pool: archive}]')
    ).rules[0]
    assert rule.match == {"station": ("22:30", "0x10", "yes", "1e3", "1_0", "", "null")}


def test_long_and_short_forms_mean_the_same() -> None:
    short = application(with_pool('["ARCHIVE1@10.0.0.11:11112"]')).pools
    long = application(with_pool("{members: [{address: 10.0.0.11, ae_title: ARCHIVE1, port: 11112}], balance: study, weight: 100}")).pools
    assert short == long
    assert store(with_service("listen: 11112").replace("listen: 11112, ", "")).listen == store(SMALLEST).listen
    assert store(with_service("accept_from: CT1")).accept_from == store(with_service("accept_from: [CT1]")).accept_from


def test_a_private_tag_is_matched_in_one_spelling() -> None:
    rules = 'rules: [{match: {"tag(0019,xx1a,ACME 1.1)": R, "tag(0018,103e)": x}, pool: archive}, {pool: archive}]'
    assert list(store(with_service(rules)).rules[0].match) == ["tag(0019,xx1A,ACME 1.1)", "tag(0018,103E)"]


def test_marks_lead_from_paths_to_lines() -> None:
    marks = read(EVERYTHING).marks
    lines = EVERYTHING.splitlines()
    for path, word in (
        ("applications.pacs.services.store", "store:"),
        ("applications.pacs.services.store.rules[1]", "match:"),
        ("applications.pacs.pools.archive.members.archive-2", "archive-2:"),
        ("applications.pacs.pools.archive.members.archive-2.calling_ae", "calling_ae:"),
        ("applications.pacs.pools.breast.members.BREAST", "BREAST@"),
        ("sites.london.nodes.lb2", "lb2:"),
    ):
        line, column = marks[path]
        assert lines[line - 1][column - 1 :].startswith(word), path


def test_a_warning_refuses_nothing() -> None:
    text = SMALLEST + "      unused: [UNUSED@10.0.0.99:104]\n"
    reading = read(text.replace("accept_from: [10.0.0.0/8]", "rules: [{pool: archive}]"))
    assert [(fault.severity, fault.code) for fault in reading.faults] == [("warning", "GRN-L005")]
    assert reading.document is not None
    assert reading.errors == ()


def test_a_fault_is_said_as_the_contract_shows_it() -> None:
    text = SMALLEST.replace("accept_from: [10.0.0.0/8]", "rules: [{pool: archve}]")
    (fault,) = read(text, "gurney.yaml").faults
    assert str(fault) == "gurney.yaml:5:62: error GRN-S012: pool 'archve' is not defined\n  hint: did you mean 'archive'?"
    assert fault.as_json() == {
        "file": "gurney.yaml",
        "line": 5,
        "column": 62,
        "severity": "error",
        "code": "GRN-S012",
        "message": "pool 'archve' is not defined",
        "hint": "did you mean 'archive'?",
    }


def test_one_fault_does_not_bring_others() -> None:
    assert codes(with_service("rules: [{match: {modalty: MG}, pool: archive}, {pool: archive}]")) == ["GRN-S021"]
    assert codes(with_service("rules: [{match: {modality: {}}, pool: archive}, {match: {modality: CT}, pool: archive}]")) == ["GRN-S011"]
    assert codes(with_service("rules: [{pool: archive}, oops]")) == ["GRN-S011"]
    assert codes(SMALLEST.replace("protocol: dicom", "protocol: hl7")) == ["GRN-V001"]
    assert codes(with_pool("[ARCHIVE1@10.0.0.11]")) == ["GRN-S017"]


TOKENS = [
    *"[]{}:,&*!|>%@`\"'#-?~\t\n\r\x00\x85\u2028\u202e\ud800\ufeff",
    "<<: ",
    "&a ",
    "*a",
    "!!int ",
    "- ",
    "---\n",
    "...\n",
    "null",
    "NO",
]
TOKENS += [
    "1" * 40,
    "9" * 400,
    "[" * 30,
    "{a: " * 30,
    "é",
    "e\u0301",
    "tag(",
    "A" * 2000,
    "%YAML 1.2\n",
    '"\\u2028"',
    "? ",
    "0x1F",
    "::",
    "@",
    "/33",
]


def _mutants(seed: int) -> Iterator[str]:
    """Legal and bad documents, each changed in one to five places: words, characters, lines, indents, pieces of other documents."""
    chance = random.Random(seed)
    sources = [text for text in (*legal().values(), *refused().values()) if "GRN-S001" not in codes(text)]
    vocabulary = sorted({word for text in sources for word in WORD.findall(text)})
    while True:
        text = chance.choice(sources)
        for _ in range(chance.randint(1, 5)):
            at = chance.randrange(len(text) + 1)
            end = min(len(text), at + chance.choice((0, 0, 1, 1, 2, 5, 40)))
            kind = chance.random()
            word = WORD.search(text, at)
            if kind < 0.7 and word is not None:
                text = text[: word.start()] + chance.choice(vocabulary) + text[word.end() :]
            elif kind < 0.8:
                text = text[:at] + chance.choice(TOKENS) + text[end:]
            elif kind < 0.87:
                text = text[:at] + text[end:]
            elif kind < 0.96:
                lines = text.split("\n")
                line = chance.randrange(len(lines))
                lines[line : line + 1] = chance.choice(([], [lines[line]] * 2, ["  " + lines[line]], [lines[line][2:]]))
                text = "\n".join(lines)
            else:
                other = chance.choice(sources)
                start = chance.randrange(len(other))
                text = text[:at] + other[start : start + chance.randrange(200)] + text[end:]
        yield text


def _sane(reading: Reading, text: str) -> None:
    """What holds of every reading, whatever the text."""
    assert (reading.document is None) == any(fault.severity == "error" for fault in reading.faults)
    places = [(fault.line, fault.column) for fault in reading.faults]
    assert places == sorted(places)
    assert len(places) <= limits.FAULTS_SHOWN + 1
    lines = text.count("\n") + text.count("\r") + 1
    assert all(1 <= line <= lines + 1 and column >= 1 for line, column in places)
    for fault in reading.faults:
        said = str(fault)
        assert len(said) < 1000
        assert all(line.isprintable() for line in said.split("\n")), said
        assert said.count("\n") == (fault.hint is not None)


def test_mutated_documents_never_raise_and_stay_bounded() -> None:
    refused_ones, parsed = 0, 0
    for _, text in zip(range(MUTANTS), _mutants(20261124), strict=False):
        reading = read(text)
        _sane(reading, text)
        refused_ones += reading.document is None
        parsed += not any(fault.code == "GRN-S001" for fault in reading.faults)
    assert refused_ones > MUTANTS // 2
    assert parsed > MUTANTS // 4  # the mutator must get past the syntax
    print(f"config-mutants documents={MUTANTS} raised=0 unbounded=0 refused={refused_ones} past_syntax={parsed}")


def _many(count: int, line: str) -> str:
    return "".join(line.format(at=at) for at in range(count))


HOSTILE = {
    "deep lists": "a: " + "[" * 200_000,
    "deep mappings": "{a: " * 100_000,
    "deep blocks": "".join(" " * at + "a:\n" for at in range(900)),
    "wide": "a: [" + "x," * 200_000 + "]",
    "too large": "# " + "x" * 600_000,
    "large only in bytes": "# " + "é" * (300 * 1024),
    "one long scalar": "gurney: " + "9" * 500_000,
    "unknown keys": "gurney: 1\n" + _many(20_000, "applicatons{at}: 1\n"),
    "duplicate keys": "gurney: 1\n" + _many(40_000, "gurney: 1\n"),
    "anchors": "a: [" + _many(40_000, "&a{at} x, ") + "]",
    "aliases": "a: [" + _many(40_000, "*a{at} , ") + "]",
    "documents": "--- {}\n" * 60_000,
    "control characters": "gurney: \x01\n" * 50_000,
    "one line of control characters": "gurney: " + "\x01" * 500_000,
    "undefined pools": with_service("rules: [" + _many(900, "{{match: {{modality: M{at}}}, pool: archve{at}}}, ") + "{pool: archive}]"),
    "many pools": with_service("rules: [" + _many(900, "{{match: {{modality: M{at}}}, pool: p{at}}}, ") + "{pool: archive}]")
    + _many(15_000, "      p{at}: [A@10.0.0.1:1]\n"),
    "many listeners": with_service("listen2: [" + _many(20_000, "10.0.0.1:{at}, ") + "]").replace("11112, listen2: ", ""),
    "many globs": with_service("rules: [{match: {listener: [" + _many(30_000, "'*{at}', ") + "]}, pool: archive}, {pool: archive}]"),
    "many services": "gurney: 1\napplications:\n  a:\n    services:\n"
    + _many(9_000, "      s{at}: {{protocol: dicom, listen: 10.0.0.1:104}}\n")
    + "    pools: {p: [A@10.0.0.1:104]}\n",
    "many hosts": with_web("hosts: [" + _many(4_000, "h{at}.example.org, ") + "]"),
    "many headers": with_web("rules: [{match: {header: {" + _many(20_000, "x{at}: a, ") + "}}, pool: pages}, {pool: pages}]"),
    "many certificates": with_web("tls: {certificate: [" + _many(4_000, "c{at}.pem, ") + "]}"),
    "many members": with_pool("[" + _many(30_000, "A@10.0.0.1:1, ") + "]"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_documents_are_refused_within_bounds(name: str) -> None:
    reading = read(HOSTILE[name])
    assert reading.document is None
    _sane(reading, HOSTILE[name])


def test_what_is_not_listed_is_counted() -> None:
    faults = read(HOSTILE["unknown keys"]).faults
    assert len(faults) == limits.FAULTS_SHOWN + 1
    assert faults[-1].code == "GRN-S031"
    assert faults[-1].message == f"{20_000 - limits.FAULTS_SHOWN} more faults are not shown"


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("deep lists", "nested deeper than 24 levels"),
        ("deep mappings", "nested deeper than 24 levels"),
        ("deep blocks", "nested deeper than 24 levels"),
        ("wide", "more than 100000 keys and values"),
        ("too large", "the document is larger than 524288 bytes"),
        ("large only in bytes", "the document is larger than 524288 bytes"),
        ("one long scalar", "longer than 1024 characters"),
        ("many pools", f"more than {limits.NAMED} pools in one mapping"),
        ("many services", f"more than {limits.NAMED} services in one mapping"),
        ("many listeners", "more than 4096 texts in one list"),
        ("many globs", "more than 4096 texts in one list"),
        ("many members", "more than 256 members in one pool"),
        ("many hosts", f"more than {limits.HOSTS} hosts of one service"),
        ("many headers", f"more than {limits.NAMED} headers in one mapping"),
        ("many certificates", f"more than {limits.CERTIFICATES} certificates in one service"),
    ],
)
def test_every_bound_says_itself(name: str, bound: str) -> None:
    assert bound in {fault.message for fault in read(HOSTILE[name]).faults if fault.code == "GRN-S006"}
