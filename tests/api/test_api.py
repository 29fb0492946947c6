"""The API as served on control.sock: every endpoint, every refusal, who may connect, how much is read."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from gurney.api.client import Client
from gurney.api.limits import BODY_BYTES, DEPTH, depth
from gurney.api.routes import application, routes
from gurney.api.server import Server, admitted
from gurney.api.work import Work
from gurney.errors import DocumentRefused, EngineRefused, InputRefused, NotFound, NotRunning
from tests.control.made import made
from tests.control.world import BAD, World, document, web


def raw(world: World, request: bytes) -> tuple[int, dict[str, Any]]:
    """One request as bytes; the status and the JSON of its answer."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(world.folder.control_socket))
        sock.sendall(request)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def post(world: World, path: str, body: bytes, *, length: int | None = None) -> tuple[int, dict[str, Any]]:
    size = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    return raw(world, head.encode() + body)


def test_nothing_answers_that_is_not_in_the_table(work: Work) -> None:
    table = {(route.method, route.path) for route in routes(work)}
    served = {(method, route.path) for route in application(work).routes if isinstance(route, APIRoute) for method in route.methods}
    assert served == table
    assert all(isinstance(route, APIRoute) for route in application(work).routes)
    assert {route.access for route in routes(work)} == {"owner"}


def test_a_change_and_back_again(client: Client, world: World) -> None:
    assert client.apply(document(), "gurney.yaml")["revision"] == 1
    assert client.ready() == {"ready": True, "waiting": []}
    assert client.plan(document(weight=5), "gurney.yaml")["steps"][0]["kind"] == "load"
    assert client.apply(document(weight=5), "gurney.yaml", why="heavier", confirm=600.0)["pending_until"] is not None
    assert client.confirm()["revision"] == 2
    assert client.undo()["revision"] == 3
    assert [one["revision"] for one in client.revisions()] == [3, 2, 1]
    assert client.revisions()[1]["why"] == "heavier"
    assert client.status()["applications"]["pacs"]["engines"]["route"]["confirmed"] is True
    assert client.explain("pacs", "store", {"modality": "MG"})["facts"] == {"modality": "MG"}
    assert client.down() == {"down": True}


def test_who_did_it_is_the_kernels_word(client: Client) -> None:
    import pwd

    client.apply(document(), "gurney.yaml")
    assert client.revisions()[0]["who"] == pwd.getpwuid(os.geteuid()).pw_name
    assert client.owner() == os.getpid()
    assert client.alive() == {"pid": os.getpid()}


def test_overrides(client: Client, world: World) -> None:
    client.apply(document(), "gurney.yaml")
    assert client.override("pacs/*/archive-1", "drain", seconds=60.0, why="disk")["objects"] == ["pacs/archive/archive-1"]
    assert world.member()["override"] == "drain"
    assert client.lift("pacs/*/*")["lifted"] == ["pacs/archive/archive-1"]


def test_files_of_a_document_are_read_from_the_folder_it_says(client: Client, world: World) -> None:
    portal = made("portal.example", days=36500)
    (world.path / "portal.pem").write_bytes(portal.pem + portal.key_pem)
    text = document(further=web(tls="certificate: portal.pem"))
    with pytest.raises(DocumentRefused) as refused:
        client.plan(text, "gurney.yaml")
    assert [fault["code"] for fault in refused.value.faults] == ["GRN-F001"]
    assert len(client.plan(text, "gurney.yaml", world.path)["steps"]) == 2
    assert client.apply(text, "gurney.yaml", folder=world.path)["revision"] == 1
    [revision] = client.revisions()
    assert revision["files"]["portal.pem"]["names"] == ["portal.example"] and "BEGIN" not in json.dumps(revision)


@pytest.mark.parametrize("folder", ["", "conf", "./conf", "/x\u0000y", "/" + "x" * 4096])
def test_a_folder_is_absolute(world: World, server: Server, folder: str) -> None:
    status, _ = post(world, "/v1/plan", json.dumps({"text": document(), "folder": folder}).encode())
    assert status == 422


def test_errors_arrive_as_what_they_were(client: Client, world: World) -> None:
    with pytest.raises(DocumentRefused) as refused:
        client.apply(BAD, "bad.yaml")
    assert refused.value.faults[0]["file"] == "bad.yaml" and refused.value.exit_status == 2
    client.apply(document(), "gurney.yaml")
    world.keeper.taken.add(11113)
    with pytest.raises(EngineRefused, match="Address already in use"):
        client.apply(document(listen="11113"), "gurney.yaml")
    with pytest.raises(NotFound):
        client.explain("pacs", "nobody", {})
    with pytest.raises(InputRefused):
        client.override("pacs", "drain")
    with pytest.raises(InputRefused):
        client.override("pacs/archive/archive-1", "explode")
    with pytest.raises(InputRefused, match="seconds"):
        client.override("pacs/archive/archive-1", "drain", seconds=1e12)


