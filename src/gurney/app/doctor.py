"""The one place for examining the machine: engines, limits, versions, and what the state folder's disk does."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gurney.engines.haproxy import binary
from gurney.errors import EngineRefused
from gurney.guard import privileges
from gurney.state import users

SYNC_SECONDS = 1.0
SLOW_SYNCS = 50.0  # a second; below it every durable answer waits
NOFILE = 4096  # 256 associations a service, two sockets and a file each, four applications
PROBE_SECONDS = 5.0
RESERVED = 64  # descriptors of a HAProxy that carry no session (http.md §3)
SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)
UNITS = ("gurney-guard.service", "gurney.service")
UNIT_PLACES = (Path("/etc/systemd/system"), Path("/usr/local/lib/systemd/system"), Path("/usr/lib/systemd/system"))
PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # never $PATH: what stands there is run


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `needed`: `now` (this version does not run without it), `later` (a later version does), `advice`. `cure` is a command or advice.
    """

    name: str
    good: bool
    needed: str
    found: str
    cure: str = ""

    def as_json(self) -> dict[str, object]:
        """JSON-ready."""
        return {"name": self.name, "good": self.good, "needed": self.needed, "found": self.found, "cure": self.cure}


@dataclass(frozen=True, slots=True)
class Program:
    """A program around Gurney: its names on the path, the arguments that make it say its version, its Debian package."""

    name: str
    commands: tuple[str, ...]
    arguments: tuple[str, ...]
    package: str
    purpose: str
    at_least: tuple[int, ...] = ()


PROGRAMS: tuple[Program, ...] = (
    Program("dcmtk", ("storescu", "storescp"), ("--version",), "dcmtk", "for trying things out and for the live tests"),
    Program("orthanc", ("Orthanc",), ("--version",), "orthanc", "for the live tests"),
    Program("nginx", ("nginx",), ("-v",), "nginx libnginx-mod-http-modsecurity modsecurity-crs", "later: services with `waf`"),
    Program("gdnsd", ("gdnsd",), ("version",), "gdnsd", "later: global names"),
    Program("keepalived", ("keepalived",), ("--version",), "keepalived", "later: a pair of nodes"),
)


def examine(state: Path) -> list[Finding]:
    """Everything that was looked at, what is needed first. Starts no engine beyond asking it for its version."""
    looks: tuple[Callable[[], Finding], ...] = (_python, _sqlite, _quickack, _descriptors)
    found = [look() for look in looks]
    found += [_syncs(state), _keys(state), *_haproxy(), _users(), _service()]
    return found + [_program(program) for program in PROGRAMS]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", sys.version_info >= (3, 11), "now", version, "Python 3.11 or newer")


def _sqlite() -> Finding:
    import apsw

    version = apsw.sqlite_lib_version()
    good = tuple(int(part) for part in version.split(".")) >= (3, 51, 3)  # the WAL-reset fault is mended there
    return Finding("sqlite", good, "now", version, "make setup")


def _quickack() -> Finding:
    there = False
    if hasattr(socket, "TCP_QUICKACK"):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                there = True
            except OSError:
                there = False
    return Finding(
        "TCP_QUICKACK", there, "advice", "available" if there else "not available", "without it slow acknowledgements of peers stay slow"
    )


def _descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    good = hard == resource.RLIM_INFINITY or hard >= NOFILE
    grants = "" if hard == resource.RLIM_INFINITY else f": HAProxy gets {max(0, (hard - RESERVED) // 2)} sessions an application"
    cure = f"ulimit -Hn {NOFILE}, or LimitNOFILE= of the service"
    return Finding("open files", good, "now", f"{soft} (may be raised to {hard}){grants}", cure)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _syncs(state: Path) -> Finding:
    """How often a second the disk under the state folder makes 4 KiB durable; a disk that lies about it looks too good."""
    folder = _existing(state)
    name = folder / f".gurney-doctor-{os.getpid()}"
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        return Finding("state folder", False, "now", f"{folder}: {error.strerror}", "choose one with --state")
    try:
        os.unlink(name)
        count, start = 0, time.monotonic()
        while time.monotonic() - start < SYNC_SECONDS:
            os.pwrite(descriptor, b"\0" * 4096, 0)
            os.fdatasync(descriptor)
            count += 1
        rate = count / (time.monotonic() - start)
    except OSError as error:
        return Finding("state folder", False, "now", f"{folder}: {error.strerror}", "choose one with --state")
    finally:
        os.close(descriptor)
    return Finding(
        "state folder", rate >= SLOW_SYNCS, "advice", f"{folder}: {rate:.0f} syncs/s", "a faster disk, or one with a protected cache"
    )


