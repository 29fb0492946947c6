"""The log: closed lists, redaction, bounded files, no exception of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gurney.errors import LocalError
from gurney.telemetry.events import EVENTS, FIELDS
from gurney.telemetry.log import Log


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_event_has_only_known_fields() -> None:
    assert {field for fields in EVENTS.values() for field in fields} <= set(FIELDS)


def test_a_line_is_json_with_time_level_event_and_what_was_bound(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log", app="pacs", strict=True)
    log.info("member.down", pool="archive", member="archive-1", outcome="refused", why="3 of 3")
    [line] = lines(tmp_path / "a.log")
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "event": "member.down", "app": "pacs", "pool": "archive", "member": "archive-1",
        "outcome": "refused", "why": "3 of 3",
    }  # fmt: skip
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600


def test_peer_text_is_escaped_ascii_and_short(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log", strict=True)
    log.info("association.opened", calling_ae="CT\x1b[31m\r\n\u202eÄ", called_ae=b"\xff\x00PACS", peer="x" * 1_000_000)
    raw = (tmp_path / "a.log").read_bytes()
    assert raw.count(b"\n") == 1 and raw.isascii() and b"\x1b" not in raw
    [line] = lines(tmp_path / "a.log")
    assert line["calling_ae"] == r"CT\x1b[31m\r\n\u202e\xc4" and line["called_ae"] == r"\xff\x00PACS"
    assert len(line["peer"]) == 64


def test_a_ref_is_a_digest_or_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log")
    log.info("study.pinned", study_ref="1.2.840.113619.2.55", member="a")
    log.info("study.pinned", study_ref="0123456789abcdef", member="a")
    first, second = lines(tmp_path / "a.log")
    assert "study_ref" not in first and second["study_ref"] == "0123456789abcdef"
    assert log.counters.cell("gurney_log_dropped_total", ("value",)).n == 1


def test_unknown_events_and_fields_are_dropped_and_counted(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log")
    log.info("patient.seen", patient_name="canary-1")
    log.info("member.up", patient_name="canary-2", member="a")
    log.info("member.full", count="canary-3", member="a")
    assert "canary" not in (tmp_path / "a.log").read_text()
    assert [log.counters.cell("gurney_log_dropped_total", (cause,)).n for cause in ("event", "field", "value")] == [1, 1, 1]
    strict = Log(tmp_path / "b.log", strict=True)
    with pytest.raises(LocalError):
        strict.info("patient.seen")
    with pytest.raises(LocalError):
        strict.info("member.up", patient_name="x")


def test_levels(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log", level="warning")
    log.debug("member.up")
    log.info("member.up")
    log.warning("member.down")
    log.error("member.down")
    assert [line["level"] for line in lines(tmp_path / "a.log")] == ["warning", "error"]


def test_the_file_is_bounded(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log", size=2000, kept=2)
    for number in range(200):
        log.info("member.full", member="m", count=number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.log", "a.log.1", "a.log.2"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    kept = [line["count"] for name in reversed(names) for line in lines(tmp_path / name)]
    assert kept == list(range(kept[0], 200))


def test_a_log_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._file._fd)
    os.close(full)
    log.info("member.up")
    assert log.counters.cell("gurney_log_dropped_total", ("write",)).n == 1
    log.close()
    log.info("member.up")
