"""Who may do what (reliability C4): one uid an application where the guard is root, else the operator's; nobody gains privileges."""

from __future__ import annotations

import os
import signal
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Room, unproven
from tests.live.harness import objects
from tests.live.harness.counts import say
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.client import get
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.processes import ROOT, running
from tests.live.harness.sender import send
from tests.live.harness.wait import until

OUTSIDER = 60705
"""A uid nobody has; its neighbours are the applications'."""
READABLE = ("/usr/bin/python3", "/usr/local/bin/python3")


def runs(program: str, path: str) -> bool:
    """Whether somebody else can run Gurney by this interpreter."""
    try:
        done = subprocess.run(
            [program, "-c", "import gurney.app.route"], env={"PYTHONPATH": path}, capture_output=True, timeout=60, cwd="/",
            user=OUTSIDER, group=OUTSIDER, extra_groups=[], check=False,
        )  # fmt: skip
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """An interpreter and a folder that every uid can read, as after an installation in /opt."""
    if os.geteuid() != 0:
        unproven("C4 (needs root)")
    path = os.pathsep.join([str(ROOT / "src"), *site.getsitepackages()])
    program = next((one for one in (sys.executable, *READABLE) if runs(one, path)), None)
    if program is None:
        unproven("C4 (no interpreter that another uid can read)")
    monkeypatch.setattr(sys, "executable", program)
    monkeypatch.setenv("PYTHONPATH", path)
    folder.chmod(0o711)
    yield


def clinic(dicom: int, archive: int, web: int, page: int, other: int) -> str:
    """An application with both engines, and one with HAProxy alone."""
    check = "{kind: dicom-echo, interval: 500ms, timeout: 500ms, rise: 1, fall: 2}"
    services = [service("store", dicom, protocol="dicom", rules=["{pool: archive}"]), service("viewer", web, rules=["{pool: pages}"])]
    pools = [pool("archive", {"a": f"STORE@127.0.0.1:{archive}"}, check=check), pool("pages", {"p": page})]
    return document(application("pacs", services, pools), application("portal", [service("site", other)], [pool("pages", {"p": page})]))


def privileges(g: Gurney) -> dict[str, tuple[str, str, str, str, str]]:
    """`what argv` -> (uids, gids, groups, effective capabilities, NoNewPrivs) of every process with the state in its argv."""
    found = {}
    for pid, argv in running(str(g.state)):
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        parent = lines["PPid"].strip()
        word = argv.split(" -m gurney ", 1)[1].split()[0] if " -m gurney " in argv else "haproxy"
        name = f"{word} of {argv.split('/apps/', 1)[1].split('/')[0].strip()}" if "/apps/" in argv else word
        if word == "haproxy" and " -W " in Path(f"/proc/{parent}/cmdline").read_bytes().replace(b"\0", b" ").decode():
            name = f"worker {name}"
        words = (" ".join(lines[key].split()) for key in ("Uid", "Gid", "Groups", "CapEff", "NoNewPrivs"))
        found[name] = tuple(words)
    return found  # type: ignore[return-value]


@pytest.mark.timeout(180)
def test_reliability_c4_one_uid_an_application(room: Room, elsewhere: None) -> None:
    """As root: no process that reads what peers send is root, has a capability or can gain one, nor is it another application's."""
    archive, page = room.archive("a"), room.website("p")
    dicom, web, other = room.port(), room.port(), room.port()
    g = room.gurney(clinic(dicom, archive.port, web, page.port(), other))
    seen = privileges(g)
    peers = {"route of pacs", "worker haproxy of pacs", "worker haproxy of portal"}
    assert set(seen) == {"up", "guard", "haproxy of pacs", "haproxy of portal"} | peers, seen
    uids = {name: {*seen[name][0].split(), *seen[name][1].split()} for name in peers}
    assert all(len(one) == 1 and one != {"0"} for one in uids.values()), uids
    assert uids["route of pacs"] == uids["worker haproxy of pacs"] != uids["worker haproxy of portal"]
    assert {seen[name][2:] for name in peers} == {("", "0000000000000000", "1")}, seen
    assert {one[4] for one in seen.values()} == {"1"}
    modes = {name: (g.state / name).stat().st_mode & 0o7777 for name in (".", "apps", "apps/pacs", "keys", "apps/pacs/haproxy")}
    assert modes == {".": 0o711, "apps": 0o711, "apps/pacs": 0o1770, "keys": 0o700, "apps/pacs/haproxy": 0o711}
    stored = len(send(dicom, objects.study("c4", 3)).acked)
    pages = sum(get(port).status == 200 for port in (web, other))
    codes = {one["code"] for one in g.status()["conditions"]}
    restarted = after_a_crash(g, dicom, uids["route of pacs"])
    say("reliability-c4", processes=len(seen), root_with_peers=0, stored=stored, pages=pages, stored_after_crash=restarted)
    assert (stored, pages, restarted) == (3, 2, 2) and "RunsAsRoot" not in codes


