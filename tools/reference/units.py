"""What systemd itself says of the units in packaging/: `systemd-analyze security`, as the guide shows it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

PAGE = Path("docs/guides/systemd.md")
UNITS = ("gurney-guard.service", "gurney.service")
FOLDER = Path("packaging/systemd")
BEGIN = "<!-- made by `python -m tools.reference` where systemd-analyze is installed -->\n"
END = "<!-- end -->"
MOST = 2.5
"""The exposure that reliability C4 allows."""
SECONDS = 60


def analyze() -> Path | None:
    """The program, where it is installed."""
    found = shutil.which("systemd-analyze", path="/usr/bin:/bin:/usr/local/bin")
    return None if found is None else Path(found)


def version(program: Path) -> str:
    """`252`."""
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    return said.split()[1]


def security(program: Path, unit: str) -> str:
    """The whole table of a unit, without trailing blanks."""
    argv = [str(program), "security", "--offline=yes", "--no-pager", str(FOLDER / unit)]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=True, env={"LANG": "C.UTF-8", "SYSTEMD_COLORS": "0"})
    return "\n".join(line.rstrip() for line in said.stdout.rstrip().splitlines()) + "\n"


def exposure(table: str) -> float:
    """The figure of the last line. Raises ValueError when there is none."""
    match = re.search(r"Overall exposure level for \S+: ([0-9.]+)", table)
    if match is None:
        raise ValueError("no overall exposure level")
    return float(match[1])


def complaints(program: Path, unit: str) -> str:
    """What `systemd-analyze verify` says of a unit, its program taken for installed; "" when nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for name in UNITS:
            text = (FOLDER / name).read_text(encoding="utf-8")
            (Path(folder) / name).write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
        argv = [str(program), "verify", "--man=no", "--recursive-errors=no", str(Path(folder) / unit)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.stdout + done.stderr


def shown(program: Path) -> str:
    """The part of the guide."""
    tables = {unit: security(program, unit) for unit in UNITS}
    figures = " · ".join(f"`{unit}` {exposure(table):g}" for unit, table in tables.items())
    head = f"\nsystemd {version(program)}, `systemd-analyze security --offline=yes` (at most {MOST:g} is allowed): {figures}.\n"
    return head + "".join(f"\n```text\n{table}```\n" for table in tables.values()) + "\n"


def part(page: str) -> str:
    """What stands there now."""
    return page.split(BEGIN, 1)[1].split(END, 1)[0]


def update() -> bool:
    """Write it, where systemd-analyze is; whether it changed."""
    program, page = analyze(), PAGE.read_text(encoding="utf-8")
    if program is None or (fresh := shown(program)) == part(page):
        return False
    PAGE.write_text(page.replace(BEGIN + part(page), BEGIN + fresh), encoding="utf-8")
    return True
