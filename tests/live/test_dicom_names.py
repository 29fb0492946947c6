"""Hostile UIDs, AE titles and patient ids become no file, no line and no colour (dicom.md §8 list 5, §12: 39; reliability.md H6)."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.live.conftest import Room
from tests.live.harness import hostile, objects, pdus
from tests.live.harness.counts import count, say
from tests.live.harness.document import CHECK, at, pacs
from tests.live.harness.gurney import Gurney
from tests.live.harness.outside import Watch
from tests.live.harness.processes import environment
from tests.live.harness.rogue import Heard, Plan, Rogue
from tests.wire.malformed import names
from tests.wire.malformed.commands import element, whole

MARK = names.MARK.decode()
OURS = r"route\.log(\.\d)?|record\.(db|db-wal|db-shm|db-journal|mark)|\.record\.mark\.new"
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")  # tab and newline may stand
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")  # what our own tables on a terminal are made of


def rejects_with(comment: bytes) -> Any:
    """A C-STORE-RSP A900 whose error comment (0000,0902) is the hostile text."""

    def say_it(heard: Heard) -> bytes:
        answer = pdus.response(pdus.parse_command(heard.command), 0xA900)[12:]
        return pdus.pdata(pdus.pdv(heard.context, 3, whole(answer + element(0x902, comment[:64]))))

    return say_it


def stored(port: int, name: bytes, number: int) -> int | str:
    """A C-STORE whose SOP Instance UID, Study UID, Series UID, accession, patient and station are all `name`."""
    text = name.decode("latin-1")
    thing = objects.thing("", "", more=[(tag, vr, text[:65_000]) for tag, vr in VALUES], size=1000)
    values = objects.pdus.store_rq(objects.CT, text, number % 60_000 + 1)
    return hostile.asked(port, values, thing.data, pdus.offers_for([thing.pair]), context=1)


VALUES = ((0x00080018, b"UI"), (0x0020000D, b"UI"), (0x0020000E, b"UI"), (0x00080050, b"SH"), (0x00100020, b"LO"), (0x00081010, b"SH"))


def terminal(g: Gurney, *words: str) -> bytes:
    """What a verb writes to a terminal."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "gurney", *words, "--state", str(g.state)]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment(TERM="xterm"))
    os.close(theirs)
    out = b""
    try:
        while piece := os.read(ours, 65536):
            out += piece
    except OSError:
        pass  # EIO: the other end is closed
    finally:
        os.close(ours)
        child.wait(60)
    return COLOUR.sub(b"", out.replace(b"\r\n", b"\n"))


def controls(value: Any) -> int:
    """Control characters in every text of a JSON value, keys included."""
    if isinstance(value, str):
        return sum(not c.isprintable() for c in value)
    if isinstance(value, dict):
        return sum(controls(k) + controls(v) for k, v in value.items())
    return sum(map(controls, value)) if isinstance(value, list) else 0


def shown(g: Gurney, texts: list[bytes]) -> int:
    """Control bytes in what status and explain say on a terminal, as tables and as JSON."""
    bad = 0
    argvs = [("status",), ("status", "--json")]
    for text in texts:
        word = os.fsdecode(text.replace(b"\0", b"?"))
        facts = [f"{fact}={word}" for fact in ("calling_ae", "study_uid", "patient_id", "station")]
        argvs += [("explain", "pacs/store", *facts), ("explain", "pacs/store", *facts, "--json")]
    for argv in argvs:
        out = terminal(g, *argv)
        found = len(CONTROL.findall(out)) + (controls(json.loads(out)) if argv == ("status", "--json") else 0)
        if found:
            print(f"control bytes: {argv} {out[:300]!r}")
        bad += found
    return bad


def test_dicom_39_hostile_names_become_no_file_no_line_and_no_colour(room: Room) -> None:
    """As AE titles of both kinds, as every UID and id of an object, as a member's comment: one log line each, escaped, and nothing else."""
    member, rogue = room.member(), room.keep(Rogue())
    port, strict, refusing = room.port(), room.port(), room.port()
    more = f"strict: {{protocol: dicom, listen: 127.0.0.1:{strict}, accept_from: [GOOD@127.0.0.0/8], rules: [{{pool: archive}}]}}\n"
    more += f"refusing: {{protocol: dicom, listen: 127.0.0.1:{refusing}, rules: [{{pool: no}}]}}"
    pools = {"archive": {"m": at(member.port)}, "no": {"rogue": at(rogue.port)}}
    g = room.gurney(pacs(port, pools, rules=["{pool: archive}"], more=more, check=CHECK.replace("500ms", "1s")))
    places = [Path(one) for one in ("/", "/tmp", "/etc", "/root", "/var/tmp", os.getcwd(), str(room.folder)) if os.access(one, os.R_OK)]
    watch = room.keep(Watch(g.state, places, MARK))
    log = g.state / "apps" / "pacs" / "route.log"
    titles, texts = names.names(count(100, 2000, 500), 16), names.names(count(100, 2000, 500))
    said: dict[str, int] = {}
    for title in titles:
        for what in (hostile.kind_of(strict, hostile.titled(b"GOOD", title)), hostile.kind_of(port, hostile.titled(title, title))):
            said[what] = said.get(what, 0) + 1
    for number, text in enumerate(texts):
        rogue.plan = Plan("answer", rejects_with(text))
        for service in (port, refusing):
            what = str(stored(service, text, number))
            said[what] = said.get(what, 0) + 1
        watch.look()
    rogue.plan = None
    bad = shown(g, [b"\x1b[2J\r\n\x07" + names.MARK + b"\xc2\x9b2J\xff", *texts[40 : count(40, 60, 45)]])
    raw = log.read_bytes()
    lines = [json.loads(line) for line in raw.splitlines()]
    events = [line["event"] for line in lines]
    bad += len(CONTROL.findall(raw)) + sum(map(controls, lines))
    rejected = [line for line in lines if line["event"] == "association.rejected" and line["service"] == "strict"]
    refused, cut = events.count("object.refused"), events.count("peer.malformed")
    outside = watch.outside(OURS)
    named = sum(MARK in json.dumps(one) for one in (g.route("status"), g.status()))
    figures = {"files_outside": len(outside), "control_bytes": bad, "in_status": named, "failed": sum(".failed" in e for e in events)}
    say("dicom-39", names=len(titles) + len(texts), rejected=len(rejected), refused=refused, aborted=said.get("abort", 0), **figures)
    print(said, sorted(outside)[:10])
    assert figures == {"files_outside": 0, "control_bytes": 0, "in_status": 0, "failed": 0}
    assert len(rejected) == len(titles)  # one line each
    assert (refused, cut) == (said["43264"], said["abort"])
    assert said["0"] + said["43264"] + said["abort"] == 2 * len(texts)
