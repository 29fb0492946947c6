"""Which HAProxy runs, and with which environment it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gurney.engines.haproxy import binary
from gurney.errors import EngineRefused


def program(folder: Path, says: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "haproxy"
    only = '[ "$(env | grep -v -e ^PWD= -e ^_= -e ^SHLVL=)" = OPENSSL_CONF=/dev/null ] || exit 3'
    path.write_text(f'#!/bin/sh\n{only}\necho "{says}"\n')
    path.chmod(0o755)
    return str(folder)


def test_the_systems_is_taken_when_it_is_new_enough(tmp_path: Path) -> None:
    place = program(tmp_path / "new", "HAProxy version 3.0.11-1 2026/01/01 - https://haproxy.org/")
    found = binary.find([str(tmp_path / "missing"), place])
    assert (found.version, found.text, found.bundled) == ((3, 0), "3.0.11-1", False)


def test_an_old_one_is_passed_over_for_the_wheels(tmp_path: Path) -> None:
    found = binary.find([program(tmp_path / "old", "HAProxy version 2.6.12-1+deb12u2 2024/01/01")])
    assert found.bundled and found.version >= binary.AT_LEAST


def test_something_else_under_that_name_is_no_haproxy(tmp_path: Path) -> None:
    assert binary.ask(Path(program(tmp_path / "other", "hello")) / "haproxy") is None
    assert binary.ask(tmp_path / "nowhere") is None


def test_without_any_the_way_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineRefused, match=r"there is no HAProxy 2\.8 or newer") as caught:
        binary.find([program(tmp_path / "old", "HAProxy version 2.6.12")])
    assert caught.value.hint is not None and "is 2.6.12" in caught.value.hint