def test_a_defect_is_a_problem_and_the_api_lives_on(world: World, server: Server) -> None:
    def broken() -> dict[str, Any]:
        raise ZeroDivisionError

    client = Client(world.folder.control_socket)
    client.apply(document(), "gurney.yaml")
    world.watch.status = broken  # type: ignore[method-assign]
    status, problem = raw(world, b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (status, problem["title"]) == (500, "a defect in Gurney") and "Traceback" not in json.dumps(problem)
    assert client.ready()["ready"] is True


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/status/", "/v1/../v1/status", "//v1/status", "/docs", "/openapi.json", "/v1/Status"])
def test_other_paths_are_not_found(world: World, server: Server, path: str) -> None:
    status, problem = raw(world, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert status == 404 and problem["status"] == 404


def test_nothing_changes_on_get(world: World, server: Server) -> None:
    for path in ("apply", "undo", "confirm", "down", "plan", "overrides", "explain"):
        status, _ = raw(world, f"GET /v1/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert status == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"text": 5}',
        b'{"text": null}',
        b'{"text": "x", "surplus": 1}',
        b'{"text": "x", "confirm_seconds": NaN}',
        b'{"text": "x", "confirm_seconds": -1}',
        b'{"text": "x", "confirm_seconds": "60"}',
        b'{"text": "x", "confirm_seconds": Infinity}',
        b"\xff\xfe",
    ],
)
def test_a_body_that_is_none_is_refused_and_changes_nothing(world: World, server: Server, body: bytes) -> None:
    status, problem = post(world, "/v1/apply", body)
    assert status == 422 and problem["code"] in ("GRN-E000", "GRN-E002")
    assert world.control.revisions() == []


def test_a_body_is_read_up_to_its_limit(world: World, server: Server) -> None:
    status, problem = post(world, "/v1/apply", b'{"text": "' + b"x" * BODY_BYTES + b'"}')
    assert status == 413 and problem["title"] == "the request is too large"
    status, _ = post(world, "/v1/apply", b'{"text": "' + b"x" * (BODY_BYTES - 20) + b'"}')
    assert status == 422  # read, and no document


def test_nesting_has_its_limit(world: World, server: Server) -> None:
    status, problem = post(world, "/v1/explain", b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1))
    assert (status, problem["title"]) == (422, "the request is nested too deeply")


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"", 0),
        (b"1", 0),
        (b"{}", 1),
        (b'{"a":[1,{"b":2}]}', 3),
        (rb'{"a":"[[[\"[["}', 1),
        (b'"\\\\"[[]]', 2),
        (b"[][][]", 1),
        (b'"[[[', 3),
    ],
)
def test_depth_counts_brackets_outside_strings(body: bytes, deep: int) -> None:
    assert depth(body) == deep


def test_the_socket_is_private_and_goes_with_the_server(world: World, work: Work) -> None:
    server = Server(work, world.folder.control_socket)
    server.start()
    assert stat.S_IMODE(world.folder.control_socket.stat().st_mode) == 0o600
    server.stop()
    assert not world.folder.control_socket.exists()
    with pytest.raises(NotRunning, match="no control process"):
        Client(world.folder.control_socket).status()


def test_only_the_same_user_and_root_are_admitted() -> None:
    assert admitted(1000, 1000) and admitted(0, 1000) and admitted(0, 0)
    assert not admitted(1001, 1000) and not admitted(1000, 0)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[None]:
    """Everybody may reach `path` while this lasts."""
    before = {each: each.stat().st_mode for each in (path, *path.parents) if each.stat().st_uid == os.geteuid() and each != Path("/")}
    for each, mode in before.items():
        each.chmod(mode | (0o666 if each == path else 0o711))
    try:
        yield
    finally:
        for each, mode in before.items():
            each.chmod(mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_somebody_else_is_closed_even_if_the_folder_is_open(world: World, server: Server) -> None:
    code = (
        "import os, socket, sys\n"
        "request = b'GET /v1/alive HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'\n"
        "ours = socket.socket(socket.AF_UNIX); ours.settimeout(10); ours.connect(sys.argv[1]); os.setuid(65534)\n"
        "other = socket.socket(socket.AF_UNIX); other.settimeout(10); other.connect(sys.argv[1])\n"
        "try:\n"
        "    other.sendall(request); got = other.recv(100)\n"
        "except OSError: got = b''\n"
        "ours.sendall(request)\n"
        "print(got, ours.recv(12))\n"
    )
    with opened(world.folder.control_socket):
        argv = [sys.executable, "-c", code, str(world.folder.control_socket)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "b'' b'HTTP/1.1 200'"


def test_a_request_that_is_no_http_is_not_served(world: World, server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(world.folder.control_socket))
        sock.sendall(b"\x16\x03\x01\x02\x00\x01garbage\r\n\r\n")
        assert sock.recv(12) in (b"HTTP/1.1 400", b"")
    assert Client(world.folder.control_socket).ready()["ready"] is False
