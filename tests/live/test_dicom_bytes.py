"""What is read while bytes go through unchanged: samples, cuts anywhere, objects without or with a strange Study UID (§12: 21 to 23)."""

from __future__ import annotations

import random
import warnings
from typing import Any

import pytest

from tests.live.conftest import Room
from tests.live.harness import objects, pdus
from tests.live.harness.account import tally
from tests.live.harness.counts import CHAOS, count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.gurney import Gurney
from tests.live.harness.objects import Thing
from tests.live.harness.sender import Association, send

DIRECTORY = "1.2.840.10008.1.3.10"


def samples() -> list[tuple[Thing, str | None]]:
    """Every sample with a SOP class and a transfer syntax, under a SOP Instance UID of its own, with pydicom's top-level Study UID."""
    import pydicom

    rng = random.Random(21)
    out: list[tuple[Thing, str | None]] = []
    for path in objects.sample_files():
        meta, data = objects.split_part10(path.read_bytes())
        cls, transfer = (meta.get(n, b"").decode("latin-1").rstrip("\0 ") for n in (0x02, 0x10))
        if not cls or not transfer or cls == DIRECTORY or not data:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ds = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
                study = str(ds.get("StudyInstanceUID", "") or "") or None
            except Exception:  # a sample that pydicom cannot read has no oracle
                continue
        out.append((objects.made(cls, objects.uid(rng), study or "", transfer, data, path.name), study))
    return out


def batches(things: list[Thing], pairs: int = 100) -> list[list[Thing]]:
    """Shares whose presentation contexts fit one association."""
    out: list[list[Thing]] = [[]]
    for t in things:
        if len({x.pair for x in out[-1]} | {t.pair}) > pairs:
            out.append([])
        out[-1].append(t)
    return out


def pinned(g: Gurney, t: Thing, **facts: str) -> Any:
    told = g.route(
        "explain", service="store", facts={"sop_class": t.sop_class, "transfer_syntax": t.transfer, "calling_ae": "SENDER", **facts}
    )
    return told["explanation"]["pin"]


@pytest.mark.timeout(600 if CHAOS else 120)
def test_dicom_21_every_sample_in_its_transfer_syntax(room: Room) -> None:
    """The key is pydicom's top-level Study UID (its pin is where the object lies), and no byte of the data set changes."""
    members = {n: room.archive(n) for n in ("a", "b", "c")}
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}))
    all_samples = samples()
    acked: set[str] = set()
    for share in batches([t for t, _ in all_samples]):
        out = send(port, share)
        assert (out.errors, out.rejects) == ([], [])
        acked |= out.acked
    disks = {n: m.stored() for n, m in members.items()}
    changed = with_study = 0
    elsewhere: list[str] = []
    for t, study in all_samples:
        holders = [n for n, d in disks.items() if t.sop_instance in d]
        changed += any(disks[n][t.sop_instance] != t.sha for n in holders)
        if study is not None and holders:
            with_study += 1
            if [pinned(g, t, study_uid=study)] != holders:
                elsewhere.append(t.name)
    # "pydicom's value, or unreadable; never another value": what could not be read is kept together under its sender's title
    unreadable = g.route("status")["services"]["store"]["unreadable"]
    wrong = len(elsewhere) - unreadable
    print("not under their Study UID:", elsewhere, "unreadable:", unreadable)
    figures = {"wrong_key": wrong, "bytes_changed": changed}
    say("dicom-21", samples=len(all_samples), acked=len(acked), with_study=with_study, unreadable=unreadable, **figures)
    assert figures == {"wrong_key": 0, "bytes_changed": 0}
    assert len(acked) == len(all_samples) >= 150


def heavy_head(i: int) -> Thing:
    """A head of about 4 KiB before the Study UID, with nested foreign Study UIDs, the deciding private element at its end."""
    rng = random.Random(i)
    nested = objects.element(0x0020000D, b"UI", "2.25.1")
    items = b"\xfe\xff\x00\xe0" + len(nested).to_bytes(4, "little") + nested
    more: list[tuple[int, bytes, bytes | str]] = [
        (0x00081140, b"SQ", items),
        (0x00190010, b"LO", "ACME"),
        (0x00191010, b"LO", "R2"),
        (0x00191020, b"UN", rng.randbytes(3400)),
    ]
    return objects.thing(objects.uid(rng), objects.uid(rng), size=5000, more=more)


