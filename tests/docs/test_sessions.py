"""What the README shows is typed and compared, against real archives and web servers."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_ports
from tests.docs.pages import TOP, fenced, pages
from tests.docs.session import Session, Step, missing, steps

PORTS = ("11112", "11121", "11122", "11123", "8080", "8081", "8082")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    state = tmp_path / "s"
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:{TOP}/.venv/bin", "GURNEY_STATE": str(state)}
    one = Session(tmp_path, environment)
    yield one
    subprocess.run([f"{TOP}/.venv/bin/gurney", "down"], env=environment, capture_output=True, check=False)  # when a step failed
    one.close()


@pytest.mark.live
@pytest.mark.parametrize(
    ("file", "first_line", "programs"),
    [("gurney.yaml", "  pacs:", ("storescp", "dcmsend")), ("web.yaml", "  portal:", ("curl", "python3"))],
)
def test_the_readmes_document_serves_as_shown(
    session: Session, tmp_path: Path, file: str, first_line: str, programs: tuple[str, ...]
) -> None:
    """The README's documents and their sessions, with free ports in place of the ones shown and this folder in place of /tmp/first."""
    missing_programs = [program for program in programs if shutil.which(program) is None]
    if missing_programs:
        pytest.skip(f"not proven: the README's session ({', '.join(missing_programs)} not installed)")
    text = pages()["README.md"]
    for old, new in zip(PORTS, map(str, free_ports(len(PORTS))), strict=True):
        text = re.sub(rf"\b{old}\b", new, text)
    found = list(fenced("README.md", text))
    document = next(block.text for block in found if block.language == "yaml" and first_line in block.text)
    block = next(block.text for block in found if f"gurney up {file}" in block.text)
    (tmp_path / file).write_text(document, encoding="utf-8")
    if os.geteuid() == 0:
        block = block.replace("no conditions\n", "…\n")  # RunsAsRoot, where root's own clone can be read by root alone
    done = []
    for step in steps(block):
        if not re.match(r"(export|make|cd) ", step.command):
            done.append(session.run(Step(step.command.replace(".venv/", f"{TOP}/.venv/"), step.shown)))
    assert len(done) >= 8


def test_a_session_that_shows_something_else_is_found() -> None:
    step = Step("gurney status", ("pool archive (study)", "  a  up  3/8", "…", "no conditions"))
    assert missing(step, "revision 1\n\npool archive (study)\n a   up 0/8\n b up 0/8\nno conditions\n") == []
    assert missing(step, "pool archive (study)\n a down 0/8\nno conditions\n")
    assert missing(step, "pool archive (study)\n b up 0/8\n a up 0/8\nno conditions\n")
    assert missing(step, "pool archive (study)\n a up 0/8\n")
    assert [one.command for one in steps("$ a\nx\n\n$ b &\n")] == ["a", "b &"]
