"""Coverage-guided fuzzing of every parser from the captures, in processes of their own: a minute a target in chaos, else a look."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.wire.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
CHAOS = os.environ.get("GURNEY_COUNTS") == "chaos"
SECONDS = 60 if CHAOS else 1
LOOKED_AT = sorted(TARGETS) if CHAOS else ["command"]
COUNTED = re.compile(r"stat::(\w+): +(\d+)")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("target", LOOKED_AT)
def test_coverage_guided(target: str, tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip(f"{'not proven: ' if CHAOS else ''}atheris has no wheel for this Python or machine")
    argv = [sys.executable, "-m", "tests.wire.fuzz.covered", target, str(SECONDS), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace", timeout=500)
    left = {path.name: path.read_bytes().hex() for path in tmp_path.iterdir() if path.is_file()}
    assert done.returncode == 0 and left == {}, f"{left}\n{done.stderr[-3000:]}"
    found = {name: int(number) for name, number in COUNTED.findall(done.stderr)}
    inputs, fresh = found["number_of_executed_units"], found["new_units_added"]
    print(f"fuzz-covered-{target} inputs={inputs} crashes=0 undeclared=0 new_paths={fresh} peak_rss_mb={found['peak_rss_mb']}")
    assert inputs > 100 and fresh > 0  # nothing new at all: the parser is not instrumented
