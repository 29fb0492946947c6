"""The one place for which files the layout tests look at: what git tracks or would track."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MADE = frozenset(".git .venv __pycache__ .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist".split())

# The rooms to the right of `telemetry` in the import order (architecture §4): no clock, socket, file, thread, asyncio, random.
PURE_ROOMS = frozenset(
    "report assess migrate forecast sites compile place cost balance plan health audit config wire errors".split(),
)


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: its path from the top of the project, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str | None:
        """The room it belongs to (`wire`, `errors`), or None outside src/gurney."""
        parts = self.path.split("/")
        if parts[:2] != ["src", "gurney"] or len(parts) < 3:
            return None
        return parts[2].removesuffix(".py")


def source(text: str, path: str = "src/gurney/wire/example.py") -> Source:
    """A source from text: what the tests of the checkers feed them."""
    return Source(path, text, ast.parse(text))


@cache
def tracked() -> tuple[str, ...]:
    """Paths of all files that git tracks or would track, without those that are deleted; without git, of all but the made ones."""
    try:
        command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=TOP, capture_output=True, check=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [str(path.relative_to(TOP)) for path in TOP.rglob("*") if not MADE & set(path.relative_to(TOP).parts)]
    return tuple(sorted(path for path in listed if path and (TOP / path).is_file()))


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the project."""
    return tuple(source((TOP / path).read_text(encoding="utf-8"), path) for path in tracked() if path.endswith(".py"))


def product() -> tuple[Source, ...]:
    """The Python files of the product itself (src/gurney)."""
    return tuple(item for item in sources() if item.room is not None or item.path.startswith("src/"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a tree, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
