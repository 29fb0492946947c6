"""How members are judged: their statuses, their caps, their checks (dicom.md §12: 7, 8, 36)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.live.conftest import Room, needs
from tests.live.harness import dcmtk, objects
from tests.live.harness.account import tally
from tests.live.harness.counts import count, say
from tests.live.harness.document import at, pacs
from tests.live.harness.sender import echo, send

# status of the member -> (what the sender hears, attempts on the first member, on the other one)
STATUSES: dict[int, tuple[int, int, int]] = {
    0x0000: (0x0000, 1, 0),
    0xB000: (0xB000, 1, 0),
    0xB006: (0xB006, 1, 0),
    0xB007: (0xB007, 1, 0),
    0xA700: (0x0000, 1, 1),
    0xA900: (0xA900, 1, 0),
    0xC000: (0xC000, 1, 0),
    0x0110: (0x0000, 2, 1),
    0x0111: (0x0111, 1, 0),
    0x0122: (0x0000, 1, 1),
    0x0124: (0x0124, 1, 0),
    0x0210: (0x0210, 1, 0),
}


def test_dicom_07_every_row_of_the_status_table(room: Room) -> None:
    """`failover` puts the scripted member first; each status has its object, its repin, its attempts and what the sender hears."""
    pairs = {status: (room.member(statuses={"*": status}), room.member()) for status in STATUSES}
    pools = {f"p{status:04x}": {"bad": at(bad.port), "good": at(good.port)} for status, (bad, good) in pairs.items()}
    rules = [f"{{match: {{station: p{status:04x}}}, pool: p{status:04x}}}" for status in STATUSES] + ["{pool: p0000}"]
    port = room.port()
    g = room.gurney(pacs(port, pools, rules=rules, pool="balance: failover"))
    deviations: list[str] = []
    for status, (heard, first, other) in STATUSES.items():
        bad, good = pairs[status]
        t = objects.study(f"07-{status}", 1, size=40_000, more=[(0x00081010, b"SH", f"p{status:04x}")])[0]
        out = send(port, [t])
        got = (out.statuses.get(t.sop_instance), bad.objects, good.objects)
        if got != (heard, first, other):
            deviations.append(f"{status:04X}: heard, attempts, attempts {got} instead of {(heard, first, other)}; {out.errors}")
    shown = g.route("status")
    warnings = shown["services"]["store"]["outcomes"].get("warning", 0)
    moved = {cell["labels"]["pool"]: cell["value"] for cell in shown["counters"].get("gurney_dicom_repins_total", [])}
    for d in deviations:
        print(d)
    say("dicom-07", rows=len(STATUSES), deviations=len(deviations), repinned=sum(moved.values()), warnings=warnings)
    assert (deviations, moved, warnings) == ([], {"pa700": 1}, 3)


@pytest.mark.parametrize("over", ["reject", "ignore"])
def test_dicom_08_a_member_that_takes_one_association(room: Room, over: str) -> None:
    """Eight senders, one slot: refused with 2/3/2 or left waiting without an answer, it is full, never down."""
    member = room.member(max_associations=1, over=over)
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {"m": at(member.port)}}))
    things = [t for i in range(8) for t in objects.study(f"08-{i}", count(10, 100), size=60_000)]
    words: set[str] = set()

    def look(t: Any, status: int) -> None:
        if len(member.events) % 10 == 0:
            words.add(g.members("archive")["m"]["operational"])

    out = send(port, things, associations=8, by_study=True, after=look)
    counts = tally(things, out.acked, [member])
    errors = len(out.errors) + len(out.rejects) + len(out.refused)

    say("dicom-08", over=over, acked=counts["acked"], sender_errors=errors, max_concurrent=member.most, down="down" in words)
    assert (counts["stored"], errors, member.most, "down" in words) == (len(things), 0, 1, False)


def test_dicom_08_storescp_as_shipped(room: Room) -> None:
    """The single-process receiver that leaves a second connection without an answer."""
    scp = room.storescp(fork=False)
    port = room.port()
    g = room.gurney(pacs(port, {"archive": {"scp": at(scp.port)}}))
    things = [t for i in range(8) for t in objects.study(f"08s-{i}", count(10, 100), size=60_000)]
    out = send(port, things, associations=8, by_study=True)
    sent = dcmtk.dcmsend(port, objects.write_files(objects.study("08d", 20), room.folder / "f"))
    counts = tally(things, out.acked, [scp])
    errors = len(out.errors) + len(out.rejects) + len(out.refused) + sent.errors
    operational = g.members("archive")["scp"]["operational"]
    say("dicom-08", member="storescp", acked=counts["acked"] + sent.acked, sender_errors=errors, operational=operational)
    assert (counts["stored"], sent.acked, errors) == (len(things), 20, 0)
    assert operational != "down"


CASES: dict[str, dict[str, Any]] = {
    "ok": {},
    "rejected-busy": {"reject": [2, 3, 1]},
    "rejected-caller": {"reject": [1, 1, 3]},
    "rejected-called": {"reject": [1, 1, 7]},
    "rejected-other": {"reject": [1, 1, 2]},
    "aborted": {"echo_answer": "abort"},
    "answer-timeout": {"echo_answer": "never"},
    "bad-status": {"echo_status": 0xC000},
}


def test_dicom_36_outcomes_in_words(room: Room) -> None:
    """C-ECHO is answered 0000 with every member down; eight scripted members and a closed port give words that differ."""
    needs("echoscu")
    members = {word: room.member(**behaviour) for word, behaviour in CASES.items()}
    pool = {w: at(m.port) for w, m in members.items()} | {"refused": at(room.port())}
    port, other = room.port(), room.port()
    dead = f"dead:\n  protocol: dicom\n  listen: 127.0.0.1:{other}\n  rules: [{{pool: gone}}]"
    rules = ["{pool: archive}"]
    g = room.gurney(pacs(port, {"archive": pool, "gone": {"x": at(room.port())}}, rules=rules, more=dead))
    g.until_members("gone", lambda ms: ms["x"]["operational"] == "down")
    own = echo(other)
    theirs = dcmtk.echoscu(other)
    g.until_members("archive", lambda ms: all(ms[w]["outcome"] == w for w in pool), 20)
    shown = {name: m["outcome"] for name, m in g.members("archive").items()}
    operational = {name: m["operational"] for name, m in g.members("archive").items()}
    say("dicom-36", echo_with_all_down=f"{own:04x}", echoscu=theirs, words=len(set(shown.values())), expected=len(pool))
    assert (own, theirs) == (0, 0)
    assert shown == {w: w for w in pool}
    assert operational["rejected-busy"] != "down"
