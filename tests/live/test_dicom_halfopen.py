"""Peers that are there and say nothing: packets dropped, a real receiver stopped (dicom.md §12: 10; reliability.md H1)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.live.conftest import PEERS, Room, needs, unproven
from tests.live.harness import objects
from tests.live.harness.account import counted, tally
from tests.live.harness.counts import CHAOS, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.processes import environment
from tests.live.harness.sender import Outcome, send
from tests.live.harness.wait import until


@pytest.mark.timeout(300)
def test_dicom_10_every_packet_is_dropped(folder: Path) -> None:
    """The far member in the middle of an object, far senders idle, half said and deaf: all are noticed, nothing is lost or partial."""
    needs("unshare", "nsenter", "ip")
    if os.geteuid() != 0:
        unproven("network namespaces need root")
    objects_sent = count(12, 200, 60)
    argv = [
        str(shutil.which("unshare", path=PEERS)),
        "--net",
        sys.executable,
        "-m",
        "tests.live.harness.lost",
        str(folder),
        str(objects_sent),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=240, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    say("dicom-10", half_open="packets", **figures)
    zeros = {word: figures[word] for word in ("lost", "sender_errors", "partial_objects", "sessions")}
    assert zeros == {"lost": 0, "sender_errors": 0, "partial_objects": 0, "sessions": 0}
    assert (figures["acked"], figures["stored"], figures["far_associations"]) == (objects_sent, objects_sent, 3)
    assert figures["far"] == "down" and figures["twice"] <= figures["ambiguous"] <= 1


@pytest.mark.timeout(900 if CHAOS else 120)
def test_dicom_10_a_receiver_is_stopped(room: Room) -> None:
    """SIGSTOP of the storescp in use (and its children): its checks say so, the rest goes to the other one; then it goes on."""
    scps = {name: room.storescp(name) for name in ("one", "two")}
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {name: at(scp.port) for name, scp in scps.items()}}, pool="balance: failover"))
    totals = dict.fromkeys(("acked", "stored", "lost", "twice", "sender_errors"), 0)
    runs, each = count(1, 20, 4), count(30, 200, 100)
    for run in range(runs):
        things = objects.study(f"10-{run}", each, size=200_000)
        out: list[Outcome] = []
        heard = threading.Semaphore(0)

        def sent(things: list[objects.Thing] = things, out: list[Outcome] = out, heard: threading.Semaphore = heard) -> None:
            out.append(send(port, things, after=lambda *_: heard.release(), timeout=60))

        sending = threading.Thread(target=sent)
        sending.start()
        for _ in range(3 + 7 * run % (each - 5)):
            heard.acquire(timeout=20)
        scps["one"].child.signal(signal.SIGSTOP)
        g.until_members("archive", lambda ms: ms["one"]["operational"] == "down", 20)
        sending.join(60)
        scps["one"].child.signal(signal.SIGCONT)
        g.until_members("archive", lambda ms: ms["one"]["operational"] == "up", 20)
        until(lambda: out, 60, "the sender has ended")  # noqa: B023
        counts = tally(things, out[0].acked, list(scps.values()), crashed=True)
        for word in ("acked", "stored", "lost", "twice"):
            totals[word] += counts[word]
        totals["sender_errors"] += len(out[0].errors) + len(out[0].rejects) + len(out[0].refused)
    ambiguous = counted(g.counters(), "ambiguous_total")
    say("dicom-10", half_open="stopped", runs=runs, **totals, ambiguous=ambiguous)
    assert totals == {"acked": runs * each, "stored": runs * each, "lost": 0, "twice": totals["twice"], "sender_errors": 0}
    assert totals["twice"] <= ambiguous <= runs
