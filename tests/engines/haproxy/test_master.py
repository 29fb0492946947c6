"""What HAProxy's master says, read: the workers, their sessions; whatever it says, nothing but a declared error comes of it."""

from __future__ import annotations

import random

import pytest

from gurney.engines.haproxy.master import Master, Session, Worker, parse_sessions, parse_workers
from gurney.errors import EngineRefused, NotRunning
from tests.engines.haproxy.house import House

# as 2.8.25 wrote them
PROC = """#<PID>          <type>          <reloads>       <uptime>        <version>
28151           master          5 [failed: 1]   0d00h00m21s     2.8.25-5cf5d0683
# workers
29112           worker          1               0d00h00m02s     2.8.25-5cf5d0683
# old workers
28326           worker          4               1d02h03m20s     2.8.25-5cf5d0683
# programs
"""
SESS = (
    "0x1c288ba0: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 rate=0 cpu=0 lat=0 "
    "rq[f=808001h,i=0,an=00h,ax=] rp[f=80008000h,i=0,an=00h,ax=] scf=[8,400h,fd=15,rex=10s,wex=] scb=[8,1h,fd=-1,rex=,wex=] exp=10s\n"
    "0x5601: proto=tcpv4 src=10.0.0.9:50112 fe=fe_1 be=be_1 srv=s_1 ts=00 epoch=0 age=1m2s calls=3 rate=0 cpu=0 lat=0 "
    "rq[f=848202h,i=0,an=00h,ax=] rp[f=80048202h,i=0,an=00h,ax=] scf=[8,0h,fd=9,rex=,wex=] scb=[8,1h,fd=10,rex=,wex=] exp=59s\n"
    "0x5602: proto=tcpv4 src=10.0.0.9:50113 fe=fe"
)


def test_workers_are_told_apart() -> None:
    found = parse_workers(PROC, 1_000_000.0)
    assert found.master == 28151
    assert found.current == Worker(29112, 999_998.0)
    assert found.old == (Worker(28326, 1_000_000.0 - (86_400 + 2 * 3600 + 3 * 60 + 20)),)
    assert found.pids() == {28151, 29112, 28326}


def test_sessions_are_those_of_clients_and_a_cut_line_is_left_out() -> None:
    assert parse_sessions(SESS) == (Session("fe_1", "be_1", "s_1", "10.0.0.9:50112", "1m2s"),)


def test_something_else_is_a_declared_error() -> None:
    with pytest.raises(EngineRefused, match="answers 'show proc' with something else"):
        parse_workers("Permission denied", 0.0)


def test_no_text_makes_an_undeclared_error() -> None:
    chance = random.Random(4)
    for _ in range(3000):
        text = list(chance.choice((PROC, SESS)))
        for _ in range(chance.randrange(1, 8)):
            at = chance.randrange(len(text))
            text[at : at + chance.randrange(3)] = chance.choice(
                ("", "\n", " ", "=", "-1", "99999999999999999999", "²", "# workers\n", "\0")
            )
        parse_sessions("".join(text))
        try:
            parse_workers("".join(text), 0.0)
        except EngineRefused:
            pass


@pytest.mark.live
def test_nobody_there_is_said_at_once(house: House) -> None:
    with pytest.raises(NotRunning, match="nobody answers"):
        Master(house.folder).workers()
