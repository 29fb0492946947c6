"""The one place for counting: plain numbers by name and label values, cheap enough for every object."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from gurney.errors import LocalError
from gurney.telemetry.names import BY_NAME, SECONDS, Metric

CELLS_A_NAME = 2000
"""Sets of label values one name may have; beyond them everything counts into one set called `other`."""


class Cell:
    """One number. On the hot path the owner keeps it and writes `cell.n += 1`."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n: int = 0


class Seconds:
    """A distribution of durations: `counts[i]` are those of at most SECONDS[i] and over the bound before, the last one all longer ones."""

    __slots__ = ("counts", "n", "total")

    def __init__(self) -> None:
        self.n = 0
        self.total = 0.0
        self.counts = [0] * (len(SECONDS) + 1)

    def add(self, seconds: float) -> None:
        """One more duration."""
        self.n += 1
        self.total += seconds
        self.counts[bisect_left(SECONDS, seconds)] += 1


class Counters:
    """All numbers of one process. Names and labels are those of `telemetry.names`; another one is a LocalError, raised when asked for."""

    __slots__ = ("_cells", "_seconds")

    def __init__(self) -> None:
        self._cells: dict[str, dict[tuple[str, ...], Cell]] = {}
        self._seconds: dict[str, dict[tuple[str, ...], Seconds]] = {}

    def cell(self, name: str, labels: tuple[str, ...] = ()) -> Cell:
        """The number of a counter or gauge for these label values, in the order the name declares them; always the same object."""
        cells = self._cells.get(name)
        if cells is not None and (cell := cells.get(labels)) is not None:
            return cell
        metric = _metric(name, labels)
        if metric.kind == "seconds":
            raise LocalError(f"{name} is a distribution: use seconds()")
        cells = self._cells.setdefault(name, {})
        return cells.setdefault(_bounded(cells, labels), Cell())

    def add(self, name: str, labels: tuple[str, ...] = (), count: int = 1) -> None:
        """Count; for what is not hot enough to keep its cell."""
        self.cell(name, labels).n += count

    def set(self, name: str, labels: tuple[str, ...], value: int) -> None:
        """Set a gauge."""
        self.cell(name, labels).n = value

    def seconds(self, name: str, labels: tuple[str, ...] = ()) -> Seconds:
        """The distribution of durations for these label values; always the same object."""
        found = self._seconds.get(name)
        if found is not None and (seconds := found.get(labels)) is not None:
            return seconds
        if _metric(name, labels).kind != "seconds":
            raise LocalError(f"{name} is a number: use cell()")
        found = self._seconds.setdefault(name, {})
        return found.setdefault(_bounded(found, labels), Seconds())

    def forget(self, label: str, keep: frozenset[str]) -> None:
        """Drop every number whose `label` (such as `member`) has a value that is not in `keep`: what the document no longer has."""
        kinds: tuple[dict[str, dict[tuple[str, ...], Any]], ...] = (self._cells, self._seconds)
        for name, cells in ((name, cells) for kind in kinds for name, cells in kind.items()):
            names = BY_NAME[name].labels
            if label in names:
                at = names.index(label)
                for labels in [labels for labels in cells if labels[at] not in keep]:
                    del cells[labels]

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """All numbers, JSON-ready: {name: [{"labels": {label: value}, "value": n}]}, a distribution with `count`, `sum` and `buckets`."""
        shot: dict[str, list[dict[str, Any]]] = {}
        for name, cells in sorted(self._cells.items()):
            shot[name] = [{"labels": _named(name, labels), "value": cell.n} for labels, cell in sorted(cells.items())]
        for name, found in sorted(self._seconds.items()):
            shot[name] = [
                {"labels": _named(name, labels), "count": one.n, "sum": round(one.total, 6), "buckets": list(one.counts)}
                for labels, one in sorted(found.items())
            ]
        return shot


def _metric(name: str, labels: tuple[str, ...]) -> Metric:
    metric = BY_NAME.get(name)
    if metric is None:
        raise LocalError(f"no metric is called {name!r}")
    if len(labels) != len(metric.labels):
        raise LocalError(f"{name} has the labels {metric.labels}, got {len(labels)} values")
    return metric


def _bounded(cells: dict[tuple[str, ...], Any], labels: tuple[str, ...]) -> tuple[str, ...]:
    return labels if len(cells) < CELLS_A_NAME or labels in cells else tuple("other" for _ in labels)


def _named(name: str, labels: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(BY_NAME[name].labels, labels, strict=True))