def _keys(state: Path) -> Finding:
    keys = state / "keys"
    apart = keys.exists() and keys.stat().st_dev != _existing(state).stat().st_dev
    found = "a file system of their own" if apart else "on the state folder's file system"
    return Finding("keys", apart, "advice", found, f"mount one at {keys}: whoever takes the disk takes the keys too")


def _program(program: Program) -> Finding:
    places = [shutil.which(command, path=PLACES) for command in program.commands]
    cure = f"apt-get install --no-install-recommends {program.package}"
    if None in places:
        return Finding(program.name, False, "later", f"not installed ({program.purpose})", cure)
    version = _version([str(places[0]), *program.arguments])
    if program.at_least and _numbers(version) < program.at_least:
        wanted = ".".join(map(str, program.at_least))
        return Finding(program.name, False, "later", f"{version}: older than {wanted}", "the one of the wheel is used instead")
    return Finding(program.name, True, "later", f"{version} ({program.purpose})", cure)


def _numbers(version: str) -> tuple[int, ...]:
    """The first dotted number of a text; empty when there is none."""
    match = re.search(r"[0-9]+(?:\.[0-9]+)+", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _haproxy() -> list[Finding]:
    """Which HAProxy carries HTTP and TCP, and whether its OpenSSL is still mended."""
    try:
        found = binary.find()
    except EngineRefused as problem:
        return [Finding("haproxy", False, "now", problem.message, problem.hint or "make setup")]
    whose = "of Gurney's own packages, the system has none of 2.8 or newer" if found.bundled else "of the system"
    one = Finding("haproxy", True, "now", f"{found.text} {whose}: {found.path}")
    library = next((line for line in _lines([str(found.path), "-vv"]) if line.startswith("Running on OpenSSL version")), "")
    version = re.search(r"OpenSSL ([0-9.]+)", library)
    old = found.bundled and version is not None and version[1].startswith("3.0.")
    says = f"OpenSSL {version[1]}" if version else "OpenSSL of unknown version"
    cure = "where TLS is exposed: the system's own HAProxy, 2.8 or newer (Debian 13: apt-get install --no-install-recommends haproxy)"
    return [one, Finding("haproxy's TLS", not old, "advice", says + (", without security fixes since September 2026" if old else ""), cure)]


def _users() -> Finding:
    """Whether each application gets a uid of its own."""
    name = "uid of its own"
    if os.geteuid() != 0:
        return Finding(name, True, "advice", f"not root: every process runs under uid {os.geteuid()}")
    why = privileges.able(users.FIRST, Path("/"))
    good = f"each application's, from {users.FIRST} to {users.LAST}"
    return Finding(name, not why, "advice", why or good, "install Gurney where every user can read it, in /opt/gurney for instance")


def _service() -> Finding:
    """Whether a service manager starts Gurney with the machine."""
    if not SYSTEMD.exists():
        return Finding("systemd", False, "advice", "does not run here", "something else has to run `gurney up` when the machine starts")
    missing = [unit for unit in UNITS if not any((place / unit).exists() for place in UNIT_PLACES)]
    found = f"runs, {', '.join(missing)} not installed" if missing else "runs, with the units of guard and control process"
    return Finding(
        "systemd", not missing, "advice", found, "copy packaging/systemd/*.service to /etc/systemd/system (docs/guides/systemd.md)"
    )


def _version(argv: list[str]) -> str:
    """The first line a program says about its version."""
    lines = _lines(argv)
    return lines[0] if lines else "says no version"


def _lines(argv: list[str]) -> list[str]:
    """What a program says; its environment holds nothing but OPENSSL_CONF (a planted configuration would run code)."""
    environment = {"OPENSSL_CONF": "/dev/null"}
    try:
        done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"does not say its version: {type(error).__name__}"]
    return [one.strip() for one in (done.stdout + done.stderr).decode("utf-8", "replace").splitlines() if one.strip()]
