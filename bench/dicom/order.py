"""The one place for the order of many measurements: every path once a round, the order turns, ratios come from neighbours in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.dicom import pair
from bench.dicom.figures import Cell, Expected, Figure, Result, Void
from bench.dicom.run import measure
from bench.dicom.ways import WAYS


def run(cell: Cell, names: Sequence[str], rounds: int, expected: Expected, say: Callable[[str], None]) -> Result:
    """Every path once a round, a slow one in its first rounds only; the order turns by one each round."""
    result = Result(cell)
    for r in range(rounds):
        here = [n for n in names if r < WAYS[n].rounds]
        turn = r % len(here)
        row: dict[str, Figure | None] = {}
        for name in [*here[turn:], *here[:turn]]:
            row[name] = None
            try:
                figure = row[name] = (pair.measure if cell.sender else measure)(name, cell, expected)
                rate = (
                    f"{figure.objects_per_second:.0f} objects/s, {figure.megabytes_per_second:.0f} MB/s, {figure.cpu_per_gb:.2f} CPU s/GB"
                )
                say(f"{cell.title}, round {r + 1}, {name}: {rate}")
            except (Void, RuntimeError, OSError, ValueError) as e:
                result.faults.append(f"{cell.title}, round {r + 1}, {name}: {e}")
                say(result.faults[-1])
        result.rounds.append({n: row[n] for n in here})
    return result
