"""Bad documents and crashes while applying never serve; unchanged services fail no request (reliability A4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import ASKED, CHAOS, count, say
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.certificates import Authority
from tests.live.harness.http.client import get
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.http.engine import Engine
from tests.live.harness.http.groups import Group
from tests.live.harness.http.shapes import shaped, weighed
from tests.live.harness.processes import running

DIAGNOSTIC = re.compile(r"g\.yaml:(\d+):(\d+): error (GRN-[A-Z]\d{3}): .+")

# Each takes the good text and makes one fault in the line that begins with `at`; `{i}` makes it another text each time.
INVALID: list[tuple[str, str, str]] = [
    ("protocol", "protocol: http", "protocol: htp{i}"),
    ("unknown key", "protocol: http", "protocol: http, colour{i}: blue"),
    ("port", "listen: 127.0.0.1", "listen: 127.0.0.1:7{i}0000 #"),
    ("pool", "{pool: servers}", "{pool: server{i}}"),
    ("balance", "balance: round-robin", "balance: square-robin{i}"),
    ("duration", "slow_start: 0s", "slow_start: {i} parsecs"),
    ("percent", "panic: 30%", "panic: 1{i}30%"),
    ("line", "slow_start: 0s", 'slow_start: "0s\\n{i}"'),
    ("injection", "{match: {path: /x/*}", '{match: {path: "/x\\n bind :{i}"}'),
    ("expansion", "{match: {path: /x/*}", '{match: {header:X-A: "${HOME}{i}\\u0000"}'),
    ("check", "kind: http", "kind: htp{i}"),
    ("not in this version", "balance: round-robin", "balance: least-time"),
]


def good(port: int, ports: dict[str, int], more: str = "", tls: str = "") -> str:
    """A document with something to break in each line."""
    lines = service("site", port, **({"tls": tls} if tls else {}))
    lines[1] = "  protocol: http"
    lines += ["  rules:", "    - {match: {path: /x/*}, pool: servers}", "    - {pool: servers}"]
    keys = {"balance": "round-robin", "slow_start": "0s", "panic": "30%"}
    return document(application("web", [lines, *([more.splitlines()] if more else [])], [pool("servers", ports, **keys)]))


def broken(text: str, number: int) -> tuple[str, str, int]:
    """(what, text, line): the number-th invalid document."""
    what, old, new = INVALID[number % len(INVALID)]
    assert old in text, old
    line = text[: text.index(old)].count("\n") + 1
    if what == "unknown key":
        start = text.index(old)
        indent = text[text.rfind("\n", 0, start) + 1 : start]
        return what, text.replace(old, f"protocol: http\n{indent}colour{number}: blue", 1), line + 1
    return what, text.replace(old, new.replace("{i}", str(number)), 1), line


def impossible(room: Room, port: int, ports: dict[str, int], ca: Authority) -> dict[str, Callable[[int], str]]:
    """What reads well and cannot be: by name, the document."""
    taken = room.website("taken").port()
    folder = room.folder
    key = (folder / "h.pem").read_text()
    begin = key.index("-----BEGIN PRIVATE")
    ca.leaf("else.pem", "else.test")
    other = (folder / "else.pem").read_text()
    (folder / "garbage.pem").write_text("-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n")
    (folder / "keyless.pem").write_text(key[:begin])
    (folder / "misfit.pem").write_text(key[:begin] + other[other.index("-----BEGIN PRIVATE") :])
    (folder / "locked.pem").write_text(key[:begin] + LOCKED)
    (folder / "empty.pem").write_text("")

    def tls(words: str) -> Callable[[int], str]:
        return lambda i: good(port, ports, tls="{" + words.replace("{i}", str(i)) + "}")

    return {
        "port taken": lambda i: good(port, ports, more="\n".join(service(f"more{i}", taken, rules=["{pool: servers}"]))),
        "certificate missing": tls("certificate: nowhere{i}.pem"),
        "certificate garbage": tls("certificate: garbage.pem"),
        "key missing": tls("certificate: keyless.pem"),
        "key does not fit": tls("certificate: misfit.pem"),
        "key unreadable": tls("certificate: locked.pem"),
        "file empty": tls("certificate: empty.pem"),
        "authority missing": tls("certificate: h.pem, client_ca: nowhere{i}.pem"),
        "list missing": tls("certificate: h.pem, client_ca: ca.pem, crl: nowhere{i}.pem"),
        "a folder": tls("certificate: ."),
    }


LOCKED = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgRZ3NHVrbtZgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJ0
-----END ENCRYPTED PRIVATE KEY-----
"""


def diagnosed(text: str, line: int | None) -> bool:
    """Whether every error is `FILE:LINE:COL: error CODE: …`, one of them at `line`."""
    lines = [m for x in text.splitlines() if (m := DIAGNOSTIC.search(x))]
    return bool(lines) and (line is None or line in {int(m[1]) for m in lines})


