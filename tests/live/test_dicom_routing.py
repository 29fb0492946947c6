"""Where objects go: studies stay together, rules decide by facts, what is explained is what happens (dicom.md §12: 17 to 20)."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.live.conftest import Room
from tests.live.harness import dcmtk, objects
from tests.live.harness.account import tally
from tests.live.harness.counts import CHAOS, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.objects import Thing
from tests.live.harness.sender import Outcome, send
from tests.live.harness.wait import until


def faults(out: Outcome) -> int:
    return len(out.errors) + len(out.rejects) + len(out.refused)


@pytest.mark.timeout(900 if CHAOS else 120)
def test_dicom_17_studies_mixed_over_associations(room: Room) -> None:
    """20 studies × 50 mixed over 8 associations, three unlike archives: DCMTK, Orthanc, pynetdicom."""
    scp, orthanc, pynet = room.storescp(fork=True), room.orthanc(), room.pynetdicom("pynet", "PYNET")
    port = room.port()
    members = {"scp": at(scp.port), "orthanc": at(orthanc.port, "ORTHANC"), "pynet": at(pynet.port, "PYNET")}
    room.gurney(pacs(port, {"archive": members}, check="{kind: dicom-echo, interval: 1s, timeout: 3s, rise: 1, fall: 3}"))
    studies = [objects.study(f"17-{i}", 50, size=20_000) for i in range(count(20, 200))]
    things = [t for group in zip(*studies, strict=True) for t in group]
    random.Random(17).shuffle(things)
    out = send(port, things, associations=8)
    counts = tally(things, out.acked, [scp, orthanc, pynet])
    figures = {"stored": counts["stored"], "split": counts["split"], "mismatched": counts["changed"]}
    used = sum(bool(m.stored()) for m in (scp, orthanc, pynet))
    say("dicom-17", **figures, acked=counts["acked"], lost=counts["lost"], members_used=used, sender_errors=faults(out))
    assert figures == {"stored": len(things), "split": 0, "mismatched": 0}
    assert (counts["acked"], counts["lost"], faults(out), used) == (len(things), 0, 0, 3)


def test_dicom_17_senders_that_others_wrote(room: Room) -> None:
    """Orthanc, dcmsend and storescu send studies of their own side by side to a single-process storescp as shipped and an archive."""
    scp, raw = room.storescp("plain", fork=False), room.archive("raw")
    port = room.port()
    orthanc = room.orthanc({"gurney": ["PACS", "127.0.0.1", port]})
    room.gurney(pacs(port, {"archive": {"plain": at(scp.port), "raw": at(raw.port)}}))
    mine = [objects.study(f"17-{who}", 30, size=40_000) for who in ("orthanc", "dcmsend", "storescu")]
    ids = [orthanc.upload(objects.part10(t)) for t in mine[0]]
    files = [objects.write_files(things, room.folder / f"f{i}") for i, things in enumerate(mine[1:])]
    answers: dict[str, int] = {}

    def by_orthanc() -> None:
        answers["orthanc"] = 30 - orthanc.send("gurney", ids)["FailedInstancesCount"]

    work = [
        by_orthanc,
        lambda: answers.update(dcmsend=dcmtk.dcmsend(port, files[0]).acked),
        lambda: answers.update(storescu=dcmtk.storescu(port, files[1]).acked),
    ]
    threads = [threading.Thread(target=w) for w in work]
    for t in threads:
        t.start()
    for t in threads:
        t.join(100)
    things = [t for group in mine for t in group]
    counts = tally(things, [t.sop_instance for t in things], [scp, raw])
    say(
        "dicom-17",
        senders="orthanc,dcmsend,storescu",
        acked=sum(answers.values()),
        stored=counts["stored"],
        split=counts["split"],
        lost=counts["lost"],
    )
    assert (answers, counts["stored"], counts["split"]) == ({"orthanc": 30, "dcmsend": 30, "storescu": 30}, 90, 0)


def test_dicom_18_one_study_over_four_associations(room: Room) -> None:
    """One member, and the same one after the route process was killed."""
    members = {n: room.archive(n) for n in ("a", "b", "c")}
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}))
    rounds = count(3, 20)
    same = errors = 0
    most = 0
    for i in range(rounds):
        things = objects.study(f"18-{i}", 40, size=30_000)
        first = send(port, things[:20], associations=4)
        holders = {n for n, m in members.items() if m.stored().keys() & first.acked}
        g.until_written()
        pid = g.route_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: g.answers() and g.route_pid() != pid, 20, "another route process serves")  # type: ignore[misc]
        again = send(port, things[20:], associations=4)
        after = {n for n, m in members.items() if m.stored().keys() & again.acked}
        same += holders == after
        most = max(most, len(holders | after))
        errors += faults(first) + faults(again)
    say("dicom-18", studies=rounds, members=most, same_after_restart=same, sender_errors=errors)
    assert (most, same, errors) == (1, rounds, 0)


def test_dicom_19_a_fourth_member_under_load(room: Room) -> None:
    """No study that has begun moves."""
    members = {n: room.archive(n) for n in ("a", "b", "c", "d")}
    port = room.port()
    three = {n: at(members[n].port) for n in "abc"}
    g = room.gurney(pacs(port, {"archive": three}))
    begun = [objects.study(f"19-{i}", count(40, 100), size=20_000) for i in range(24)]
    first = send(port, [s[0] for s in begun])
    rest = [t for group in zip(*(s[1:] for s in begun), strict=True) for t in group]
    half_way, applied = threading.Event(), threading.Event()
    seen: list[Thing] = []
    out: list[Outcome] = []

    def after(t: Thing, status: int) -> None:
        seen.append(t)
        if len(seen) == len(rest) // 3:
            half_way.set()
            applied.wait(60)

    load = threading.Thread(target=lambda: out.append(send(port, rest, associations=4, after=after)))
    load.start()
    half_way.wait(60)
    done = g.apply(pacs(port, {"archive": {**three, "d": at(members["d"].port)}}))
    applied.set()
    load.join(100)
    fresh = objects.study("19-new", 1)[:0] + [objects.study(f"19-new-{i}", 1)[0] for i in range(60)]
    new = send(port, fresh, associations=2)
    counts = tally(rest + [s[0] for s in begun], first.acked | out[0].acked, list(members.values()))
    took = len(members["d"].stored())
    say("dicom-19", studies=len(begun), moved=counts["split"], errors=faults(out[0]) + faults(new), new_on_fourth=took)
    assert done.returncode == 0, done.stderr
    assert (counts["split"], counts["lost"], faults(out[0]) + faults(new), took > 0) == (0, 0, 0, True)


RULES: tuple[tuple[str, dict[str, list[str]]], ...] = (
    ("breast", {"modality": ["MG"]}),
    ("emergency", {"station": ["ER*"], "modality": ["CT", "MR"]}),
    ("by-caller", {"calling_ae": ["MR1"]}),
    ("research", {"called_ae": ["RESEARCH"]}),
    ("angio", {"accession": ["XA*"]}),
    ("private", {"tag(0019,xx10,ACME)": ["R*"]}),
    ("ultrasound", {"sop_class": [objects.US]}),
    ("never", {"modality": ["MG"], "station": ["ER1"]}),
)


def expected(facts: Mapping[str, str]) -> str:
    """The pool by this test's own reading of RULES."""
    for pool, match in RULES:
        if all(f in facts and any(fnmatchcase(facts[f], g) for g in globs) for f, globs in match.items()):
            return pool
    return "rest"


