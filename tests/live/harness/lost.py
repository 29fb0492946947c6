"""The one place for a half-open world: a member and three senders in a network namespace of their own, and a link that is taken down.

`unshare --net python -m tests.live.harness.lost FOLDER OBJECTS` (root) prints one JSON object; `… lost speak PORT` are the senders. Objects
go to the far member first; it falls silent in the middle of one. The senders leave an association idle, one in the middle of an object, and
one whose answers nobody reads.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from tests.ports import free_ports

from . import objects, pdus
from .account import counted, tally
from .behaviour import Behaviour
from .document import CHECK, pacs
from .gurney import Gurney
from .member import Member
from .processes import Child
from .quiet import FAR, NEAR, FarMember, ip
from .sender import Association, Outcome, send
from .slow import Deaf
from .wait import until


class FarHolder(FarMember):
    """The far member, with what it holds read from its journal."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        self.journal = folder / "far.jsonl"

    def stored(self) -> dict[str, str]:
        """SOP Instance UID -> sha256."""
        lines = [json.loads(x) for x in self.journal.read_text().splitlines() if x.endswith("}")]
        return {x["sop"]: x["sha"] for x in lines if x["event"] == "stored"}


def speak(port: int) -> None:
    """Three associations with Gurney at NEAR, each left as it is; then nothing more."""
    thing = objects.study("lost-half", 1, size=400_000)[0]
    offers = pdus.offers_for([thing.pair])
    idle = Association(port, offers, calling="IDLE", host=NEAR)
    half = Association(port, offers, calling="HALF", host=NEAR)
    whole = pdus.message_pdus(1, pdus.store_rq(thing.sop_class, thing.sop_instance, 1), thing.data, half.pdu_size)
    half.sock.sendall(b"".join(whole)[:200_000])
    deaf = Deaf(port, "DEAF", host=NEAR)
    deaf.fill()
    print("ready", flush=True)
    signal.pause()
    del idle, deaf


def walk(folder: Path, count: int) -> dict[str, Any]:
    """Acked, stored, lost and errors of a near sender while the far side is cut off; associations of the far senders that are left."""
    ip("link", "set", "lo", "up")
    port, far_port = free_ports(2)
    far, near = FarHolder(folder, far_port), Member(Behaviour(keep=False))
    pool = {"far": f"STORE@{FAR}:{far_port}", "near": f"STORE@127.0.0.1:{near.port}"}
    document = pacs(port, {"archive": pool}, pool="balance: failover", check=CHECK).replace(f"127.0.0.1:{port}", f"0.0.0.0:{port}")
    g = Gurney(folder, document)
    senders: Child | None = None
    try:
        assert send(port, objects.study("lost-warm", 1)).acked
        argv = ["nsenter", f"--net=/proc/{far.child.pid}/ns/net", sys.executable, "-m", "tests.live.harness.lost", "speak", str(port)]
        senders = Child(argv, folder, "senders")
        log = senders.log
        until(lambda: "ready" in log.read_text(), 20, "the far senders have begun")
        things = objects.study("lost", count, size=300_000)
        out: list[Outcome] = []
        heard = threading.Semaphore(0)
        sending = threading.Thread(target=lambda: out.append(send(port, things, after=lambda *_: heard.release(), timeout=60)))
        sending.start()
        for _ in range(3):
            heard.acquire(timeout=20)
        begun = status(g)["associations"]
        far.silence()
        sending.join(100)
        word = g.members("archive")["far"]["operational"]
        until(lambda: status(g)["associations"] == 0, 60, "the far senders are found")
        half = objects.study("lost-half", 1)[0].sop_instance  # begun at a member and ended there: what counts is whether one has it
        result = out[0]
        counts = tally(things, result.acked, [far, near])
        return {
            **{word: counts[word] for word in ("acked", "stored", "lost", "twice")},
            "sender_errors": len(result.errors) + len(result.rejects) + len(result.refused),
            "ambiguous": counted(g.counters(), "ambiguous_total"),
            "far": word,
            "far_associations": begun - 1,
            "partial_objects": (half in near.stored()) + (half in far.stored()),
            "sessions": status(g)["associations"],
        }
    finally:
        g.close()
        if senders is not None:
            senders.kill()
        far.child.kill()
        near.close()


def status(g: Gurney) -> dict[str, Any]:
    """The service's part of the route process's status."""
    return dict(g.route("status")["services"]["store"])


if __name__ == "__main__":
    if sys.argv[1] == "speak":
        speak(int(sys.argv[2]))
    else:
        print(json.dumps(walk(Path(sys.argv[1]), int(sys.argv[2]))), flush=True)
