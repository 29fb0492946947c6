"""The rest of the malformed corpus at its parsers: command sets, answers, data sets, names, and what stands where an AC is due."""

from __future__ import annotations

import tracemalloc

import pytest

from gurney.wire.dicom import command, events, pdu
from gurney.wire.dicom.head import Head
from gurney.wire.dicom.upper import Upper
from tests.wire.malformed import accepting, commands, data_sets, names
from tests.wire.malformed.upper_layer import Case
from tests.wire.tape import RQ, Caller


class Wanted:
    """What a pool keyed by study wants, and a name beside it."""

    tags = frozenset({0x00080060, 0x0020000D})
    private = ()
    last = 0x0020000D


def asking() -> Caller:
    """A core that has asked for an association and has no answer yet."""
    caller = Caller(Upper(False, 0.0))
    caller.upper.request(RQ, 0.0)
    caller.look(b"")
    caller.trace.clear()
    caller.sent.clear()
    return caller


@pytest.mark.parametrize("case", accepting.CASES, ids=lambda case: case.name)
def test_what_stands_where_an_ac_is_due(case: Case) -> None:
    """The exact abort, whole and cut at every byte; no association ever stands."""
    step = max(1, len(case.data) // 60)
    for cuts in ((), *((cut,) for cut in range(1, len(case.data), step))):
        caller = asking()
        caller.feed_cut(case.data, cuts)
        assert bytes(caller.sent[:10]) == case.answer
        aborted = [entry for entry in caller.trace if isinstance(entry, events.Aborted)]
        assert case.answer is not None
        assert aborted == [events.Aborted(case.answer[8], case.answer[9], False, case.why)]
        assert not any(isinstance(entry, events.Accepted) for entry in caller.trace)


@pytest.mark.parametrize("case", accepting.USELESS, ids=lambda case: case.name)
def test_an_ac_that_takes_nothing_is_an_ac(case: Case) -> None:
    caller = asking()
    caller.feed(case.data)
    accepted = [entry for entry in caller.trace if isinstance(entry, events.Accepted)]
    assert len(accepted) == 1 and not caller.sent
    asked = {context.id: context.transfers for context in RQ.contexts}
    usable = [c for c in accepted[0].ac.contexts if c.result == pdu.ACCEPTED and c.transfer in asked.get(c.id, ())]
    assert usable == []


@pytest.mark.parametrize("case", (*commands.REQUESTS, *commands.answers(7)), ids=lambda case: case.name)
def test_the_word_for_a_command_set(case: commands.Case) -> None:
    """Refused with its word, or read: then whoever asked has to look at it."""
    if case.fault:
        with pytest.raises(command.CommandFault) as met:
            command.read(case.data)
        assert met.value.reason == case.fault
        return
    read = command.read(case.data)
    honest = read.field == 0x8001 and read.responded_id == 7 and read.status in (0, 0xB000) and not read.data_set
    assert not honest or case in commands.REQUESTS


@pytest.mark.parametrize("case", (*commands.ODD, *commands.UNKNOWN), ids=lambda case: case.name)
def test_what_is_odd_is_read(case: commands.Case) -> None:
    read = command.read(case.data)
    assert read.data == case.data and read.data_set is case.data_set and not read.is_response


@pytest.mark.parametrize("case", data_sets.cases(), ids=lambda case: case.name)
def test_a_data_set_that_lies_is_unreadable_never_a_guess(case: data_sets.Case) -> None:
    """The same in one piece and in pieces of 7; no value of a nested, repeated or lying element; memory stays."""
    seen = []
    tracemalloc.start()
    for step in (len(case.data) or 1, 4096, 7):
        if step == 7 and len(case.data) > 70_000:
            continue
        head = Head(case.transfer, Wanted())
        for at in range(0, len(case.data), step):
            if head.feed(case.data[at : at + step]):
                break
        else:
            head.finish()
        seen.append((head.unreadable, dict(head.values) if head.unreadable is None else None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(one == seen[0] for one in seen)
    assert (seen[0][0] is None) is case.readable, seen[0]
    assert peak < 16 << 20
    if case.readable and case.data and b"2.25" in case.data:
        assert seen[0][1] is not None and seen[0][1][0x0020000D].rstrip(b" ") == b"2.25.4711"


def test_names_are_many_and_differ() -> None:
    titles, texts = names.names(500, 16), names.names(500)
    assert len(set(titles)) == len(titles) >= 100 and all(len(one) <= 16 for one in titles)
    assert len(set(texts)) == len(texts) == 500
    assert {0, 65} <= {len(one) for one in texts} and max(map(len, texts)) <= 65_534