def cuts(t: Thing, context: int, message: int, at_byte: int) -> list[tuple[str, list[bytes]]]:
    """The same object cut at one byte in three ways: (name, what each send carries)."""
    command = pdus.store_rq(t.sop_class, t.sop_instance, message)
    head, tail = t.data[:at_byte], t.data[at_byte:]
    first = pdus.pdata(pdus.pdv(context, 3, command))
    whole = pdus.pdata(pdus.pdv(context, 2, t.data))
    return [
        ("pdv", [first + pdus.pdata(pdus.pdv(context, 0, head), pdus.pdv(context, 2, tail))]),
        ("pdu", [first + pdus.pdata(pdus.pdv(context, 0, head)) + pdus.pdata(pdus.pdv(context, 2, tail))]),
        ("segment", [first + whole[: 12 + at_byte], whole[12 + at_byte :]]),
    ]


@pytest.mark.timeout(1800 if CHAOS else 120)
def test_dicom_22_cut_at_every_byte(room: Room) -> None:
    """A 4 KiB head cut at every byte into PDVs, PDUs and segments; 2-byte PDVs; command and data in one PDU: one decision, same bytes."""
    right, other = room.member(max_length=131072), room.member(max_length=131072)
    port = room.port()
    rules = ['{match: {"tag(0019,xx10,ACME)": "R*", station: STATION1}, pool: right}', "{pool: other}"]
    room.gurney(pacs(port, {"right": {"m": at(right.port)}, "other": {"m": at(other.port)}}, rules=rules))
    t = heavy_head(22)
    a = Association(port, pdus.offers_for([t.pair]))
    context = a.accepted[t.pair]
    statuses = []
    for at_byte in range(1, 4200, count(4, 1)):
        for which in range(3):
            a.message += 1
            for piece in cuts(t, context, a.message, at_byte)[which][1]:
                a.sock.sendall(piece)
            statuses.append(a.status())
    for shape in ("two-byte", "one-pdu"):
        a.message += 1
        command = pdus.store_rq(t.sop_class, t.sop_instance, a.message)
        last = len(t.data) - 2
        small = [pdus.pdv(context, 2 if i == last else 0, t.data[i : i + 2]) for i in range(0, len(t.data), 2)]
        if shape == "two-byte":
            a.sock.sendall(
                pdus.pdata(pdus.pdv(context, 3, command)) + b"".join(pdus.pdata(*small[i : i + 500]) for i in range(0, len(small), 500))
            )
        else:
            a.sock.sendall(pdus.pdata(pdus.pdv(context, 3, command), pdus.pdv(context, 2, t.data)))
        statuses.append(a.status())
    a.release()
    shas = [e["sha"] for e in right.of("stored") + other.of("stored")]
    figures = {"decisions": bool(right.of("stored")) + bool(other.of("stored")), "bytes_changed": sum(s != t.sha for s in shas)}
    say("dicom-22", objects=len(statuses), stored=len(shas), refused=sum(s != 0 for s in statuses), **figures)
    assert figures == {"decisions": 1, "bytes_changed": 0}
    assert (len(shas), set(statuses), bool(right.of("stored"))) == (len(statuses), {0}, True)


def strange() -> list[tuple[str, Thing, dict[str, str] | None]]:
    """(name, object, the facts under which its key is pinned; None where it is the calling AE's)."""
    rng = random.Random(23)

    def make(**kwargs: Any) -> Thing:
        return objects.thing(objects.uid(rng), objects.uid(rng), size=3000, **kwargs)

    long, illegal = "2." + "7" * 63, "not-a-uid!"
    late = make()
    unordered = late.data.replace(objects.element(0x00080060, b"CS", "CT"), b"", 1) + objects.element(0x00080060, b"CS", "CT")
    broken = make()
    at_study = broken.data.index(b"\x20\x00\x0d\x00UI")
    unreadable = broken.data[: at_study + 4] + b"\x01\x02" + broken.data[at_study + 6 :]

    def again(t: Thing, data: bytes) -> Thing:
        return objects.made(t.sop_class, t.sop_instance, t.study, t.transfer, data)

    return [
        ("absent", make(without=[0x0020000D]), {}),
        ("empty", make(more=[(0x0020000D, b"UI", "")]), {}),
        ("65 characters", make(more=[(0x0020000D, b"UI", long)]), {"study_uid": long}),
        ("illegal", make(more=[(0x0020000D, b"UI", illegal)]), {"study_uid": illegal}),
        ("unordered", again(late, unordered), {"study_uid": late.study}),
        ("unreadable", again(broken, unreadable), None),
    ]


