"""A pending status is no answer to a C-STORE (PS3.7 §9.1.1.4): passed on, its sender would wait for another one for ever."""

from __future__ import annotations

import pytest

from tests.deliver.running import Running
from tests.deliver.script import Line, Script
from tests.live.harness import objects, pdus
from tests.live.harness.behaviour import Behaviour
from tests.live.harness.member import Member
from tests.live.harness.sender import Association


def pending(status: int, line: Line) -> None:
    """Takes the whole object and says `status`."""
    line.take_command()
    line.take_data()
    line.say(status)
    line.rest()


def closes(line: Line) -> None:
    """Takes the whole object and says nothing."""
    line.take_command()
    line.take_data()


@pytest.mark.parametrize("status", [0xFF00, 0xFF01])
def test_a_pending_status_is_a_breach_and_the_object_is_sent_again(status: int) -> None:
    member, spare = Script(lambda line: pending(status, line), closes), Member(Behaviour(keep=True))
    thing = objects.study("pending", 1, size=300_000)[0]
    try:
        with Running([member.port, spare.port]) as route:
            a = Association(route.port, pdus.offers_for([thing.pair]))
            assert a.store(thing) == 0
            a.release()
            route.healthy()
        assert spare.data[thing.sop_instance] == thing.data
    finally:
        member.close()
        spare.close()
