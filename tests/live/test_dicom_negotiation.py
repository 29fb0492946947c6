"""What is offered is what can be placed (dicom.md §12: 24 to 26)."""

from __future__ import annotations

from tests.live.conftest import Room
from tests.live.harness import objects, pdus
from tests.live.harness.account import tally
from tests.live.harness.counts import say
from tests.live.harness.document import at, pacs
from tests.live.harness.pdus import Broken, Offer
from tests.live.harness.sender import Association, Refused, send

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def test_dicom_24_members_with_different_transfer_syntaxes(room: Room) -> None:
    """The AC offers what all eligible members take; what only one takes is offered too, and goes only there."""
    plain = room.member(pairs=[[objects.CT, pdus.IMPLICIT_LE], [objects.MR, pdus.IMPLICIT_LE]], keep=False)
    rich = room.member(
        pairs=[[objects.CT, pdus.IMPLICIT_LE], [objects.CT, pdus.EXPLICIT_LE], [objects.US, JPEG_BASELINE]],
    )
    port = room.port()
    room.gurney(pacs(port, {"archive": {"plain": at(plain.port), "rich": at(rich.port)}}))
    both, some, none = (pdus.IMPLICIT_LE, pdus.EXPLICIT_LE), (JPEG_BASELINE,), (pdus.DEFLATED,)
    offers = [Offer(1, objects.CT, both), Offer(3, objects.US, some), Offer(5, objects.MR, both), Offer(7, objects.SC, none)]
    a = Association(port, offers)
    answers = {i: (result, transfer if result == 0 else "") for i, (result, transfer) in a.answers.items()}
    # CT: Implicit only (plain does not take Explicit); US JPEG: only rich; MR: only plain; SC: nobody
    wanted = {1: (0, pdus.IMPLICIT_LE), 3: (0, JPEG_BASELINE), 5: (0, pdus.IMPLICIT_LE), 7: (answers[7][0], "")}
    a.release()
    things = [
        t
        for i in range(15)
        for t in (
            *objects.study(f"24-ct-{i}", 3, transfer=pdus.IMPLICIT_LE),
            *objects.study(f"24-us-{i}", 3, modality="US", transfer=JPEG_BASELINE),
            *objects.study(f"24-mr-{i}", 3, modality="MR", transfer=pdus.IMPLICIT_LE),
        )
    ]
    out = send(port, things, associations=3)
    counts = tally(things, out.acked, [plain, rich])
    allowed = {id(m): {tuple(p) for p in m.behaviour.pairs or []} for m in (plain, rich)}
    wrong = sum((e["class"], e["transfer"]) not in allowed[id(m)] for m in (plain, rich) for e in m.of("stored"))
    wrong += sum(len(m.of("unaccepted")) for m in (plain, rich))
    say("dicom-24", acked=counts["acked"], stored=counts["stored"], sent_to_refuser=wrong, offered_wrongly=int(answers != wanted))
    assert answers == wanted
    assert answers[7][0] in (3, 4)
    assert (counts["acked"], counts["stored"], wrong, out.errors) == (len(things), len(things), 0, [])


LE, BOTH = (pdus.EXPLICIT_LE,), (pdus.EXPLICIT_LE, pdus.IMPLICIT_LE)
THIRTY = tuple(f"1.2.840.10008.1.2.4.{i}" for i in range(201, 229)) + BOTH  # 105 KB in all: what large archives propose
PRINT = "1.2.840.10008.5.1.1.9"
ABORTED = "PDU 7 00000000"  # AA-1 of an invalid RQ in Sta2: source 0, its reason means nothing
# (name, contexts, the result of each in order, or the numbers of a rejection, or the abort)
EDGES: list[tuple[str, list[Offer], str | tuple[int, int, int]]] = [
    ("128 contexts", [Offer(2 * i + 1, objects.CT if i % 2 else objects.MR, LE) for i in range(128)], "0" * 128),
    ("128 contexts of 30 syntaxes", [Offer(2 * i + 1, objects.CT, THIRTY) for i in range(128)], "0" * 128),
    ("one SOP class in five", [Offer(2 * i + 1, objects.CT, LE) for i in range(5)], "00000"),
    ("one SOP class, taken and not", [Offer(1, objects.CT, (pdus.DEFLATED,)), Offer(3, objects.CT, LE)], "40"),
    ("a SOP class that is no storage", [Offer(1, PRINT, LE), Offer(3, objects.CT, LE)], "30"),
    ("verification alone", [Offer(1, pdus.VERIFICATION, LE)], "0"),
    ("no storage alone", [Offer(1, PRINT, LE)], (1, 1, 1)),
    ("even id", [Offer(2, objects.CT, LE)], ABORTED),
    ("id 0", [Offer(0, objects.CT, LE)], ABORTED),
    ("repeated id", [Offer(1, objects.CT, LE), Offer(1, objects.MR, LE)], ABORTED),
    ("129th context", [Offer((2 * i + 1) % 256, objects.CT, LE) for i in range(129)], ABORTED),
    ("none", [], (1, 1, 1)),
]


