"""The project's own files: the lock is whole, CI runs the README's command, the contracts name every room."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from tests.layout.tree import TOP
from tools import selection

PYPROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {item["id"]: item for item in PYPROJECT["tool"]["importlinter"]["contracts"]}


@pytest.mark.parametrize("name", ["run", "build", "dev"])
def test_every_locked_package_has_hashes(name: str) -> None:
    text = (TOP / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert blocks
    assert [block for block in blocks if not re.match(r"[A-Za-z0-9_.\-\[\]]+==\S+", block) or "--hash=sha256:" not in block] == []


def test_the_lock_holds_what_the_project_asks_for() -> None:
    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    locked = {
        canonical(line.split("==")[0])
        for line in (TOP / "requirements/dev.txt").read_text().splitlines()
        if "==" in line and line[0].isalpha()
    }
    wanted = PYPROJECT["project"]["dependencies"] + [
        line
        for name in ("build", "dev")
        for line in (TOP / f"requirements/{name}.in").read_text().splitlines()
        if line and line[0] not in "#-"
    ]
    names = [re.split(r"[><=\[ ;]", item)[0] for item in wanted]
    assert [name for name in names if canonical(name) not in locked] == []


def test_ci_runs_the_readmes_test_command() -> None:
    script = (TOP / ".ci/run").read_text(encoding="utf-8")
    commands = [line for line in script.splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["exec make test"]
    assert "$ make test\n" in (TOP / "README.md").read_text(encoding="utf-8")


def test_the_layers_are_the_architectures() -> None:
    layers = " > ".join(re.sub(r"[()]", "", layer) for layer in CONTRACTS["rooms"]["layers"])
    assert layers == (
        "cli > demo > app > api > control | intake > engines | deliver > guard | spool | ledger | state > net | disk > telemetry"
        " > report > assess"
        " > migrate | forecast | sites > compile > place > cost | balance | plan > health | audit > config | wire > errors"
    )


def test_the_route_process_loads_no_dicom_library() -> None:
    """What the contract says of the import graph, seen in a real process."""
    program = "import gurney.app.route, sys; print([m for m in ('pydicom', 'pynetdicom', 'fastapi', 'httpx') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], cwd=TOP / "src", capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")


@pytest.mark.parametrize(
    ("only", "expression"),
    [
        ("", ""),
        ("dicom", "dicom"),
        ("dicom-1", "_dicom_1_ or _dicom_01_"),
        ("dicom-17,reliability", "_dicom_17_ or reliability"),
        ("D9", "_d9_"),
    ],
)
def test_only_selects_by_name(only: str, expression: str) -> None:
    assert selection.expression(only) == expression
