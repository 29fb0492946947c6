"""Reading what a worker says of itself, recorded from HAProxy 2.8.25."""

from __future__ import annotations

from pathlib import Path

import pytest

from gurney.engines.haproxy import running, spoken
from gurney.errors import EngineRefused

RECORDED = Path(__file__).parent / "recorded"


def recorded() -> running.Running:
    return running.read((RECORDED / "info.txt").read_text(), (RECORDED / "stat.csv").read_text())


def test_a_recording() -> None:
    seen = recorded()
    assert seen.shape == "7f3a0c"
    assert seen.worker[0] == seen.info["Pid"]
    assert sorted(seen.frontends) == ["fe_tcp", "fe_web"] and sorted(seen.backends) == ["be_tcp", "be_web", "be_web_panic"]
    row = seen.servers["be_web"]["s_full"]
    assert (row.addr, row.uweight, row.slim, row.status, row.sid) == ("127.0.0.1:18092", "256", "1", "UP", "19")
    assert seen.servers["be_tcp"]["s_t"].number("slim") == 0


@pytest.mark.parametrize("stat", ["", "\n", "Unknown command", "# pxname,svname\nfe,FRONTEND\n"])
def test_what_is_no_table_is_said(stat: str) -> None:
    with pytest.raises(EngineRefused):
        running.read("", stat)


@pytest.mark.parametrize(
    "server, word, why",
    [
        ("s_up", "up", "L7OK 200 in 0 ms"),
        ("s_slow", "full", "L7OK 200 in 0 ms; slow start at 6 %"),
        ("s_refused", "down", "L4CON: connection refused"),
        ("s_silent", "down", "L7TOUT: no answer in time"),
        ("s_drained", "up", "L7OK 200 in 0 ms; drain: takes known clients only"),
        ("s_disabled", None, "disabled: takes nothing"),
        ("s_named", "down", "its name has no address"),
        ("s_hand", "up", "L7OK 200 in 0 ms"),
        ("s_full", "full", "L7OK 200 in 0 ms"),
        ("s_sick", "down", "L7STS 503 in 0 ms"),
        ("s_added", "up", "not checked yet"),
    ],
)
def test_a_server_in_words(server: str, word: str | None, why: str) -> None:
    row = recorded().servers["be_web"][server]
    assert (spoken.operational(row), spoken.why(row, 0)) == (word, why)


def test_a_member_in_words_takes_nothing_that_a_member_answered() -> None:
    row = recorded().servers["be_web"]["s_sick"]
    assert row.last_chk == "Service Unavailable" and "unavailable" not in spoken.why(row, 0).lower()


@pytest.mark.parametrize("status, said", [("DOWN 1/2", "L7OK 200 in 3 ms; 1 of 2 good checks"), ("UP 2/3", "L7OK 200 in 3 ms")])
def test_a_returning_member(status: str, said: str) -> None:
    row = recorded().servers["be_web"]["s_up"]._replace(status=status, check_duration="3")
    assert spoken.why(row, 0) == said


def test_a_failing_and_a_draining_member() -> None:
    row = recorded().servers["be_web"]["s_up"]
    failing = row._replace(status="UP 1/3", check_status="L4TOUT", check_code="", check_duration="500")
    assert spoken.why(failing, 0) == "L4TOUT: no connection in time; goes down after 1 more"
    assert spoken.why(row._replace(uweight="0"), 1).endswith("drain: takes known clients only, 1 session left")
    assert spoken.why(row._replace(status="MAINT"), 7) == "disabled: takes nothing, 7 sessions left"
    put_out = row._replace(status="DOWN", check_status="HANA", check_code="", check_duration="")
    assert spoken.why(put_out, 0) == "HANA: put out for errors in what it was sent"
    said = "Detected 3 consecutive errors, last one was: L4 unsuccessful connection"
    assert spoken.why(put_out._replace(last_chk=said), 0) == "HANA: put out for 3 errors in a row in what it was sent"
