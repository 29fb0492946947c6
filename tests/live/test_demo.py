"""`gurney demo --check` as a stranger runs it, and the interactive demo on a terminal of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live.harness.counts import say
from tests.live.harness.gurney import until_gone
from tests.live.harness.processes import environment


@pytest.mark.timeout(150)
def test_demo_check_loses_nothing(folder: Path) -> None:
    """≥ 500 objects, visitors all the time, kills and changes midway; the last line is the account; nothing stays behind."""
    env = environment(TMPDIR=str(folder))
    done = subprocess.run([sys.executable, "-m", "gurney", "demo", "--check"], capture_output=True, text=True, timeout=140, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    account = json.loads(done.stdout.strip().splitlines()[-1])
    say("demo-check", **account)
    assert (account["lost"], account["changed"], account["refused"]) == (0, 0, 0)
    assert account["sent"] == account["acked"] == account["stored"] >= 500
    counts = ["sent", "acked", "stored", "lost", "changed", "split_studies", "refused", "web_requests", "web_errors"]
    assert list(account) == counts
    assert account["web_requests"] >= 500 and account["web_errors"] == 0, done.stderr
    assert all(f"{word} killed (SIGKILL)" in done.stderr for word in ("portal-1",)) and "control process" in done.stderr
    assert done.stderr.count("changed document applied") + done.stderr.count("drained") == 6
    assert (until_gone(str(folder), 10), list(folder.iterdir())) == ([], [])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_interrupted_leaves_nothing(folder: Path, number: int) -> None:
    """Ctrl-C and SIGTERM in the middle: everything stops, the folder is gone."""
    # A shell gives its background jobs an ignored SIGINT, and `make test` may be one.
    argv = ["env", "--default-signal=INT", sys.executable, "-m", "gurney", "demo", "--check"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment(TMPDIR=str(folder)), start_new_session=True) as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if "a modality sends" in line:
                break
        demo.send_signal(number)
        demo.wait(50)
    left = until_gone(str(folder), 10)
    say("demo-interrupted", signal=int(number), exit=demo.returncode, processes_left=len(left), files_left=len(list(folder.iterdir())))
    assert (demo.returncode, left, list(folder.iterdir())) == (1, [], [])


class Terminal:
    """A pseudo-terminal: what was written on it, and a way to type."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self.near, far = pty.openpty()
        self.process = subprocess.Popen(argv, stdin=far, stdout=far, stderr=far, env=env, start_new_session=True)
        os.close(far)
        self.text = ""

    def read_until(self, pattern: str, seconds: float) -> str:
        """Everything since the last call, once `pattern` stands in it."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, f"not within {seconds} s: {pattern}\n{self.text[-3000:]}"
            if select.select([self.near], [], [], 0.5)[0]:
                with contextlib.suppress(OSError):
                    self.text += os.read(self.near, 65536).decode("utf-8", "replace")
        seen, self.text = self.text, ""
        return seen

    def type(self, keys: str) -> None:
        os.write(self.near, keys.encode())


@pytest.mark.timeout(150)
def test_demo_on_a_terminal(folder: Path) -> None:
    """`ready`, live status, every key once, and q; lost stays 0."""
    env = environment(TMPDIR=str(folder), COLUMNS="80", LINES="24", TERM="xterm")
    terminal = Terminal([sys.executable, "-m", "gurney", "demo"], env)
    try:
        terminal.read_until(r"ready", 40)
        terminal.read_until(r"archive-1.*up", 30)
        terminal.read_until(r"portal-2.*up", 30)
        for key, news in (
            ("k", "archive-[12] killed"),
            ("p", "portal-1 killed"),
            ("s", "started again"),
            ("a", "applied: archive-2 has half its weight"),
            ("a", "applied: portal-2 has half its weight"),
            ("r", "route process [0-9]+ killed"),
            ("h", "haproxy process [0-9]+ killed"),
            ("g", "guard process [0-9]+ killed"),
            ("c", "control process [0-9]+ killed"),
            ("c", "gurney up: ready"),
            ("d", "drained for 30 s"),
        ):
            terminal.type(key)
            terminal.read_until(news, 40)
        terminal.type("q")
        seen = terminal.read_until(r'"web_errors": \d+\}', 60)
        account = json.loads(seen[seen.index('{"sent"') : seen.rindex("}") + 1])
        terminal.process.wait(60)
    finally:
        terminal.process.kill()
        os.close(terminal.near)
    say("demo-keys", **account)
    assert account["sent"] == account["acked"] + account["refused"]
    assert (terminal.process.returncode, account["lost"], account["changed"]) == (0, 0, 0)
    assert account["acked"] > 0 and account["web_requests"] > 0
    assert until_gone(str(folder), 10) == []
