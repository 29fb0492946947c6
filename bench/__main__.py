"""The one place for `make bench`: what is measured beside what; one area, or the gate of every one."""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from bench.dicom import report as dicom
from bench.http import report as http

AREAS = {"dicom": dicom.main, "http": http.main, "dicom-quick": dicom.main, "dicom-full": dicom.main}
GATES = ("dicom", "http")


def ended(number: int, frame: FrameType | None) -> None:
    """What stands is taken down before we go."""
    sys.exit(128 + number)


def main() -> int:
    """Exit status 1 when a figure is void, or a bar of HTTP is missed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)
    parser = argparse.ArgumentParser(prog="python -m bench", description="Gurney beside other programs, in one run, as ratios")
    parser.add_argument("area", nargs="?", choices=list(AREAS), help="omitted: dicom, then http")
    parser.add_argument("--rounds", type=int, default=0, help="omitted: as many as the area has")
    parser.add_argument("--cell", default="", help="only cells whose title holds this text")
    parser.add_argument("--json", action="store_true", help="every figure as JSON instead of tables")
    own = parser.add_argument_group("dicom")
    own.add_argument("--paths", default="", help="which paths, with commas between them")
    own.add_argument("--out", default="", help="folder of the table, the JSON and the picture; omitted: bench/results")
    own.add_argument("--profile", action="store_true", help="where the route process spends its time, instead of figures")
    args = parser.parse_args()
    worst = 0
    for name in [args.area] if args.area else GATES:
        args.area = name
        worst = max(worst, AREAS[name](args))
    return worst


if __name__ == "__main__":
    sys.exit(main())
