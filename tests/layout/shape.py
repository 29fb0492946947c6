"""The one place for the shape a file must have (architecture §8): length, names, docstrings. Each checker returns findings as text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from tests.layout.tree import Source, functions

FILE_LINES = 500
FUNCTION_LINES = 50
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"})


def too_long(item: Source) -> list[str]:
    """A file over 500 lines, a function over 50."""
    lines = item.text.count("\n")
    found = [f"{item.path}: {lines} lines, at most {FILE_LINES}"] if lines > FILE_LINES else []
    for node in functions(item.tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES:
            found.append(f"{item.path}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}")
    return found


def vague_name(path: str) -> list[str]:
    """A module or folder whose name says nothing (utils, helpers, common, manager, misc)."""
    parts = PurePosixPath(path).with_suffix("").parts
    words = {word for part in parts for word in part.lower().strip("_").split("_")}
    return [f"{path}: the name {word!r} says nothing" for word in sorted(words & VAGUE_NAMES)]


def without_docstring(item: Source, documented: Mapping[str, frozenset[str]]) -> list[str]:
    """A module, public class, function or method without a docstring.

    `documented` (see `documented_methods`) holds what base classes explain: an override of such a method needs no text of its own.
    """
    found = [] if ast.get_docstring(item.tree) else [f"{item.path}:1: the module says nothing about itself"]
    for node in item.tree.body:
        found += _undocumented(item.path, node, "")
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            inherited = _inherited(node, documented)
            for inner in node.body:
                if getattr(inner, "name", None) not in inherited:
                    found += _undocumented(item.path, inner, node.name + ".")
    return found


def documented_methods(items: Iterable[Source]) -> dict[str, frozenset[str]]:
    """Class name -> the methods it documents, inherited ones included (bases are found by their simple name)."""
    classes = {node.name: node for item in items for node in item.tree.body if isinstance(node, ast.ClassDef)}
    own = {
        name: frozenset(inner.name for inner in node.body if isinstance(inner, ast.FunctionDef) and ast.get_docstring(inner))
        for name, node in classes.items()
    }
    result = dict(own)
    for _ in range(5):  # deeper than any inheritance here
        result = {name: own[name] | _inherited(node, result) for name, node in classes.items()}
    return result


def _inherited(node: ast.ClassDef, documented: Mapping[str, frozenset[str]]) -> frozenset[str]:
    names: frozenset[str] = frozenset()
    for base in node.bases:
        bare = base.value if isinstance(base, ast.Subscript) else base
        name = bare.attr if isinstance(bare, ast.Attribute) else getattr(bare, "id", "")
        names |= documented.get(name, frozenset())
    return names


def _undocumented(path: str, node: ast.stmt, prefix: str) -> list[str]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
        return []
    if ast.get_docstring(node) or any(_is_variant(item) for item in node.decorator_list):
        return []
    return [f"{path}:{node.lineno}: {prefix}{node.name} has no docstring"]


def _is_variant(decorator: ast.expr) -> bool:
    """An overload or a property's setter: its text stands at the other definition. A property is a field: its name is its text."""
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name in {"overload", "setter", "deleter", "override", "property", "cached_property"}
