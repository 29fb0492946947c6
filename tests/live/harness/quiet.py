"""The one place for a network that loses every packet both ways: two network namespaces of our own and a link that is taken down.

`unshare --net python -m tests.live.harness.quiet FOLDER` (root) prints one JSON object. Nothing outside of the two namespaces is touched.
The check is so rare that only the sockets themselves can find the silence (reliability.md §3): keepalive on an idle association,
`TCP_INFO` on one with bytes in flight.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.ports import free_ports

from . import objects
from .behaviour import Behaviour
from .document import pacs
from .gurney import Gurney
from .member import Member
from .processes import Child, environment
from .sender import Outcome, send
from .wait import until

NEAR, FAR = "10.77.0.1", "10.77.0.2"
RARE = "{kind: dicom-echo, interval: 10m, timeout: 2s, rise: 1, fall: 1}"


def ip(*words: str, inside: int | None = None) -> None:
    """`ip …` here, or in the network namespace of a process."""
    prefix = ["nsenter", f"--net=/proc/{inside}/ns/net"] if inside is not None else []
    subprocess.run([*prefix, "ip", *words], check=True, env=environment())


class FarMember:
    """A scripted member in a network namespace of its own, behind a veth pair."""

    def __init__(self, folder: Path, port: int) -> None:
        behaviour = Behaviour(name="far", host="0.0.0.0", port=port)
        argv = ["unshare", "--net", sys.executable, "-m", "tests.live.harness.member", str(folder / "far.jsonl"), behaviour.as_json()]
        self.child = Child(argv, folder, "far")
        here = os.readlink("/proc/self/ns/net")
        until(lambda: os.readlink(f"/proc/{self.child.pid}/ns/net") != here, 10, "the member's own namespace")
        ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        ip("link", "set", "far", "netns", str(self.child.pid))
        for device, own, inside in (("near", NEAR, None), ("far", FAR, self.child.pid)):
            ip("addr", "add", f"{own}/24", "dev", device, inside=inside)
            ip("link", "set", device, "up", inside=inside)
        for device, other, inside, peer in (("near", FAR, None, self.child.pid), ("far", NEAR, self.child.pid, None)):
            address = self._hardware("far" if device == "near" else "near", peer)
            ip("neigh", "replace", other, "lladdr", address, "dev", device, "nud", "permanent", inside=inside)

    @staticmethod
    def _hardware(device: str, inside: int | None) -> str:
        prefix = ["nsenter", f"--net=/proc/{inside}/ns/net"] if inside is not None else []
        argv = [*prefix, "ip", "-j", "link", "show", device]
        return str(json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)[0]["address"])

    def silence(self) -> None:
        """From now on every packet is lost, both ways, without a word."""
        ip("link", "set", "far", "down", inside=self.child.pid)

    def speak(self) -> None:
        ip("link", "set", "far", "up", inside=self.child.pid)
        ip("neigh", "replace", NEAR, "lladdr", self._hardware("near", None), "dev", "far", "nud", "permanent", inside=self.child.pid)


def walk(folder: Path) -> dict[str, Any]:
    """Idle: the association is given up. In flight: the object goes to the other member. The sender sees neither."""
    ip("link", "set", "lo", "up")
    port, far_port = free_ports(2)
    far, near = FarMember(folder, far_port), Member(Behaviour(keep=False))
    pool = {"far": f"STORE@{FAR}:{far_port}", "near": f"STORE@127.0.0.1:{near.port}"}
    g = Gurney(folder, pacs(port, {"archive": pool}, pool="balance: failover", check=RARE))
    try:
        first = send(port, objects.study("h1-warm", 1))
        until(lambda: g.members("archive")["far"]["associations"] == 1, 10, "an idle association stands")
        far.silence()
        until(lambda: g.members("archive")["far"]["associations"] == 0, 40, "the idle association is given up")
        far.speak()
        until(lambda: len(send(port, objects.study("h1-again", 1)).acked) == 1, 20, "the member serves again")
        out: list[Outcome] = []
        things = objects.study("h1-flight", 8, size=4 << 20)
        seen = threading.Event()

        def after(t: objects.Thing, status: int) -> None:
            if not seen.is_set():
                seen.set()
                far.silence()

        sending = threading.Thread(target=lambda: out.append(send(port, things, after=after, timeout=100)))
        sending.start()
        sending.join(110)
        stored = len(near.stored().keys() & {t.sop_instance for t in things})
        result = out[0]
        return {
            "warm": len(first.acked),
            "acked": len(result.acked),
            "on_the_other": stored,
            "sender_errors": len(result.errors) + len(result.refused),
        }
    finally:
        g.close()
        far.child.kill()
        near.close()


if __name__ == "__main__":
    print(json.dumps(walk(Path(sys.argv[1]))), flush=True)
