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

Way = dict[str, Any]  # how a scripted member behaves


def says(status: int, **more: Any) -> Way:
    return {"statuses": {"*": status}, **more}


# (how the first member behaves, how the other one does, what the sender hears, attempts at the first, at the other): dicom.md §5's table
Row = tuple[Way, Way, int, int, int]
VERBATIM = (0x0000, 0xB000, 0xB006, 0xB007, 0xB123, 0xA900, 0xA9FF, 0xC000, 0xC123, 0xCFFF, 0x0111, 0x0124, 0x0117)
VERBATIM += (0x0210, 0x0211, 0x0212, 0x0213, 0x0106, 0x0112, 0x0001, 0xFE00)
ROWS: dict[str, Row] = {
    **{f"{status:04x}": (says(status), {}, status, 1, 0) for status in VERBATIM},
    **{f"{status:04x}": (says(status), {}, 0x0000, 1, 1) for status in (0xA700, 0xA701, 0xA7FF, 0x0122)},
    "0110": (says(0x0110), {}, 0x0000, 2, 1),
    # none is left: the last status
    "full-both": (says(0xA700), says(0xA702), 0xA702, 1, 1),
    "pair-both": (says(0x0122), says(0x0122), 0x0122, 1, 1),
    "fault-both": (says(0x0110), says(0x0110), 0x0110, 2, 2),
    # "already there" after an unknown outcome at this very member is stored
    "already": (says(0x0111, answer="close", answer_first=1), {}, 0x0000, 2, 0),
    # no answer: the same member until it refused twice, then the next; A700 when none is left
    "close": ({"answer": "close"}, {}, 0x0000, 3, 1),
    "abort": ({"answer": "abort"}, {}, 0x0000, 3, 1),
    "wrong-id": ({"answer": "wrong-id"}, {}, 0x0000, 3, 1),
    "garbage": ({"answer": "garbage"}, {}, 0x0000, 3, 1),
    "close-both": ({"answer": "close"}, {"answer": "close"}, 0xA700, 3, 3),
    # a pool's own row: the next member, and the pin stays
    "own-row": (says(0xA900), {}, 0x0000, 1, 1),
}
REPINNED = {"a700", "a701", "a7ff", "full-both", "close", "abort", "wrong-id", "garbage", "close-both"}
SELDOM = "{kind: dicom-echo, interval: 1h, timeout: 20s, rise: 1, fall: 5}"  # what a check would mend stays as the status left it


def test_dicom_07_every_row_of_the_status_table(room: Room) -> None:
    """`failover` puts the scripted member first; each row has its object, its repin, its attempts and what the sender hears."""
    pairs = {name: (room.member(**first), room.member(**other)) for name, (first, other, *_) in ROWS.items()}
    pools = {f"p-{name}": {"bad": at(bad.port), "good": at(good.port)} for name, (bad, good) in pairs.items()}
    rules = [f"{{match: {{station: p-{name}}}, pool: p-{name}}}" for name in ROWS] + ["{pool: p-0000}"]
    port = room.port()
    document = pacs(port, pools, rules=rules, pool="balance: failover", check=SELDOM)
    g = room.gurney(document.replace("      p-own-row:\n", "      p-own-row:\n        statuses: {A9xx: next}\n"))
    deviations: list[str] = []
    silent = 0

    def sends(name: str, number: int) -> tuple[int | None, str, list[str]]:
        t = objects.study(f"07-{name}-{number}", 1, size=40_000, more=[(0x00081010, b"SH", f"p-{name}")])[0]
        out = send(port, [t])
        return out.statuses.get(t.sop_instance), out.comments.get(t.sop_instance, ""), out.errors

    for name, (_, _, heard, first, other) in ROWS.items():
        bad, good = pairs[name]
        status, comment, errors = sends(name, 0)
        got = (status, bad.objects, good.objects)
        if got != (heard, first, other):
            deviations.append(f"{name}: heard, attempts, attempts {got} instead of {(heard, first, other)}; {errors}")
        silent += name == "close-both" and not comment
    after_full = [sends(name, 1)[0] for name in ("a700", "a701")]  # a new study: not to a member that is full
    again = [pairs[name][0].objects for name in ("a700", "a701")]
    shown = g.route("status")
    warnings = shown["services"]["store"]["outcomes"].get("warning", 0)
    moved = {
        cell["labels"]["pool"].removeprefix("p-") for cell in shown["counters"].get("gurney_dicom_repins_total", []) if cell["value"] == 1
    }
    for d in deviations:
        print(d)
    say(
        "dicom-07",
        rows=len(ROWS),
        deviations=len(deviations),
        repinned=len(moved),
        warnings=warnings,
        to_full=sum(again) - 2,
        unsaid=silent,
    )
    assert (deviations, warnings, silent) == ([], 4, 0)
    assert moved == REPINNED
    assert (after_full, again) == ([0, 0], [1, 1])


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
