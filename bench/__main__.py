"""The one place for `make bench`: what is measured beside what; one area, or every one."""

from __future__ import annotations

import argparse
import sys

from bench.dicom import report as dicom
from bench.http import report as http

AREAS = {"dicom": dicom.main, "http": http.main}


def main() -> int:
    """Exit status 1 when a figure is void or a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Gurney beside other programs, in one run, as ratios")
    parser.add_argument("area", nargs="?", choices=list(AREAS), help="omitted: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cell", default="", help="only cells whose title holds this text")
    parser.add_argument("--json", action="store_true", help="every figure as JSON instead of tables")
    own = parser.add_argument_group("dicom")
    own.add_argument("--large", action="store_true", help="also 32 MB and 16 associations")
    own.add_argument("--pdu", type=int, default=16384, help="maximum PDU length the receiver advertises")
    own.add_argument("--paths", default="", help="which paths, with commas between them")
    own.add_argument("--profile", action="store_true", help="where the route process spends its time, instead of figures")
    args = parser.parse_args()
    return max(AREAS[name](args) for name in ([args.area] if args.area else AREAS))


if __name__ == "__main__":
    sys.exit(main())