@pytest.mark.timeout(3600 if CHAOS else 600 if ASKED else 300)
def test_reliability_a4_http_bad_documents_never_serve(room: Room) -> None:
    """Invalid and impossible documents under load: exact diagnostics or a condition; generation and processes stay; no request fails."""
    site, ca = room.website("a", "b"), Authority(room.folder)
    ca.leaf("h.pem", "h.test")
    port = room.port()
    text = good(port, site.ports())
    g = room.gurney(text)
    engine = Engine(g.state)
    pids, shown, digest = engine.pids(), engine.text(), engine.digest()
    load = room.load(Group("close", port, connections=8, close=True, pause=0.01), Group("kept", port, connections=8, pause=0.01))
    load.runs(50)
    undiagnosed: list[str] = []
    exits: dict[str, set[int]] = {"invalid": set(), "impossible": set()}
    invalid = count(len(INVALID), 1000, asked=200)
    for i in range(invalid):
        what, bad, line = broken(text, i)
        done = g.apply(bad)
        exits["invalid"].add(done.returncode)
        if not diagnosed(done.stderr + done.stdout, line):
            undiagnosed.append(f"{what} (line {line}): {done.stdout}{done.stderr}")
    kinds = impossible(room, port, site.ports(), ca)
    impossibles = count(10, 1000, asked=50)
    for i in range(impossibles):
        what, make = list(kinds.items())[i % len(kinds)]
        done = g.apply(make(i))
        exits["impossible"].add(done.returncode)
        said = done.stderr + done.stdout
        if done.returncode == 0 or not (diagnosed(said, None) or ("port" in what and str(port_in(said)) in said)):
            undiagnosed.append(f"{what}: {done.returncode} {said}")
    load.runs(20)
    # A refused bundle may have been tried and the last good one reloaded: what is served is the same, to the byte.
    same = (engine.text() == shown, engine.digest() == digest, engine.differences() == [])
    tallies = load.stop()
    errors = sum(t.failed for t in tallies.values())
    again = g.apply(text).returncode
    say(
        "reliability-a4-http",
        invalid=invalid,
        impossible=impossibles,
        exits=f"{sorted(exits['invalid'])}/{sorted(exits['impossible'])}".replace(" ", ""),
        undiagnosed=len(undiagnosed),
        requests=sum(t.done for t in tallies.values()),
        errors=errors,
        same=same == (True, True, True),
        same_processes=engine.pids() == pids,
    )
    assert undiagnosed == [], undiagnosed[0]
    assert exits["invalid"] == {2} and exits["impossible"] <= {1, 2} and errors == 0, tallies
    assert (same, again) == ((True, True, True), 0)


def port_in(text: str) -> int:
    """The first port of 127.0.0.1 in a text, 0 for none."""
    found = re.search(r"127\.0\.0\.1:(\d+)", text)
    return int(found[1]) if found else 0


POINTS = ("config.rendered", "config.validated", "config.renamed", "config.reloaded", "config.confirmed")
BY_RUNTIME = ("config.renamed", "runtime.said", "config.confirmed")  # of a change that needs no reload


@pytest.mark.timeout(900 if ASKED else 300)
def test_reliability_a4_http_killed_while_applying(room: Room) -> None:
    """SIGKILL of the control process at each point of an apply, then `up`: no request fails; what is shown is served, old or new."""
    site = room.website("a", "b")
    port = room.port()
    g = room.gurney(shaped(0, port, site.ports()))
    engine = Engine(g.state)
    load = room.load(Group("close", port, connections=8, close=True, pause=0.01), Group("kept", port, connections=8, pause=0.01))
    load.runs(50)
    points = [("config.renamed", True), ("config.reloaded", True), ("runtime.said", False)]
    if ASKED:
        points = [(p, True) for p in POINTS] * 3 + [(p, False) for p in BY_RUNTIME] * 3
    unequal: list[str] = []
    died = 0
    for i, (point, reload) in enumerate(points):
        changed = shaped(i + 1, port, site.ports()) if reload else shaped(0, port, {**site.ports(), "b": weighed(site.port("b"), 20 + i)})
        if not reload:
            assert g.apply(shaped(0, port, site.ports())).returncode == 0  # from which a weight alone differs
        g.control.kill()
        g.up(with_file=False, failpoints=f"{point}=kill")
        g.apply(changed)
        died += not g.control.alive()
        load.runs(20)
        g.control.kill()
        g.up(with_file=False)
        unequal += [f"{point}: {d}" for d in engine.differences()]
        unequal += one_generation(g, engine, point)
    tallies = load.stop()
    errors = sum(t.failed for t in tallies.values())
    leftovers = len(list(Path(g.state / "apps" / "web" / "haproxy").glob("*.tmp*")))
    say("reliability-a4-http", kills=died, of=len(points), errors=errors, unequal=len(unequal), left_behind=leftovers)
    assert (died, errors, unequal, leftovers) == (len(points), 0, [], 0), tallies
    assert get(port).status == 200


def one_generation(g: Gurney, engine: Engine, point: str) -> list[str]:
    """Status names one generation, of what is published, and one master runs."""
    masters = [pid for pid, argv in running(f"{engine.folder}/") if " -W" in argv]
    status = str(g.status())
    found = [] if engine.digest() in status or engine.digest()[:12] in status else [f"{point}: {engine.digest()[:12]} is not in status"]
    return found + ([] if masters else [f"{point}: no HAProxy"])
