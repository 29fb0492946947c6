"""What the pure hot path copies, in bytes allocated at the peak: headers and numbers, never the payload; and that one copy more is seen."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest

from gurney.wire.dicom import events, pdv
from gurney.wire.dicom.head import Head
from tests.wire.tape import Caller, accepted, command, dialled, item, p_data
from tests.wire.writer import EXPLICIT_LE, STUDY, WRITERS, want

ROLES = {"accepted": accepted, "dialled": dialled}
READ = 1 << 20  # bytes one recv may bring
LARGE = 131_066  # payload of a PDU of 128 KiB
ALLOWED = 4 * 1024  # bytes allocated at the peak while a megabyte is walked: ranges, an event, one header in hand


def peak(work: Callable[[], object]) -> int:
    """Bytes allocated at the highest moment, over what stood before."""
    work()  # caches and lazily made tables stand now
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    work()
    found = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return found


def walking(caller: Caller, maximum: int, each: int = 1) -> Callable[[], object]:
    """A `receive` of about a megabyte of a data set under way; `each` PDVs a PDU."""
    caller.feed(pdv.fragment_command(3, command(), 16384))
    caller.feed(p_data(item(b"first")))
    pdu = p_data(*[item(bytes(maximum // each - 6))] * each)
    buf = memoryview(bytearray(pdu * (READ // len(pdu))))

    def work() -> None:
        assert caller.upper.receive(buf, 0, len(buf), 0.0) == len(buf)
        data = caller.upper.take()[-1]
        assert isinstance(data, events.Data) and data.end == len(buf)
        assert sum(map(len, data.context_ids)) == each * (len(buf) // len(pdu))
        pdv.patch(buf, data.context_ids, 3)

    return work


@pytest.mark.parametrize("maximum", [16_384, 131_072])
@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_megabyte_is_walked_and_patched_without_a_copy(role: str, maximum: int) -> None:
    found = peak(walking(ROLES[role](), maximum))
    print(f"wire-copies role={role} pdu={maximum} walked={READ} allocated={found}")
    assert found < ALLOWED


def test_several_pdvs_a_pdu_cost_numbers_only() -> None:
    assert peak(walking(accepted(), 16_384, each=4)) < READ // 16  # a range a PDV


def test_one_copy_of_a_payload_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = pdv.Inbound.walk

    def copying(self: pdv.Inbound, buf: Any, pos: int, end: int, found: list[events.Event]) -> int:
        """The control: what came is copied once on its way."""
        return walk(self, bytes(buf[:end]), pos, end, found)

    monkeypatch.setattr(pdv.Inbound, "walk", copying)
    assert peak(walking(accepted(), 16_384)) > READ // 2


@pytest.mark.parametrize("smaller", [16_384, 4_096])
def test_reframing_views_the_payload(smaller: int) -> None:
    run = memoryview(p_data(item(bytes(LARGE))) * 7)

    def work() -> None:
        sent = list(pdv.Reframe(5, smaller).run(run, last=True))
        assert sum(map(len, sent)) == 7 * LARGE + 12 * (7 * LARGE // (smaller - 6) + 1)

    found = peak(work)
    print(f"wire-copies reframed={len(run)} to={smaller} allocated={found}")
    assert found < len(run) // 8  # a view and a header a PDU


def test_a_head_copies_what_is_wanted_only() -> None:
    writer = WRITERS[EXPLICIT_LE]
    private = b"".join(writer.element(0x00090000 | number, b"UN", bytes(3_000)) for number in range(0x1000, 0x1030))
    before = writer.element(0x00080060, b"CS", b"CT") + private
    data = before + writer.element(STUDY, b"UI", b"1.2.3\0") + writer.element(0x00280010, b"US", b"\0\2") + bytes(60_000)
    pieces = [memoryview(data)[at : at + 16_372] for at in range(0, len(data), 16_372)]

    def work() -> None:
        head = Head(EXPLICIT_LE, want(0x00080060, STUDY))
        assert any(head.feed(piece) for piece in pieces)
        assert head.values == {0x00080060: b"CT", STUDY: b"1.2.3\0"}

    found = peak(work)
    print(f"wire-copies head={len(data)} allocated={found}")
    assert found < 4_096


def test_context_ids_of_one_size_are_one_range() -> None:
    caller = accepted()
    caller.feed(pdv.fragment_command(3, command(), 16384))
    wire = bytearray(p_data(item(bytes(100))) * 50)
    caller.upper.receive(wire, 0, len(wire), 0.0)
    data = caller.upper.take()[-1]
    assert isinstance(data, events.Data)
    assert len(data.context_ids) == 1 and [wire[at] for at in chain.from_iterable(data.context_ids)] == [3] * 50