def after_a_crash(g: Gurney, port: int, uid: set[str]) -> int:
    """Objects stored by the route process that the guard started anew, under the same uid."""
    pid = g.route_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: g.answers() and g.route_pid() != pid, 20, "another route process serves")
    assert set(privileges(g)["route of pacs"][0].split()) == uid
    return len(send(port, objects.study("c4-again", 2)).acked)


@pytest.mark.timeout(180)
def test_reliability_c4_what_root_ran_before_is_taken_over(room: Room, elsewhere: None) -> None:
    """A state nobody else can reach: root serves it, and says so; once it can be reached the application gets its uid, pins and all."""
    archive, page = room.archive("a"), room.website("p")
    dicom, web, other = room.port(), room.port(), room.port()
    room.folder.chmod(0o700)
    g = room.gurney(clinic(dicom, archive.port, web, page.port(), other))
    assert privileges(g)["route of pacs"][0] == "0 0 0 0"
    assert "RunsAsRoot" in {one["code"] for one in g.status()["conditions"]}
    assert privileges(g)["worker haproxy of pacs"][0] != "0 0 0 0"
    things = objects.study("c4-before", 3)
    stored = len(send(dicom, things[:2]).acked)
    g.until_written()
    pins = g.route("status")["pins"]
    g.control.kill()
    room.folder.chmod(0o711)
    g.up(with_file=False)
    seen = privileges(g)["route of pacs"]
    kept = g.route("status")["pins"]
    stored += len(send(dicom, things[2:]).acked)
    say("reliability-c4", stored=stored, pins_before=pins, pins_after=kept, runs_as_root=int(seen[0].split()[0] == "0"))
    assert (stored, pins, kept) == (3, 1, 1) and seen[0] != "0 0 0 0" and seen[3:] == ("0000000000000000", "1")
    assert "RunsAsRoot" not in {one["code"] for one in g.status()["conditions"]}


@pytest.mark.timeout(180)
def test_reliability_c4_without_root_everything_is_the_operators(room: Room, elsewhere: None) -> None:
    """Not root: one uid for all, and no capability anywhere; ports below 1024 come with the one that a service manager gives."""
    archive, page = room.archive("a"), room.website("p")
    dicom, web, other = room.port(), room.port(), room.port()
    folder = room.folder / "own"
    folder.mkdir()
    os.chown(folder, OUTSIDER, OUTSIDER)
    prefix = ["setpriv", f"--reuid={OUTSIDER}", f"--regid={OUTSIDER}", "--clear-groups"]
    g = Gurney.__new__(Gurney)
    room.keep(g)
    room.folder.chmod(0o711)
    g.__init__(folder, clinic(dicom, archive.port, web, page.port(), other), before=prefix)  # type: ignore[misc]
    seen = privileges(g)
    assert {tuple(one[:2]) for one in seen.values()} == {(" ".join([str(OUTSIDER)] * 4),) * 2}, seen
    assert {one[3] for one in seen.values()} == {"0000000000000000"}
    assert {one[4] for one in seen.values()} == {"1"}
    assert (folder / "g-state").stat().st_mode & 0o7777 == 0o700
    say("reliability-c4", processes=len(seen), uids=1, stored=len(send(dicom, objects.study("c4-own", 2)).acked), page=get(web).status)