def written(match: dict[str, list[str]]) -> str:
    inner = ", ".join(f'"{f}": [{", ".join(repr(g) for g in globs)}]' for f, globs in match.items())
    return "{" + inner + "}"


def test_dicom_20_rules_decide_and_explain_says_the_same(room: Room) -> None:
    """Modality, station, AE titles, accession prefix, private tag, SOP class, first match, default."""
    members = {pool: room.member(keep=False) for pool in [*(p for p, _ in RULES), "rest"]}
    port = room.port()
    rules = [f"{{match: {written(match)}, pool: {pool}}}" for pool, match in RULES] + ["{pool: rest}"]
    g = room.gurney(pacs(port, {pool: {"m": at(m.port)} for pool, m in members.items()}, rules=rules))
    rng = random.Random(20)
    differs = wrong = total = 0
    for calling in ("CT1", "MR1"):
        for called in ("PACS", "RESEARCH"):
            batch = [_random_object(rng) for _ in range(count(40, 400))]
            out = send(port, [t for t, _ in batch], calling=calling, called=called)
            assert faults(out) == 0, out
            for t, facts in batch:
                facts = {**facts, "calling_ae": calling, "called_ae": called}
                told: dict[str, Any] = g.route("explain", service="store", facts={**facts, "study_uid": t.study})["explanation"]
                went = [pool for pool, m in members.items() if t.sop_instance in m.stored()]
                differs += went != [told["pool"]] or told["chosen"] != "m"
                wrong += went != [expected(facts)]
                total += 1
    used = sum(bool(m.stored()) for m in members.values())
    say("dicom-20", objects=total, explain_differs=differs, wrong=wrong, pools_used=used)
    assert (differs, wrong, used) == (0, 0, len(members) - 1)  # "never" stands behind a rule that takes all it would


def _random_object(rng: random.Random) -> tuple[Thing, dict[str, str]]:
    modality = rng.choice(["CT", "MR", "MG", "US", "OT"])
    station, accession = rng.choice(["ER1", "ER2", "CTROOM"]), rng.choice(["XA1", "A1"])
    more: list[tuple[int, bytes, bytes | str]] = [(0x00081010, b"SH", station), (0x00080050, b"SH", accession)]
    facts = {"modality": modality, "station": station, "accession": accession, "sop_class": objects.SOP_CLASS[modality]}
    if rng.random() < 0.5:
        block, creator, value = rng.choice([(0x10, "ACME", "R2"), (0x22, "ACME", "R9"), (0x10, "OTHER", "R2"), (0x10, "ACME", "Q1")])
        more += [(0x00190000 | block, b"LO", creator), (0x00190010 | block << 8, b"LO", value)]
        facts[f"tag(0019,xx10,{creator})"] = value
    t = objects.thing(objects.uid(rng), objects.uid(rng), modality=modality, size=3000, more=more)
    return t, {**facts, "transfer_syntax": t.transfer}
