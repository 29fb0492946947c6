"""The demo's accounts count what they say: lost, changed, split, refused, and a journal line cut by SIGKILL."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from gurney.demo.account import Journals, Sent, Visits, balance


def archive(folder: Path, objects: list[tuple[str, str, bytes]]) -> Path:
    """An archive's disk with (sop, study, data set) in it, each behind four bytes of file meta."""
    folder.mkdir()
    with (folder / "objects.jsonl").open("w") as journal:
        for i, (sop, study, data) in enumerate(objects):
            (folder / f"{i}.dcm").write_bytes(b"META" + data)
            line = {"sop": sop, "study": study, "sha256": "", "bytes": len(data), "file": f"{i}.dcm", "offset": 4}
            journal.write(json.dumps(line) + "\n")
    return folder


def sent(*objects: tuple[str, str, bytes, int | None]) -> Sent:
    """A modality's side: (sop, study, data set, status or None for no answer)."""
    out = Sent()
    for sop, study, data, status in objects:
        event: dict[str, Any] = {"event": "sending", "sop": sop, "study": study, "modality": "CT"}
        out.take({**event, "sha256": hashlib.sha256(data).hexdigest()})
        if status is not None:
            out.take({"event": "answer", "sop": sop, "status": status})
    return out


def visits(errors: int = 0) -> Visits:
    """The visitors' side: ten requests."""
    out = Visits()
    answered = {"portal-1": 10 - errors}
    out.take({"event": "answers", "requests": 10, "errors": errors, "why": {"status 503": errors}, "members": answered, "ms": [1] * 10})
    return out


def test_all_is_well(tmp_path: Path) -> None:
    folders = {"a": archive(tmp_path / "a", [("1", "s", b"x")]), "b": archive(tmp_path / "b", [("2", "t", b"y")])}
    result = balance(sent(("1", "s", b"x", 0), ("2", "t", b"y", 0xB000)), folders, visits())
    assert (result.acked, result.stored, result.lost, result.changed, result.split_studies, result.refused) == (2, 2, 0, 0, 0, 0)
    assert result.good


def test_a_visitor_that_was_not_served_spoils_it_and_so_does_no_visitor(tmp_path: Path) -> None:
    folders = {"a": archive(tmp_path / "a", [("1", "s", b"x")])}
    result = balance(sent(("1", "s", b"x", 0)), folders, visits(errors=1))
    assert (result.web_requests, result.web_errors, result.good) == (10, 1, False)
    assert not balance(sent(("1", "s", b"x", 0)), folders, Visits()).good


def test_lost_changed_split_refused(tmp_path: Path) -> None:
    folders = {
        "a": archive(tmp_path / "a", [("1", "s", b"x"), ("3", "u", b"other")]),
        "b": archive(tmp_path / "b", [("4", "s", b"z")]),
    }
    told = sent(("1", "s", b"x", 0), ("2", "t", b"y", 0), ("3", "u", b"three", 0), ("4", "s", b"z", 0), ("5", "v", b"v", 0xA700))
    result = balance(told, folders, visits())
    assert (result.lost, result.changed, result.split_studies, result.refused, result.good) == (1, 1, 1, 1, False)


def test_an_object_without_an_answer_is_not_acked(tmp_path: Path) -> None:
    result = balance(sent(("1", "s", b"x", None)), {"a": archive(tmp_path / "a", [("1", "s", b"x")])}, visits())
    assert (result.sent, result.acked, result.stored, result.lost, result.good) == (1, 0, 1, 0, False)


def test_the_disk_is_believed_not_the_journal(tmp_path: Path) -> None:
    folder = archive(tmp_path / "a", [("1", "s", b"x")])
    (folder / "0.dcm").write_bytes(b"METAchanged")
    assert balance(sent(("1", "s", b"x", 0)), {"a": folder}, visits()).changed == 1
    (folder / "0.dcm").unlink()
    assert balance(sent(("1", "s", b"x", 0)), {"a": folder}, visits()).lost == 1


def test_a_line_cut_by_a_kill_is_left_out_until_it_is_whole(tmp_path: Path) -> None:
    folder = archive(tmp_path / "a", [("1", "s", b"x")])
    with (folder / "objects.jsonl").open("a") as journal:
        journal.write('{"sop": "2", "stu')
        journal.flush()
        journals, told = Journals({"a": folder}), sent(("1", "s", b"x", 0), ("2", "s", b"y", 0))
        assert (journals.lost(told), journals.each["a"]) == (1, 1)
        assert balance(told, {"a": folder}, visits()).lost == 1
        journal.write('dy": "s"}\n')
    assert (journals.lost(told), journals.each["a"], journals.studies["a"]) == (0, 2, {"s"})
