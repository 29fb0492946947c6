"""The verbs on documents with services of http and tcp: files beside the document, what was granted, explanations, tables of the status."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gurney.cli import status
from gurney.cli.main import main
from tests.control.made import made
from tests.control.world import World, document, web

TEXT = """
gurney: 1
applications:
  web:
    services:
      portal:
        protocol: http
        listen: 8443
        accept_from: [10.0.0.0/8]
        tls: {certificate: portal.pem}
        rules:
          - {name: pictures, match: {path: /pictures/*, method: GET}, pool: pictures}
          - {name: rest, pool: portal}
    pools:
      portal: {members: {web-1: "10.0.2.1:8080", web-2: "10.0.2.2:8080"}}
      pictures: {members: {pic-1: "10.0.2.3:8080"}}
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GURNEY_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    portal = made("portal.example", days=36500)
    (tmp_path / "conf" / "portal.pem").write_bytes(portal.pem + portal.key_pem)
    path = tmp_path / "conf" / "gurney.yaml"
    path.write_text(TEXT)
    return path


def test_check_reads_the_files_beside_the_document_and_says_what_was_granted(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("web: haproxy: ") and "connections in all" in told.out and told.err == ""
    (file.parent / "portal.pem").write_text("nothing")
    assert main(["check", str(file)]) == 2
    assert capsys.readouterr().out.startswith(f"{file}:10:15: error GRN-F003: certificate 'portal.pem' holds no certificate in PEM form")
    assert main(["check", "--json", str(file)]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["good"] is False and [fault["code"] for fault in answer["faults"]] == ["GRN-F003"] and answer["granted"] == []


def test_the_folder_is_the_documents_wherever_one_stands(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", "conf/gurney.yaml"]) == 0
    monkeypatch.chdir(file.parent)
    assert main(["check", "gurney.yaml"]) == 0
    (tmp_path / "link.yaml").symlink_to(file)
    assert main(["check", str(tmp_path / "link.yaml")]) == 2  # names begin where the document is called, not where a link leads
    capsys.readouterr()


def test_plan_without_a_control_process(file: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(file)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("web: haproxy: ") and out[1] == "1. web: start HAProxy listening on *:8443"
    assert out[-1] == "no session would be cut"
    assert not state.exists()
    (file.parent / "portal.pem").unlink()
    assert main(["plan", str(file)]) == 2
    assert "GRN-F001" in capsys.readouterr().err


def test_explain_from_the_document_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def chosen(*facts: str) -> tuple[str, str]:
        assert main(["explain", "web/portal", *facts, "--file", str(file), "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        return answer["rule"], answer["pool"]

    assert chosen("path=/pictures/a", "method=GET") == ("pictures", "pictures")
    assert chosen("path=/pictures/a", "method=POST") == ("rest", "portal")
    assert chosen("path=/") == ("rest", "portal")
    assert main(["explain", "web/nobody", "path=/", "--file", str(file)]) == 2
    assert main(["explain", "web/portal", "modality=MG", "--file", str(file)]) == 2


def test_the_status_counts_requests_beside_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(tmp_path / "node")
    world.apply(document(further=web()))
    world.control.override("web/portal/web-1", "drain", who="me", why="disk")
    world.machine.running["web"].old = 2
    status.show(world.watch.status())
    world.close()
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "service listens on state sessions objects/s MB/s objects" in lines
    assert "service listens on state sessions requests/s MB/s requests" in lines
    assert "portal *:8080 accepting 2 0.5 - 5" in lines
    assert "member address configured override operational slots failures queued requests why" in lines
    assert "web-1 10.0.2.1:8080 enabled drain up 1/200 0 0 5 L7OK 200 in 3 ms (disk)" in lines
    assert any(line.startswith("application web: haproxy confirmed") and line.endswith("2 of before with 6 sessions") for line in lines)


def test_what_no_engine_tells_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    member = {"configured": "enabled", "override": None, "operational": "down", "why": "HAProxy does not answer", "address": "10.0.2.1:80"}
    service = {"listen": ["*:80"], "protocol": "http"}
    application = {"engines": {}, "services": {"a": service}, "pools": {"p": {"balance": "random", "members": {"m": member}}}}
    status.show({"revision": None, "applications": {"web": application}, "conditions": []})
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "a *:80 closed - - - -" in lines and "m 10.0.2.1:80 enabled none down -/- - - - HAProxy does not answer" in lines


def test_a_document_from_stdin_begins_where_one_stands(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    read, write = os.pipe()
    os.write(write, TEXT.encode())
    os.close(write)
    with os.fdopen(read) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["check", "-"]) == 0
    capsys.readouterr()
