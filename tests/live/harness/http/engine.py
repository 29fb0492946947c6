"""The one place for what the running HAProxy itself says, read without the product: its sockets, its processes, the file on disk.

`Engine` compares the published file with the process by a reader of its own: servers, addresses, weights, states, limits, maps,
certificates, `description`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import socket
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.live.harness.processes import running


@dataclass(frozen=True)
class Server:
    """One server as the file or the process has it. `weight` 0 is drained."""

    address: str
    port: int
    weight: int
    disabled: bool
    maxconn: int | None


def ask(path: Path, command: str, timeout: float = 10) -> str:
    """One command to a stats socket. Its path may be too long for a socket address, so it is opened from its folder."""
    folder = os.open(path.parent, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(f"/proc/self/fd/{folder}/{path.name}")
            s.sendall(command.encode() + b"\n")
            s.shutdown(socket.SHUT_WR)
            text = b""
            while piece := s.recv(1 << 16):
                text += piece
            return text.decode("latin-1")
    finally:
        os.close(folder)


class Engine:
    """The HAProxy of one application of a Gurney."""

    def __init__(self, state: Path, application: str = "web") -> None:
        self.state, self.application = state, application
        self.folder = state / "apps" / application / "haproxy"

    def admin(self, command: str) -> str:
        return ask(self.folder / "run" / "admin.sock", command)

    def master(self, command: str) -> str:
        return ask(self.folder / "run" / "master.sock", command)

    def text(self) -> str:
        return (self.folder / "current" / "haproxy.cfg").read_text()

    def pids(self) -> set[int]:
        """Every HAProxy process of this application: the master and all workers."""
        return {pid for pid, argv in running(f"{self.folder}/") if "haproxy -W" in argv or "/haproxy" in argv.split(" ")[0]}

    def master_pid(self) -> int:
        """The one whose parent is none of the others."""
        pids = self.pids()
        found = [p for p in pids if _parent(p) not in pids]
        assert len(found) == 1, (pids, found)
        return found[0]

    def workers(self) -> tuple[int, list[int]]:
        """(the current worker, the old ones)."""
        current, old, section = 0, [], ""
        for line in self.master("show proc").splitlines():
            if line.startswith("#"):
                section = line[1:].strip()
            words = line.split()
            if len(words) > 1 and words[1] == "worker":
                if section.startswith("old"):
                    old.append(int(words[0]))
                else:
                    current = int(words[0])
        return current, old

    def info(self) -> dict[str, str]:
        pairs = (line.partition(": ") for line in self.admin("show info").splitlines())
        return {name: value for name, _, value in pairs}

    def stat(self) -> list[dict[str, str]]:
        lines = self.admin("show stat").lstrip("# ").splitlines()
        names = lines[0].split(",")
        return [dict(zip(names, line.split(","), strict=False)) for line in lines[1:] if line]

    def runs(self) -> dict[tuple[str, str], Server]:
        """(backend, server) → as the process has it."""
        lines = self.admin("show servers state").splitlines()
        names = lines[1].lstrip("# ").split()
        limits = {(s["pxname"], s["svname"]): int(s["slim"] or 0) or None for s in self.stat() if s["type"] == "2"}
        out = {}
        for line in lines[2:]:
            if not line:
                continue
            row = dict(zip(names, line.split(), strict=False))
            key = (row["be_name"], row["srv_name"])
            maintenance = bool(int(row["srv_admin_state"]) & 0x01)
            out[key] = Server(row["srv_addr"], int(row["srv_port"]), int(row["srv_uweight"]), maintenance, limits.get(key))
        return out

    def written(self) -> dict[tuple[str, str], Server]:
        """(backend, server) → as the published file has it."""
        out, backend = {}, ""
        for line in self.text().splitlines():
            words = shlex.split(line, comments=True)
            if not words:
                continue
            if not line[0].isspace():
                backend = words[1] if words[0] in ("backend", "listen") else ""
            elif words[0] == "server" and backend:
                host, _, port = words[2].rpartition(":")
                options = words[3:]
                limit = int(options[options.index("maxconn") + 1]) if "maxconn" in options else None
                weight = int(options[options.index("weight") + 1]) if "weight" in options else 1
                out[backend, words[1]] = Server(host.strip("[]"), int(port or 0), weight, "disabled" in options, limit)
        return out

    def differences(self) -> list[str]:
        """In words, what the process has otherwise than the published file; [] when both are equal."""
        runs, written = self.runs(), self.written()
        found = [
            f"{'/'.join(k)}: runs {runs.get(k)}, file {written.get(k)}"
            for k in sorted(runs.keys() | written.keys())
            if runs.get(k) != written.get(k)
        ]
        found += [] if written else ["the file has no server"]
        description = re.search(r"^\s*description\s+(\S+)", self.text(), re.M)
        if description is None or self.info().get("description", "").strip() != description[1].strip("\"'"):
            found.append(f"description: runs {self.info().get('description')}, file {description and description[1]}")
        return found + self._maps() + self._certificates()

    def _maps(self) -> list[str]:
        found = []
        for file in sorted((self.folder / "current" / "maps").glob("*")):
            lines = [x for x in file.read_text().splitlines() if x.strip() and not x.startswith("#")]
            written = [tuple(x.split(None, 1)) for x in lines]
            answer = self.admin(f"show map current/maps/{file.name}")
            if "Unknown map" in answer:  # a list of patterns
                answer = self.admin(f"show acl current/maps/{file.name}")
            runs = [tuple(x.split(None, 2)[1:]) for x in answer.splitlines() if x.startswith("0x")]
            if sorted(map(str, runs)) != sorted(map(str, written)):
                found.append(f"map {file.name}: runs {runs[:5]}, file {written[:5]}")
        return found

    def _certificates(self) -> list[str]:
        found = []
        for file in sorted((self.folder / "current" / "certificates").glob("*.pem")):
            answer = self.admin(f"show ssl cert current/certificates/{file.name}")
            runs = re.search(r"SHA1 FingerPrint: ([0-9A-F]+)", answer)
            pem = file.read_bytes()
            if runs is None or b"PRIVATE KEY" not in pem:
                continue  # an authority or a list of revoked certificates
            fingerprint = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA1()).hex().upper()
            if fingerprint != runs[1]:
                found.append(f"certificate {file.name}: runs {runs[1]}, file {fingerprint}")
        return found

    def digest(self) -> str:
        return hashlib.sha256((self.folder / "current" / "bundle.json").read_bytes()).hexdigest()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
