"""guard.json: what it remembers, what it forgets with the boot, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gurney.errors import InputRefused, StateUnusable
from gurney.guard.intents import Intent, Intents, Listener, wanted

INTENT = Intent("pacs", ("/usr/bin/x", "--dir", "/s"), Path("/s"), (Listener("*:104", "", 104),), 12, 3456, 1.5, 2)
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
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    assert wanted(ASKED).listeners == (Listener("*:104", "", 104),)
    with pytest.raises(InputRefused):
        wanted(ASKED | change)
    for key in ("name", "argv", "folder"):
        with pytest.raises(InputRefused, match=key):
            wanted({name: value for name, value in ASKED.items() if name != key})
