"""Gurney under a real systemd: the two units as they are shipped, their privileges, and what stopping and killing each does to traffic."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import unproven
from tests.live.harness.counts import say
from tests.live.harness.machine import Machine, Unable
from tests.live.harness.processes import ROOT
from tests.live.harness.wait import until

GUARD, CONTROL = "gurney-guard", "gurney"
PAGE = 18181
BIND = "0000000000000400"
"""CAP_NET_BIND_SERVICE and nothing else (capabilities(7): bit 10)."""
NOTHING = "0000000000000000"
DOCUMENT = f"""gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: "127.0.0.1:104", accept_from: [127.0.0.0/8]}}
    pools:
      archive: [ARCHIVE1@127.0.0.1:18113]
  portal:
    services:
      web: {{protocol: http, listen: "127.0.0.1:80", accept_from: [127.0.0.0/8]}}
    pools:
      pages: {{check: {{kind: tcp, interval: 500ms, rise: 1}}, members: [127.0.0.1:{PAGE}]}}
"""


KNOCK = """
import os, signal, socket, sys, time
for pid in map(int, sys.argv[1:]):
    os.kill(pid, signal.SIGKILL)
end, made = time.monotonic() + 1, 0
while time.monotonic() < end:
    socket.create_connection(("127.0.0.1", 104), 5).close()
    made += 1
print(made)
"""
"""Ends processes and connects to the DICOM service for a second after it; fails when one connection is refused."""


class Site:
    """The machine with both units, a page behind the portal and a visitor before it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        shutil.copy(ROOT / "tests/live/harness/visitor.py", machine.root("/tmp/visitor.py"))
        self.run("systemd-sysusers")
        self.run("install", "-d", "-m", "750", "-g", "gurney", "/etc/gurney")
        self.write(DOCUMENT)
        self.run("systemd-run", "--quiet", "--unit=page", "/usr/bin/python3", "/tmp/visitor.py", "page", str(PAGE))
        self.run("systemctl", "start", CONTROL)
        self.serves()

    def run(self, *words: str) -> str:
        done = self.machine.run(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr, self.machine.run("systemctl", "status", GUARD, CONTROL).stdout)
        return done.stdout.strip()

    def write(self, document: str) -> None:
        self.machine.root("/etc/gurney/gurney.yaml").write_text(document)
        self.run("chgrp", "gurney", "/etc/gurney/gurney.yaml")

    def gurney(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.machine.run("/opt/gurney/.venv/bin/gurney", *words)

    def serves(self) -> None:
        """Every engine has confirmed, and the page can be had through the portal."""

        def ready() -> bool:
            done = self.gurney("status", "--json")
            pools = json.loads(done.stdout)["applications"] if done.returncode == 0 else {}
            return bool(pools) and pools["portal"]["pools"]["pages"]["members"][f"127.0.0.1:{PAGE}"]["operational"] == "up"

        until(ready, 40, "Gurney serves")

    def states(self) -> tuple[str, ...]:
        return tuple(self.machine.run("systemctl", "is-active", one).stdout.strip() for one in (GUARD, CONTROL))

    def pid(self, unit: str) -> int:
        return int(self.run("systemctl", "show", "-P", "MainPID", unit))

    def traffic(self) -> dict[int, str]:
        """What carries traffic: pid there -> argv."""
        return {pid: argv for pid, (argv, _) in self.machine.processes("gurney").items() if " route " in argv or "haproxy " in argv}


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    try:
        machine = Machine(folder)
    except Unable as why:
        unproven(f"units under a real systemd ({why})")
    try:
        if machine.run("/opt/gurney/.venv/bin/python", "-c", "import gurney.app.route").returncode:
            unproven("units under a real systemd (the system's Python is not of the version the packages are for)")
        yield Site(machine)
    finally:
        machine.close()


@pytest.mark.timeout(240)
def test_systemd_stopping_and_killing_the_units_touches_no_traffic(site: Site) -> None:
    """Restart, stop and SIGKILL of each unit under HTTP requests: 0 errors, the same processes; only `gurney down` stops traffic."""
    seen = dict(site.machine.processes("gurney").values())
    rights = {word: {c for argv, c in seen.items() if word in argv} for word in (" guard ", " up ", " route ", "bin/haproxy ")}
    assert rights == {" guard ": {BIND}, " up ": {NOTHING}, " route ": {NOTHING}, "bin/haproxy ": {BIND}}, seen
    before = site.traffic()
    argv = site.machine.argv("/usr/bin/python3", "/tmp/visitor.py", "visit", "80", "/run/enough")
    visitor = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    site.run("systemctl", "restart", CONTROL)
    site.serves()
    site.run("systemctl", "stop", CONTROL)
    assert site.states() == ("active", "inactive")
    site.run("systemctl", "start", CONTROL)
    site.serves()
    for unit in (CONTROL, GUARD):
        pid = site.pid(unit)
        site.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", unit)
        until(lambda unit=unit, pid=pid: site.pid(unit) not in (0, pid), 30, f"systemd starts {unit} again")  # type: ignore[misc]
        site.serves()
    site.run("systemctl", "restart", GUARD)
    site.serves()
    site.run("systemctl", "stop", GUARD)
    assert site.states() == ("inactive", "active") and site.traffic() == before
    site.run("systemctl", "stop", CONTROL)
    site.run("systemctl", "start", CONTROL)  # which wants the guard
    assert site.states() == ("active", "active")
    site.serves()
    same = site.traffic() == before
    site.write(DOCUMENT.replace('"127.0.0.1:80"', '["127.0.0.1:80", "127.0.0.1:81"]'))  # the control process may not bind it, HAProxy may
    applied = site.gurney("apply", "/etc/gurney/gurney.yaml")
    site.run("touch", "/run/enough")
    counts = json.loads(visitor.communicate(timeout=30)[0])
    say("systemd-units", same_processes=same, applied=applied.returncode, **counts)
    assert (applied.returncode, same, counts["errors"]) == (0, True, 0) and counts["requests"] > 100, applied.stderr
    both_die(site)
    down = site.gurney("down")
    assert down.returncode == 0, down.stderr
    until(lambda: site.states() == ("active", "inactive"), 20, "an idle guard waits for the next start")
    assert not site.traffic()


def both_die(site: Site) -> None:
    """The guard and a route process in one moment: the listener lies in systemd's store, so nobody is refused."""
    [route] = [pid for pid, argv in site.traffic().items() if " route " in argv]
    guard = site.pid(GUARD)
    made = int(site.run("/usr/bin/python3", "-c", KNOCK, str(guard), str(route)))
    site.serves()
    say("systemd-store", connections=made, refused=0, another_guard=site.pid(GUARD) != guard)
    assert made > 0 and site.pid(GUARD) not in (0, guard)
    assert [pid for pid, argv in site.traffic().items() if " route " in argv] != [route]
