"""Writes docs/reference: `python -m tools.reference`."""

from __future__ import annotations

from pathlib import Path

from tools.reference import units
from tools.reference.pages import PAGES


def main() -> None:
    """Writes every page that differs and names it."""
    folder = Path("docs/reference")
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        path, text = folder / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"docs: {path}")
    if units.update():
        print(f"docs: {units.PAGE}")


if __name__ == "__main__":
    main()
