"""The facts of the machine: what an engine may open is what its parent may."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from gurney.app.machine import descriptors, guard_of, machines


def test_our_own_limit_where_no_guard_runs(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert guard_of(tmp_path) is None
    assert descriptors(None) == hard
    made = machines(tmp_path, lambda application: 4242 if application == "web" else None)
    assert (made("web").nofile, made("web").uid, made("pacs").uid) == (hard, 4242, None)
    assert made("web").threads == len(os.sched_getaffinity(0)) and made("web").haproxy >= (2, 8)


def test_another_process_has_a_limit_of_its_own() -> None:
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (512, 777)); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        assert descriptors(process.pid) == 777
        process.stdin.close()


def test_a_process_that_is_gone_is_no_error() -> None:
    assert descriptors(2**22 + 1) == resource.getrlimit(resource.RLIMIT_NOFILE)[1]