def told(port: int, offers: list[Offer]) -> str | tuple[int, int, int]:
    """What a request with these contexts is answered, as EDGES writes it."""
    try:
        a = Association(port, offers)
    except Refused as e:
        return e.numbers
    except (Broken, OSError) as e:
        return str(e)[: len(ABORTED)]
    a.release()
    return "".join(str(a.answers[o.id][0]) for o in offers) if len(a.answers) == len(offers) else f"{len(a.answers)} answers"


def test_dicom_25_contexts_at_the_edge(room: Room) -> None:
    """128 contexts, one SOP class in many, even and repeated ids, none: §2's answers, and every accepted context carries an object."""
    member = room.member(transfers=[pdus.IMPLICIT_LE, pdus.EXPLICIT_LE])
    port = room.port()
    room.gurney(pacs(port, {"archive": {"m": at(member.port)}}))
    answers = {name: (told(port, offers), wanted) for name, offers, wanted in EDGES}
    deviations = [f"{name}: {got} instead of {wanted}" for name, (got, wanted) in answers.items() if got != wanted]
    things = objects.study("25", 5, size=3000), objects.study("25i", 5, size=3000, transfer=pdus.IMPLICIT_LE)
    offers = [Offer(2 * i + 1, objects.CT, LE if i % 2 else BOTH[1:]) for i in range(10)]
    a = Association(port, offers)
    used = 0
    for i, o in enumerate(offers):
        t = things[0 if i % 2 else 1][i // 2]
        a.message += 1
        used += a.ask(o.id, pdus.store_rq(t.sop_class, t.sop_instance, a.message), t.data) == 0
    a.release()
    sent = {(t.sop_instance, t.transfer, t.sha) for share in things for t in share}
    if used != 10 or {(e["sop"], e["transfer"], e["sha"]) for e in member.of("stored")} != sent:
        deviations.append(f"objects on ten contexts of one SOP class: {used}")
    for d in deviations:
        print(d)
    say("dicom-25", cases=len(EDGES) + 1, deviations=len(deviations))
    assert not deviations


def test_dicom_26_maximum_lengths(room: Room) -> None:
    """A 4 KiB member behind a sender of large PDUs, the reverse, and 0 = no limit: no PDU over its receiver's limit."""
    members = {f"m{maximum}": room.member(max_length=maximum) for maximum in (4096, 16384, 131072, 0)}
    port = room.port()
    rules = [f"{{match: {{called_ae: {name.upper()}}}, pool: {name}}}" for name in members] + ["{pool: m16384}"]
    room.gurney(pacs(port, {name: {"m": at(m.port)} for name, m in members.items()}, rules=rules))
    stored = sent = ours = 0
    advertised: dict[str, int] = {}
    for name, member in members.items():
        for own in (4096, 131072, 0):
            for pdu_size in (1000, None):
                things = objects.study(f"26-{name}-{own}-{pdu_size}", 3, size=400_000)
                out = send(port, things, max_length=own, pdu_size=pdu_size, called=name.upper())
                assert not out.errors, out.errors
                stored += tally(things, out.acked, [member])["stored"]
                sent += len(things)
        for own in (64, 256):  # less than an answer of ours has
            t = objects.study(f"26-{name}-{own}", 1, size=30_000)[0]
            a = Association(port, pdus.offers_for([t.pair]), max_length=own, called=name.upper())
            advertised[name] = a.peer_maximum
            stored += a.store(t) == 0
            sent += 1
            ours += a.largest > own
            a.release()
    over = sum(m.over_limit for m in members.values())
    say("dicom-26", objects=sent, stored=stored, over_limit=over + ours, **{f"told_{name}": size for name, size in advertised.items()})
    assert (stored, over, ours) == (sent, 0, 0)
    assert advertised == {"m4096": 16384, "m16384": 16384, "m131072": 131072, "m0": 131072}  # the member's, within 16 and 128 KiB
