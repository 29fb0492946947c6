"""P-DATA-TF: any layout at any cut comes out the same, headers are walked in place at constant cost, and what we write is legal."""

from __future__ import annotations

import gc
import struct
import sys
import tracemalloc
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import P_DATA_TF

from gurney.wire.dicom import events, pdv
from tests.wire.tape import Caller, accepted, command, dialled, item, p_data, store

ROLES = {"accepted": accepted, "dialled": dialled}


@st.composite
def laid_out(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """A message in any legal layout: (wire, command, data set)."""
    has_data = draw(st.booleans())
    context = draw(st.sampled_from((1, 3)))
    text = command(draw(st.sampled_from((0, 1, 0x102))) if has_data else 0x101, draw(st.integers(0, 40)))
    data = draw(st.binary(max_size=120)) if has_data else b""
    parts = pieces(draw, text, 1, context) + (pieces(draw, data, 0, context) if has_data else [])
    pdus: list[list[bytes]] = []
    for part in parts:
        if pdus and draw(st.booleans()):
            pdus[-1].append(part)
        else:
            pdus.append([part])
    return b"".join(p_data(*group) for group in pdus), text, data


def pieces(draw: st.DrawFn, text: bytes, control: int, context: int) -> list[bytes]:
    """Text as PDVs cut anywhere, empty ones and reserved control bits among them."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    ends = [*cuts, len(text)]
    parts = [text[start:end] for start, end in zip([0, *cuts], ends, strict=True)]
    junk = draw(st.sampled_from((0, 0, 0, 0x04, 0xFC)))
    return [item(part, control | junk | (2 if n == len(parts) - 1 else 0), context) for n, part in enumerate(parts)]


@given(st.lists(laid_out(), min_size=1, max_size=4), st.data(), st.sampled_from(sorted(ROLES)))
def test_every_layout_at_every_cut(messages: list[tuple[bytes, bytes, bytes]], data: st.DataObject, role: str) -> None:
    stream = b"".join(wire for wire, _, _ in messages)
    whole, cut = ROLES[role](), ROLES[role]()
    whole.feed(stream)
    cut.feed_cut(stream, sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20))))
    assert cut.seen() == whole.seen()
    assert [(m.command, bytes(m.payload)) for m in whole.messages] == [(c, d) for _, c, d in messages]
    assert all(message.whole for message in whole.messages)
    for message, (_, _, data_set) in zip(whole.messages, messages, strict=True):
        assert [message.wire[at] for at in message.context_ids] == [message.context_id] * len(message.context_ids)
        assert payload_of(bytes(message.wire)) == data_set


def payload_of(wire: bytes) -> bytes:
    """What pynetdicom's decoder finds in P-DATA-TF PDUs."""
    found, at = b"", 0
    while at < len(wire):
        end = at + 6 + int.from_bytes(wire[at + 2 : at + 6], "big")
        assert end <= len(wire)
        decoded = P_DATA_TF()
        decoded.decode(wire[at:end])
        for value in decoded.presentation_data_value_items:
            found += value.presentation_data_value[1:]
        at = end
    return found


@pytest.mark.parametrize("size", [0, 1, 2, 20, 126])
def test_equal_pdus_in_a_row_at_every_cut(size: int) -> None:
    equal = p_data(item(bytes(size))) * 4
    stream = p_data(item(command(), 3)) + equal + p_data(item(b"xy")) + equal + p_data(item(b"end", 2)) + store(b"next")
    whole = accepted()
    whole.feed(stream)
    assert [message.whole for message in whole.messages] == [True, True]
    for cut in range(1, len(stream)):
        caller = accepted()
        caller.feed(stream[:cut])
        caller.feed(stream[cut:])
        assert caller.seen() == whole.seen()


@pytest.mark.parametrize("come", [9, 10, 11])
def test_old_bytes_behind_the_end_are_not_read(come: int) -> None:
    caller = accepted()
    caller.feed(p_data(item(command(), 3)))
    last = p_data(item(b"last", 2))
    buf = bytearray(p_data(item(b"more")) * 3)
    end = 2 * 16 + come
    assert buf[32:43] == last[:11] and buf[43] != last[11]  # the old twelfth byte would say: not the last
    assert caller.upper.receive(buf, 0, end, 0.0) == 32
    buf[32:] = last
    assert caller.upper.receive(buf, 32, len(buf), 0.0) == 48
    assert [event.last for event in caller.upper.take() if isinstance(event, events.Data)] == [False, True]


def test_a_lead_is_the_rest_of_the_pdu() -> None:
    caller = accepted()
    wire = p_data(item(command(), 3), item(b"abcd", 0), item(b"efgh", 2))
    caller.upper.receive(wire, 0, len(wire), 0.0)
    data = caller.upper.take()[-1]
    assert isinstance(data, events.Data)
    assert (data.lead, data.last, data.end) == (20, True, len(wire))
    assert data.end - data.start == data.lead
    assert [wire[at] for at in chain.from_iterable(data.context_ids)] == [3, 3]
    assert b"".join(pdv.Payload().spans(memoryview(wire)[data.start :], data.lead)) == b"abcdefgh"


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_call_costs_the_same_however_many_pdus_it_brings(role: str) -> None:
    called(ROLES[role](), 3)  # Python >= 3.12 allocates once for each function when it is first profiled
    cost = {count: called(ROLES[role](), count) for count in (3, 30, 300)}
    assert len({(calls, taken) for calls, taken, _kept in cost.values()}) == 1, cost
    assert max(kept for _calls, _taken, kept in cost.values()) < 32, cost
    print(f"pdv-calls role={role} python_calls={cost[3][0]} events={cost[3][1]}")


def called(caller: Caller, count: int) -> tuple[int, int, int]:
    """(Python functions called, events, memory blocks kept) for one `receive` of `count` whole PDUs and a part of one."""
    caller.feed(pdv.fragment_command(3, command(), 16384))
    pdus = bytearray(p_data(item(bytes(100))) * (count + 1))
    calls = 0

    def count_call(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    gc.collect()
    gc.disable()  # a collection would count its callbacks
    before = sys.getallocatedblocks()
    sys.setprofile(count_call)
    caller.upper.receive(pdus, 0, len(pdus) - 50, 0.0)
    sys.setprofile(None)
    taken = caller.upper.take()
    kept = sys.getallocatedblocks() - before
    gc.enable()
    data = taken[-1]
    assert isinstance(data, events.Data) and len([*chain.from_iterable(data.context_ids)]) == count + 1
    run = memoryview(pdus)[data.start : data.end]
    assert sum(map(len, pdv.Payload().spans(run, data.lead))) == 100 * count + 50
    return calls, len(taken), kept


def test_no_length_field_allocates() -> None:
    for wire in (struct.pack(">BxI", 4, 0xFFFFFFFF), p_data(struct.pack(">IBB", 0xFFFFFFFF, 3, 0), size=131072)):
        caller = accepted()
        tracemalloc.start()
        caller.feed(wire)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert caller.upper.state == 13
        assert peak < 65536


@pytest.mark.parametrize(("size", "taken"), [(16370, True), (16374, False), (100_000, False)])
def test_a_command_is_at_most_16_kib(size: int, taken: bool) -> None:
    text = command(0x101, size - 18)
    assert len(text) == size
    for maximum in (64, 4096, 0):
        caller = accepted()
        caller.feed(pdv.fragment_command(1, text, maximum))
        assert [message.command == text for message in caller.messages] == ([True] if size <= pdv.MAX_COMMAND else [])
        assert caller.upper.state == (6 if size <= pdv.MAX_COMMAND else 13)
    assert taken == (size <= 16370)


@given(st.binary(max_size=200), st.integers(8, 40), st.sampled_from((1, 3, 255)))
def test_a_command_is_cut_to_the_maximum(text: bytes, maximum: int, context: int) -> None:
    wire = pdv.fragment_command(context, text, maximum)
    found, last, at = b"", [], 0
    while at < len(wire):
        kind, length = struct.unpack_from(">BxI", wire, at)
        size, number, control = struct.unpack_from(">IBB", wire, at + 6)
        assert (kind, number, control & 1, size + 4) == (4, context, 1, length)
        assert length <= maximum
        found += wire[at + 12 : at + 6 + length]
        last.append(control >> 1)
        at += 6 + length
    assert found == text
    assert last == [0] * (len(last) - 1) + [1]


@given(st.integers(0, 300), st.integers(8, 30), st.integers(8, 120), st.lists(st.integers(0, 600), max_size=8), st.booleans())
def test_reframed_for_a_smaller_maximum(length: int, smaller: int, maximum: int, cuts: list[int], shared: bool) -> None:
    data = bytes(n % 251 for n in range(length))
    wire = store(data, maximum)
    if shared:
        wire = p_data(item(command(), 3), *[item(data[at : at + 9], 0) for at in range(0, len(data), 9)], item(b"", 2))
    legally_reframed(wire, data, smaller, [cut for cut in cuts if cut < len(wire)])


@pytest.mark.parametrize("smaller", [8, 9, 30, 200])
def test_reframed_from_runs_cut_anywhere(smaller: int) -> None:
    data = bytes(range(100))
    wire = store(data, 64)
    for cut in range(1, len(wire)):
        legally_reframed(wire, data, smaller, [cut])
    legally_reframed(wire, data, smaller, list(range(1, len(wire))))


def legally_reframed(wire: bytes, data: bytes, smaller: int, cuts: list[int]) -> None:
    """The data set again in PDUs of at most `smaller`, even fragments but for the last, and one last one."""
    caller = accepted()
    reframe = pdv.Reframe(77, smaller)
    written = b""
    kept, at = bytearray(), 0
    for cut in sorted({*cuts, len(wire)}):
        kept += wire[at:cut]
        at = cut
        start = 0
        while (stop := caller.upper.receive(kept, start, len(kept), 0.0)) != start:
            for event in caller.upper.take():
                if isinstance(event, events.Data):
                    written += b"".join(reframe.run(memoryview(kept)[event.start : event.end], event.lead, event.last))
            start = stop
        kept = kept[start:]
    assert payload_of(written) == data
    at, lasts = 0, []
    while at < len(written):
        length = int.from_bytes(written[at + 2 : at + 6], "big")
        size, number, control = struct.unpack_from(">IBB", written, at + 6)
        assert length <= smaller and size + 4 == length and number == 77
        lasts.append(control)
        assert control == 2 or size % 2 == 0
        at += 6 + length
    assert lasts == [0] * (len(lasts) - 1) + [2]


def test_context_ids_are_patched_in_place() -> None:
    caller = accepted()
    buf = bytearray(store(bytes(300)))
    caller.upper.receive(buf, 0, len(buf), 0.0)
    data = caller.upper.take()[-1]
    assert isinstance(data, events.Data)
    expected = bytes(buf).replace(b"\x03\x00", b"\x09\x00").replace(b"\x03\x02", b"\x09\x02")[data.start : data.end]
    pdv.patch(memoryview(buf), data.context_ids, 9)
    assert bytes(buf[data.start : data.end]) == expected


@pytest.mark.parametrize(
    ("text", "follows"),
    [
        (command(0), True),
        (command(1), True),
        (command(0x102), True),
        (command(0x101), False),
        (command(None), False),
        (command(0)[:-1], False),
        (b"", False),
        (struct.pack("<HHI", 0, 2, 0xFFFFFFFF), False),
        (struct.pack("<HHI", 0, 2, 1000) + command(0), False),
    ],
)
def test_whether_a_data_set_follows(text: bytes, follows: bool) -> None:
    assert pdv.has_data_set(text) is follows


def test_the_header_of_a_lead() -> None:
    assert pdv.header(20) == b"\x04\x00\x00\x00\x00\x14"