def test_dicom_23_a_study_uid_that_is_not_there_or_strange(room: Room) -> None:
    """§3's table: the object goes on unchanged, and what it belongs with is what the table says."""
    members = {n: room.archive(n) for n in ("a", "b", "c")}
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {n: at(m.port) for n, m in members.items()}}))
    deviations = aborts = 0
    cases = strange()
    for name, t, facts in cases:
        out = send(port, [t])
        aborts += len(out.errors) + len(out.rejects)
        holders = [n for n, m in members.items() if m.stored().get(t.sop_instance) == t.sha]
        good = len(out.acked) == 1 and len(holders) == 1
        if facts is not None:
            good = good and [pinned(g, t, **facts)] == holders
        if not good:
            print(f"deviation: {name}: acked {len(out.acked)}, on {holders}, pin {pinned(g, t, **(facts or {}))}")
        deviations += not good
    conditions = {c["code"] for c in g.route("status")["conditions"]}
    counts = tally([t for _, t, _ in cases], [t.sop_instance for _, t, _ in cases], list(members.values()))
    say("dicom-23", cases=len(cases), deviations=deviations, aborts=aborts, bytes_changed=counts["changed"])
    assert (deviations, aborts, counts["changed"]) == (0, 0, 0)
    assert "unreadable_objects" in conditions


# (name, objects, the pool all of them go to, the facts under which they are pinned to one member of it; None where that is not asked)
Case = tuple[str, list[Thing], str, dict[str, str] | None]


def incomplete(rng: random.Random) -> list[Case]:
    """The rows of §3's table of what is missing, by the rules of the test below."""

    def make(**kwargs: Any) -> Thing:
        return objects.thing(objects.uid(rng), objects.uid(rng), size=3000, **kwargs)

    broken = make()
    at_study = broken.data.index(b"\x20\x00\x0d\x00UI")
    bad = broken.data[: at_study + 4] + b"\x01\x02" + broken.data[at_study + 6 :]
    unreadable = objects.made(broken.sop_class, broken.sop_instance, broken.study, broken.transfer, bad)
    nobody, same = make(without=[0x00100020]), [make(more=[(0x00100020, b"LO", "P77")]) for _ in range(6)]
    return [
        ("fact there", [make(more=[(0x00080050, b"SH", "ER1")])], "emergency", None),
        ("fact missing", [make(without=[0x00080050])], "readable", None),
        ("facts of two rules missing", [make(without=[0x00080050, 0x00080060])], "last", None),
        ("one patient, six studies", same, "readable", {"patient_id": "P77"}),
        ("no patient", [nobody], "readable", {"study_uid": nobody.study}),
        ("no patient, no study", [make(without=[0x00100020, 0x0020000D])], "readable", {}),
        ("unreadable", [unreadable], "last", None),
    ]


def test_dicom_23_a_fact_that_is_missing(room: Room) -> None:
    """§3's other rows: a rule's fact, `patient_id` under `patient`, both UIDs missing, unreadable, a pair its pool does not take."""
    ways: dict[str, dict[str, Any]] = {"emergency": {}, "readable": {}, "last": {}, "ct": {"pairs": [[objects.CT, pdus.EXPLICIT_LE]]}}
    members = {(pool, n): room.member(**how) for pool, how in ways.items() for n in "ab"}
    port, rng = room.port(), random.Random(232)
    rules = ["{match: {accession: 'ER*'}, pool: emergency}", "{match: {station: CTONLY}, pool: ct}"]
    rules += ["{match: {calling_ae: '*', modality: '*'}, pool: readable}", "{pool: last}"]
    pools = {pool: {n: at(members[pool, n].port) for n in "ab"} for pool in ways}
    g = room.gurney(pacs(port, pools, rules=rules, pool="balance: patient"))
    cases = incomplete(rng)
    deviations = 0
    for name, things, pool, facts in cases:
        out = send(port, things)
        holders = {where for where, m in members.items() for t in things if m.stored().get(t.sop_instance) == t.sha}
        good = len(out.acked) == len(things) and len(holders) == 1 and {p for p, _ in holders} == {pool}
        if facts is not None:
            good = good and {(pool, pinned(g, things[0], modality="CT", **facts))} == holders
        if not good:
            print(f"deviation: {name}: {out.statuses}, on {holders}")
        deviations += not good
    refused = objects.thing("2.25.231", "2.25.232", modality="MR", size=3000, more=[(0x00081010, b"SH", "CTONLY")])
    out = send(port, [refused])
    taken = sum(refused.sop_instance in m.stored() for m in members.values())
    status, comment = out.statuses.get(refused.sop_instance), out.comments.get(refused.sop_instance, "")
    if (status, taken) != (0x0122, 0) or "pool ct" not in comment:
        print(f"deviation: a pair its pool does not take: {status} {comment!r}, on {taken}")
        deviations += 1
    say("dicom-23", cases=len(cases) + 1, deviations=deviations, aborts=len(out.errors))
    assert (deviations, out.errors) == (0, [])
