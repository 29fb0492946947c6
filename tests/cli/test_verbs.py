"""The verbs that need no process: the list, exit statuses, check, new, schema, explain and plan from a document, doctor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gurney.cli import blueprints
from gurney.cli.main import VERBS, main
from gurney.config import reader

CONTRACT = "new blueprint check plan up down apply undo status drain disable enable explain doctor demo".split()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GURNEY_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "gurney.yaml"
    path.write_text(blueprints.text("pacs"))
    return path


def test_every_verb_of_the_contract_is_there_once() -> None:
    names = [verb.name for verb in VERBS]
    assert set(CONTRACT) <= set(names) and len(names) == len(set(names))


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"gurney {verb}" in capsys.readouterr().out


def test_help_lists_what_a_person_types(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {verb.name} " in out for verb in VERBS if not verb.hidden)
    assert not any(f"\n  {verb.name} " in out for verb in VERBS if verb.hidden)


def test_a_typing_error_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stauts"]) == 2
    assert main(["check"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", blueprints.names())
def test_a_blueprint_is_good_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", name]) == 0
    text = capsys.readouterr().out
    assert reader.read(text).faults == ()


def test_a_blueprint_nobody_has_is_answered_with_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["new", "pcas"], ["blueprint", "test", "pcas"], ["blueprint", "test"]):
        assert main(words) == 2
        told = capsys.readouterr()
        assert told.out == "" and all(name in told.err for name in blueprints.names())
    assert main(["blueprint", "tset", "pacs"]) == 2


def test_the_blueprints_are_listed_with_what_they_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["blueprint", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == blueprints.names() and all(len(line.split()) > 3 for line in lines)
    assert main(["blueprint", "list", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == blueprints.names()


def test_check_says_everything_on_stdout(tmp_path: Path, good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(good)]) == 0
    assert capsys.readouterr().out == ""
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("pool: archive", "pool: archve").replace("protocol: dicom", "protocol: dcm"))
    assert main(["check", str(bad)]) == 2
    told = capsys.readouterr()
    assert told.err == "" and told.out.count(f"{bad}:") == 2 and "  hint: did you mean 'archive'?" in told.out
    assert main(["check", "--json", str(bad)]) == 2
    faults = json.loads(capsys.readouterr().out)
    assert faults["good"] is False and len(faults["faults"]) == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * (1024 * 1024 + 1)])
def test_a_file_that_is_no_text_is_exit_2(tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "no.yaml"
    if content is not None:
        path.write_bytes(content)
    assert main(["check", str(path)]) == 2
    assert "error: " in capsys.readouterr().err


def test_control_characters_of_a_document_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text('gurney: 1\n"\\e[2J\\u202e": 1\napplications: {"\\e]0;x\\a": {}}\n')
    assert main(["check", str(path)]) == 2
    out = capsys.readouterr().out
    assert out and not any(character in out for character in "\x1b\x07\u202e")


def test_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"].startswith("https://json-schema.org/")


def test_explain_and_plan_from_a_document_alone(good: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "pacs/store", "modality=MG", "--file", str(good), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rule"], answer["pool"], answer["chosen"]) == ("mammography", "breast", "BREAST")
    assert main(["explain", "pacs/store", "modality", "--file", str(good)]) == 2
    assert main(["explain", "pacs/store", "modalty=MG", "--file", str(good)]) == 2
    assert main(["explain", "pcas/store", "--file", str(good)]) == 2
    nodes = good.with_name("nodes.yaml")
    nodes.write_text(good.read_text() + "sites:\n  here: {jurisdiction: GB, nodes: {no-such-host: 10.0.0.2, nor-this: 10.0.0.3}}\n")
    assert main(["explain", "pacs/store", "modality=MG", "--file", str(nodes)]) == 0
    assert main(["plan", str(nodes)]) == 2
    assert main(["plan", str(nodes), "--node", "nor-this"]) == 0
    capsys.readouterr()
    assert main(["plan", str(good)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("1. pacs: start a route process") and "no control process answers" in told.err
    assert not state.exists()


@pytest.mark.parametrize("verb", [["status"], ["apply", "FILE"], ["undo"], ["confirm"], ["drain", "a/b/c"], ["down"], ["explain", "a/b"]])
def test_nothing_running_is_exit_1_with_the_way_out(verb: list[str], good: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(good) if word == "FILE" else word for word in verb]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("error: ")
    assert not state.exists()


@pytest.mark.parametrize("duration", ["10", "-5m", "0s", "10 m", "1e9d", "٣m", "2000d"])
def test_a_duration_that_is_none_is_exit_2(duration: str, good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", str(good), f"--confirm={duration}"]) == 2
    assert "error: --confirm: " in capsys.readouterr().err


def test_doctor_says_what_is_there_and_how_to_get_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    names = {one["name"]: one for one in found["findings"]}
    assert status == (0 if found["good"] else 1)
    assert {"python", "sqlite", "TCP_QUICKACK", "open files", "state folder", "keys", "haproxy", "dcmtk", "gdnsd"} <= set(names)
    assert "syncs/s" in names["state folder"]["found"]
    assert all(one["cure"] for one in names.values() if not one["good"])


def test_status_imports_nothing_that_is_slow() -> None:
    """What `gurney status` loads before it asks: no web framework, no DICOM library, no YAML, no terminal library (peers.md §2)."""
    code = (
        "import sys; from gurney.cli.main import main; main(['status', '--state', '/nonexistent']);"
        "print([name for name in ('fastapi', 'uvicorn', 'httpx', 'pydicom', 'yaml', 'rich', 'structlog', 'uvloop', 'apsw')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_processes_start_without_the_command_lines_library(state: Path) -> None:
    code = (
        "import sys; from gurney.cli.main import main; status = main(['guard', '--state', sys.argv[1]]);"
        "print(status, [name for name in ('typer', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(state)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 []"  # no such folder: it ends at once
