"""`gurney doctor`: which HAProxy carries HTTP, whether its TLS is mended, what the limits grant, who the processes are."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from gurney.app import doctor
from gurney.engines.haproxy import binary


def named(state: Path) -> dict[str, doctor.Finding]:
    return {one.name: one for one in doctor.examine(state)}


def test_it_names_the_haproxy_that_runs_and_what_its_tls_is(tmp_path: Path) -> None:
    found, used = named(tmp_path), binary.find()
    assert found["haproxy"].good and str(used.path) in found["haproxy"].found and used.text in found["haproxy"].found
    library = found["haproxy's TLS"]
    assert library.found.startswith("OpenSSL ") and library.good == ("without security fixes" not in library.found)
    if used.bundled:  # peers.md §1: OpenSSL 3.0.15
        assert not library.good and library.needed == "advice" and "system's own HAProxy" in library.cure


def test_without_any_haproxy_it_is_missing_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "_candidates", lambda places: iter(()))
    found = named(tmp_path)
    assert (found["haproxy"].good, found["haproxy"].needed) == (False, "now") and found["haproxy"].cure
    assert "haproxy's TLS" not in found


def test_it_says_what_the_limit_of_open_files_grants(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = named(tmp_path)["open files"].found
    assert hard == resource.RLIM_INFINITY or f"HAProxy gets {(hard - 64) // 2} sessions an application" in text


def test_it_says_under_whom_processes_run(tmp_path: Path) -> None:
    one = named(tmp_path)["uid of its own"]
    if os.geteuid() != 0:
        assert one.good and one.found == f"not root: every process runs under uid {os.geteuid()}"
    else:
        assert one.good == one.found.startswith("each application's") and (one.good or "uid 60706 cannot run" in one.found)


def test_it_says_whether_systemd_has_the_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SYSTEMD", tmp_path)
    monkeypatch.setattr(doctor, "UNIT_PLACES", (tmp_path / "units",))
    assert "gurney-guard.service, gurney.service not installed" in named(tmp_path)["systemd"].found
    (tmp_path / "units").mkdir()
    for unit in doctor.UNITS:
        (tmp_path / "units" / unit).touch()
    assert named(tmp_path)["systemd"].good
    monkeypatch.setattr(doctor, "SYSTEMD", tmp_path / "none")
    assert named(tmp_path)["systemd"].found == "does not run here"
