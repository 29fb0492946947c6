"""Every event and metric that the source writes stands in the closed lists, with its fields and its number of labels."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from gurney.telemetry.events import EVENTS, FIELDS
from gurney.telemetry.names import BY_NAME

SOURCE = Path(__file__).parents[2] / "src" / "gurney"
LEVELS = {"debug", "info", "warning", "error"}
MEMBER_WORDS = {"up", "down", "full"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of the source, with the place it stands at."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node


def names(node: ast.expr) -> list[str]:
    """The texts an argument may be, as far as they stand in the source."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return names(node.body) + names(node.orelse)
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant) and node.values[0].value == "member.":
        return [f"member.{word}" for word in MEMBER_WORDS]
    return []


def is_report(function: ast.expr) -> bool:
    """Whether this is how the source calls the log: `log.info`, `self._log.info`, or a name `report` that stands for one."""
    if isinstance(function, ast.IfExp):
        return is_report(function.body)
    if isinstance(function, ast.Name):
        return function.id == "report"
    if not isinstance(function, ast.Attribute) or function.attr not in LEVELS:
        return False
    owner = function.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return name.lstrip("_") == "log"


def test_every_event_written_is_declared_with_its_fields() -> None:
    wrong, seen = [], 0
    for place, call in calls():
        if not is_report(call.func) or not call.args:
            continue
        for event in names(call.args[0]):
            seen += 1
            if event not in EVENTS:
                wrong.append(f"{place}: no event {event}")
                continue
            wrong += [
                f"{place}: {event} has no field {keyword.arg}"
                for keyword in call.keywords
                if keyword.arg is not None and (keyword.arg not in EVENTS[event] or keyword.arg not in FIELDS)
            ]
    assert not wrong, "\n".join(wrong)
    assert seen > 20, "the scan finds the calls"


def test_every_metric_counted_is_declared_with_its_labels() -> None:
    wrong, seen = [], 0
    for place, call in calls():
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in {"cell", "add", "set", "seconds"} or not call.args:
            continue
        for name in names(call.args[0]):
            if not name.startswith("gurney_"):
                continue
            seen += 1
            labels = call.args[1] if len(call.args) > 1 else ast.Tuple([])
            if name not in BY_NAME:
                wrong.append(f"{place}: no metric {name}")
            elif isinstance(labels, ast.Tuple) and len(labels.elts) != len(BY_NAME[name].labels):
                wrong.append(f"{place}: {name} has the labels {BY_NAME[name].labels}")
    assert not wrong, "\n".join(wrong)
    assert seen > 10, "the scan finds the calls"
