"""The one place for which tests a Make verb runs: `make live ONLY=dicom-17` and `make quick`.

`live [WORD,…]` prints a pytest `-k` expression, `quick` the folders of the pure rooms that exist.
"""

from __future__ import annotations

import sys
from pathlib import Path

# The rooms to the right of `telemetry` in the import order (architecture §4), and what checks the tree itself.
PURE_ROOMS = ("compile", "place", "cost", "balance", "plan", "health", "audit", "config", "wire", "errors")
QUICK_FOLDERS = (*PURE_ROOMS, "golden", "refused", "layout", "docs")


def expression(only: str) -> str:
    """The `-k` expression for `ONLY`: `dicom` names an area, `dicom-17` a scenario, `d9` a row of a page; several are joined by commas.

    A number ends there (`dicom-1` does not run `test_dicom_17_…`) and may be written with a zero before it. Empty: everything.
    """
    words = [word.strip().lower().replace("-", "_") for word in only.split(",") if word.strip()]
    return " or ".join(spelling for word in words for spelling in _spellings(word))


def _spellings(word: str) -> list[str]:
    head, line, number = word.rpartition("_")
    if line and number.isdigit():
        return [f"_{head}_{spelt}_" for spelt in dict.fromkeys((str(int(number)), f"{int(number):02}"))]
    return [f"_{word}_" if word[-1].isdigit() else word]


def quick_folders(tests: Path) -> list[str]:
    """The test folders of `make quick` that exist, as paths."""
    return [str(tests / name) for name in QUICK_FOLDERS if (tests / name).is_dir()]


def main(argv: list[str]) -> int:
    """Prints what the Makefile asks for."""
    if argv[:1] == ["quick"]:
        print(" ".join(quick_folders(Path("tests"))))
        return 0
    if argv[:1] == ["live"]:
        print(expression(",".join(argv[1:])))
        return 0
    print("usage: python -m tools.selection quick | live [WORD,...]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
