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


def test_dicom_25_contexts_at_the_edge(room: Room) -> None:
    """128 contexts, one SOP class in many, even and repeated ids, none: §2's answers."""
    member = room.member()
    port = room.port()
    room.gurney(pacs(port, {"archive": {"m": at(member.port)}}))
    deviations: list[str] = []

    def expect(name: str, offers: list[Offer], wanted: object) -> None:
        got: object
        try:
            a = Association(port, offers)
            got = sum(result == 0 for result, _ in a.answers.values())
            a.release()
        except Refused as e:
            got = e.numbers
        except (Broken, OSError) as e:
            got = str(e)[:5]
        if got != wanted:
            deviations.append(f"{name}: {got} instead of {wanted}")

    le = (pdus.EXPLICIT_LE,)  # PDU 7 is the A-ABORT of AA-1: an invalid RQ in Sta2
    expect("128 contexts", [Offer(2 * i + 1, objects.CT if i % 2 else objects.MR, le) for i in range(128)], 128)
    expect("one SOP class in five", [Offer(2 * i + 1, objects.CT, le) for i in range(5)], 5)
    expect("even id", [Offer(2, objects.CT, le)], "PDU 7")
    expect("repeated id", [Offer(1, objects.CT, le), Offer(1, objects.MR, le)], "PDU 7")
    expect("none", [], (1, 1, 1))
    t = objects.thing("2.25.1", "2.25.2")
    a = Association(port, [Offer(2 * i + 1, objects.CT, le) for i in range(5)])
    used = 0
    for context in (1, 5, 9):
        a.message += 1
        used += a.ask(context, pdus.store_rq(t.sop_class, t.sop_instance, a.message), t.data) == 0
    a.release()
    if used != 3:
        deviations.append(f"objects on three contexts of one SOP class: {used}")
    for d in deviations:
        print(d)
    say("dicom-25", cases=6, deviations=len(deviations))
    assert not deviations


def test_dicom_26_maximum_lengths(room: Room) -> None:
    """A 4 KiB member behind a sender of large PDUs, the reverse, and 0 = no limit: no PDU over its receiver's limit."""
    members = {f"m{maximum}": room.member(max_length=maximum) for maximum in (4096, 16384, 131072, 0)}
    port = room.port()
    rules = [f"{{match: {{called_ae: {name.upper()}}}, pool: {name}}}" for name in members] + ["{pool: m16384}"]
    room.gurney(pacs(port, {name: {"m": at(m.port)} for name, m in members.items()}, rules=rules))
    stored = sent = 0
    for name, member in members.items():
        for own in (4096, 131072, 0):
            for pdu_size in (1000, None):
                things = objects.study(f"26-{name}-{own}-{pdu_size}", 3, size=400_000)
                out = send(port, things, max_length=own, pdu_size=pdu_size, called=name.upper())
                assert not out.errors, out.errors
                stored += tally(things, out.acked, [member])["stored"]
                sent += len(things)
    over = sum(m.over_limit for m in members.values())
    say("dicom-26", objects=sent, stored=stored, over_limit=over)
    assert (stored, over) == (sent, 0)
