"""The one place where blueprints are found: beside the package in an installed wheel, at the top of a source tree otherwise."""

from __future__ import annotations

from pathlib import Path

from gurney.errors import NotFound


def folder() -> Path:
    """The folder that holds one folder a blueprint. Raises `NotFound` when this installation has none."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "blueprints", package.parents[1] / "blueprints"):
        if candidate.is_dir():
            return candidate
    raise NotFound("this installation has no blueprints")


def names() -> list[str]:
    """Every blueprint, by name."""
    return sorted(entry.parent.name for entry in folder().glob("*/gurney.yaml"))


def text(name: str) -> str:
    """The document of a blueprint. Raises `NotFound`."""
    if name not in names():
        raise NotFound(f"there is no blueprint '{name}'", hint=f"there are: {', '.join(names())}")
    return (folder() / name / "gurney.yaml").read_text(encoding="utf-8")
