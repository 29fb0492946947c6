"""The one place for running what a console block shows: one bash, a command at a time, its output compared but for numbers and spacing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BOUND = 60.0  # seconds for one command: waiting for `ready` includes first checks
AFTER = 5.0  # seconds more for what a background program says once a command in front has ended


@dataclass(frozen=True, slots=True)
class Step:
    """A command as it is typed and the lines shown below it; `…` among them stands for lines that are left out."""

    command: str
    shown: tuple[str, ...]


def steps(text: str) -> list[Step]:
    """The steps of a console block."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip() and found:
            found[-1][1].append(line)
    return [Step(command, tuple(shown)) for command, shown in found]


def plain(line: str) -> str:
    """A line without what may differ from run to run: numbers, dates, absolute paths, spacing, `slow` for `ok` on a busy machine."""
    line = re.sub(r"\bslow\b", "ok", line)
    return re.sub(r"\d[\d.:,TZ-]*", "#", re.sub(r"(?<!\w)/[\w./-]+", "/", " ".join(line.split())))


def missing(step: Step, output: str) -> list[str]:
    """The shown lines that the output does not have in this order (other lines may stand between them only where `…` does)."""
    have = [plain(line) for line in output.splitlines() if line.strip()]
    at, loose = 0, True  # what a shell says of jobs may come first
    for line in step.shown:
        if line.strip() == "…":
            loose = True
            continue
        rest = have[at:] if loose else have[at : at + 1]
        if plain(line) not in rest:
            return [f"{line!r} is not what came: {have[at : at + 3]}"]
        at += rest.index(plain(line)) + 1
        loose = False
    return []


class Session:
    """A bash in a folder; `close` ends it and all it started."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._log = folder / ".session"
        self._out: IO[str] = self._log.open("w")
        self._bash = subprocess.Popen(
            ["bash", "--norc", "-u"],
            stdin=subprocess.PIPE,
            stdout=self._out,
            stderr=self._out,
            cwd=folder,
            env=environment,
            text=True,
            start_new_session=True,
        )
        self._count = 0

    def run(self, step: Step) -> str:
        """Types the command; returns its output once all shown lines are there. Raises `AssertionError` with what came instead."""
        start = self._log.stat().st_size
        self._count += 1
        mark = f"@@{self._count} "
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{step.command}\necho {mark}$?\n")
        self._bash.stdin.flush()
        end, ended = time.monotonic() + BOUND, False
        while True:
            came = self._log.read_bytes()[start:].decode("utf-8", "replace")
            done = re.search(rf"^{re.escape(mark)}(\d+)$", came, re.MULTILINE)
            output = re.sub(r"^@@\d+ \d+\n", "", came, flags=re.MULTILINE)
            if done and done[1] != "0":
                raise AssertionError(f"`{step.command}` ended with {done[1]}: {output}")
            faults = missing(step, output)
            if done and not faults:
                return output
            if done and not ended and not step.command.endswith("&"):
                end, ended = min(end, time.monotonic() + AFTER), True
            if time.monotonic() > end or self._bash.poll() is not None:
                raise AssertionError(f"`{step.command}`: {faults or 'no end'}; it said: {output}")
            select_pause(0.05)

    def close(self) -> None:
        """Ends the shell and the whole of its session's process group."""
        try:
            os.killpg(self._bash.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._bash.wait()
        self._out.close()


def select_pause(seconds: float) -> None:
    """A short pause between two looks at a condition."""
    import select

    select.select([], [], [], seconds)
