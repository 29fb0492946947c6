"""guard.json: what it remembers, what it forgets with the boot, what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gurney.errors import InputRefused, StateUnusable
from gurney.guard import proc
from gurney.guard.intents import Intent, Intents, Listener, Terms, wanted

INTENT = Intent("pacs", ("/usr/bin/x", "--dir", "/s"), Path("/s"), (Listener("*:104", "", 104),), 12, 3456, 1.5, 2)
FIRST = """{
 "version": 1,
 "boot": "BOOT",
 "processes": {
  "pacs": {
   "argv": ["/usr/bin/x", "--dir", "/s"],
   "folder": "/s",
   "listeners": [{"name": "*:104", "host": "", "port": 104}],
   "pid": 12,
   "start": 3456,
   "since": 1.5,
   "restarts": 2,
   "stopping": false
  }
 }
}
"""
ASKED: dict[str, Any] = {"name": "pacs", "argv": ["/x"], "folder": "/s", "listeners": [{"name": "*:104", "host": "", "port": 104}]}


def test_it_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "guard.json"
    Intents(path).put(INTENT)
    again = Intents(path)
    assert again.all() == (INTENT,)
    again.drop("pacs")
    again.drop("pacs")
    assert Intents(path).all() == () and path.exists()
    again.clear()
    assert not path.exists()


def test_the_terms_are_remembered_and_a_file_of_before_has_none(tmp_path: Path) -> None:
    path = tmp_path / "guard.json"
    terms = Terms({"OPENSSL_CONF": "/dev/null"}, "SIGUSR1", 60706, Path("/s/keys/site.key"), True)
    Intents(path).put(replace(INTENT, terms=terms))
    assert Intents(path).all() == (replace(INTENT, terms=terms),)
    path.write_text(FIRST.replace("BOOT", proc.boot_id()))  # as the guard of issue 3 wrote it
    assert Intents(path).all() == (INTENT,) and INTENT.terms == Terms()
    path.write_text(FIRST.replace('"version": 1', '"version": 3'))
    with pytest.raises(StateUnusable, match="version 3, this guard knows 1 to 2"):
        Intents(path)


def test_another_boot_knows_no_pids(tmp_path: Path) -> None:
    path = tmp_path / "guard.json"
    Intents(path).put(INTENT)
    body = json.loads(path.read_text())
    body["boot"] = "another"
    path.write_text(json.dumps(body))
    [intent] = Intents(path).all()
    assert (intent.pid, intent.start) == (None, None) and intent.listeners == INTENT.listeners


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version": 2}', '{"version": 1, "boot": "x", "processes": {"p": {}}}'])
def test_what_cannot_be_read_stops_the_guard(tmp_path: Path, text: str) -> None:
    path = tmp_path / "guard.json"
    path.write_text(text)
    with pytest.raises(StateUnusable):
        Intents(path)
    assert path.read_text() == text


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": 1}, {"name": "x" * 129}, {"argv": ["x"]}, {"argv": []}, {"argv": ["/x", "a\0b"]}, {"folder": "s"},
        {"listeners": [{}]}, {"listeners": [1]}, {"listeners": [{"name": "a", "host": "", "port": 0}]},
        {"listeners": [{"name": "a", "host": "", "port": True}]}, {"listeners": [{"name": "a", "host": "", "port": 65536}]},
        {"listeners": [{"name": "a", "host": "", "port": 1}, {"name": "a", "host": "", "port": 2}]},
        {"environment": []}, {"environment": {"A": 1}}, {"environment": {"A=B": "x"}}, {"environment": {"": "x"}},
        {"environment": {"A": "x\0"}}, {"stop_signal": "SIGKILL"}, {"stop_signal": 10}, {"user": -1}, {"user": True}, {"user": "root"},
        {"user": 2**32 - 1}, {"stdin": "key"}, {"stdin": 0}, {"binds": 1},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    assert wanted(ASKED).listeners == (Listener("*:104", "", 104),)
    with pytest.raises(InputRefused):
        wanted(ASKED | change)
    for key in ("name", "argv", "folder"):
        with pytest.raises(InputRefused, match=key):
            wanted({name: value for name, value in ASKED.items() if name != key})
