"""What a reload carries over: the health of members that are the same destinations, and nothing else."""

from __future__ import annotations

import dataclasses
import random

import pytest

from gurney.compile.haproxy.bundle import Bundle
from gurney.engines.haproxy.carried import carried
from tests.engines.haproxy.house import by_hand

HEAD = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change "
    "srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port "
    "srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
)


def line(server: str, address: str, port: int, *, up: int = 2, admin: int = 0, weight: int = 30, first: int = 100, name: str = "-") -> str:
    return f"3 be_00000001 101 {server} {address} {up} {admin} {weight} {first} 2 6 3 4 6 0 0 1 {name} {port} - 0 0 - - 0\n"


def kept(shown: str, wanted: Bundle | None = None) -> list[list[str]]:
    text = carried(HEAD + shown, wanted or by_hand([8080], {"one": 9001, "two": 9002}))
    assert text.startswith("1\n# be_id") and text.endswith("\n")
    return [row.split() for row in text.splitlines()[2:]]


def test_health_stays_and_the_weight_of_before_cannot_win() -> None:
    [row] = kept(line("s_one", "127.0.0.1", 9001, up=0))
    assert row[5] == "0"
    assert row[7] == row[8] == "30"  # HAProxy takes the first only where the second is what the new file says: then they are equal


def test_a_drained_member_keeps_its_health_without_the_drain() -> None:
    [row] = kept(line("s_one", "127.0.0.1", 9001, admin=0x08))
    assert row[6] == "0"


@pytest.mark.parametrize("admin", [0x01, 0x02, 0x04, 0x20, 0x21])
def test_what_was_in_maintenance_begins_anew(admin: int) -> None:
    assert kept(line("s_one", "127.0.0.1", 9001, up=0, admin=admin)) == []


def test_another_destination_under_the_same_name_begins_anew() -> None:
    assert kept(line("s_one", "127.0.0.1", 9003)) == []  # HAProxy would take the old port
    assert kept(line("s_one", "127.0.0.2", 9001)) == []
    assert kept(line("s_gone", "127.0.0.1", 9001)) == []


def test_a_member_by_name_is_known_by_it() -> None:
    bundle = by_hand([8080], {"one": 9001})
    [backend] = bundle.backends
    server = dataclasses.replace(backend.servers[0], address="EHR.example.org:9001")
    bundle = dataclasses.replace(bundle, backends=(dataclasses.replace(backend, servers=(server,)),))
    assert len(kept(line("s_one", "192.0.2.7", 9001, name="ehr.example.org"), bundle)) == 1
    assert kept(line("s_one", "192.0.2.7", 9001, name="other.example.org"), bundle) == []


def test_another_version_of_the_format_carries_nothing() -> None:
    assert carried("2\n" + HEAD[2:] + line("s_one", "127.0.0.1", 9001), by_hand([8080], {"one": 9001})) == ""
    assert carried("", by_hand([8080], {"one": 9001})) == ""


def test_no_text_makes_an_error() -> None:
    chance, whole = random.Random(7), HEAD + line("s_one", "127.0.0.1", 9001) + line("s_two", "::1", 9002, name="a.b")
    for _ in range(3000):
        text = list(whole)
        for _ in range(chance.randrange(1, 8)):
            at = chance.randrange(len(text))
            text[at : at + chance.randrange(4)] = chance.choice(("", "\n", " ", "-", "99999999999999999999", "²", "[", "\0"))
        carried("".join(text), by_hand([8080], {"one": 9001, "two": 9002}))
