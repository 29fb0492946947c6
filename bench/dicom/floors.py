"""The one place for what the DICOM relay must reach (dicom.md §11, issue 5): floors and goals by cell, and whether a figure meets them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.dicom.figures import Cell, Result
from bench.dicom.memory import Memory

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30
WEAK = 1.2  # generator and sink alone are this many times the fastest thing measured, or there is no ratio
HEAD_SHARE = 0.10  # of the route process's CPU time, at 512 KB
ADDED_MS = 5.0  # at p99 and half load
IDLE_BYTES, BUSY_BYTES = 32 * KB, 2 * MB  # an association


@dataclass(frozen=True)
class Floor:
    """A ratio of the path `of` to the path `to`: at least `least` (None: only published), better `goal`."""

    of: str
    to: str
    least: float | None
    goal: float | None = None

    def word(self, ratio: float | None) -> str:
        """met, not met, published or void."""
        if ratio is None:
            return "void"
        if self.least is None:
            return "published" if self.goal is None else f"published, goal {self.goal:g} {'met' if ratio >= self.goal else 'not met'}"
        if ratio < self.least:
            return f"NOT met (at least {self.least:g})"
        return f"met (at least {self.least:g})" + ("" if self.goal is None or ratio < self.goal else f", goal {self.goal:g} too")


def floors(cell: Cell) -> list[Floor]:
    """What is asked in a cell. The receiver's PDU length decides: at 128 KiB everything is published."""
    if cell.sender:
        return [Floor("gurney", "direct", None if cell.nodelay else 20.0), Floor("gurney", "haproxy", None)]
    if cell.size >= GB:
        return [
            Floor("gurney-replay-8M", "haproxy-tuned", 0.9),
            Floor("gurney-replay-8M", "haproxy", 1.8),
            Floor("gurney", "haproxy-tuned", None),
        ]
    if cell.maximum > 16 * KB:
        goal = 0.9 if cell.size == 512 * KB else None
        return [Floor("gurney", "haproxy-tuned", None, goal), Floor("gurney", "haproxy", None)]
    small = cell.size < 512 * KB
    tuned = Floor("gurney", "haproxy-tuned", 0.5, 0.9) if small else Floor("gurney", "haproxy-tuned", 0.9, 1.0)
    plain = Floor("gurney", "haproxy", None) if small else Floor("gurney", "haproxy", 1.8, 2.0)
    others = [Floor("gurney", "pynetdicom", 10.0), Floor("gurney", "orthanc", None), Floor("gurney", "dcmtk-forward", None)]
    return [tuned, plain, *others, Floor("gurney-tls", "haproxy-tls", None), Floor("gurney-tls", "haproxy-tuned-tls", None)]


@dataclass(frozen=True)
class Verdict:
    """One line: what was compared, the ratios of its rounds, their median, and the word on it."""

    cell: str
    what: str
    ratios: tuple[float, ...]
    median: float | None
    floor: Floor
    word: str


def verdicts(results: list[Result]) -> list[Verdict]:
    """Every floor of which both paths were measured; where generator and sink are too slow the word is void whatever the ratio."""
    out = []
    for r in results:
        slow = weak(r)
        for f in floors(r.cell):
            if {f.of, f.to} <= set(r.names):
                ratio = r.ratio(f.of, f.to)
                out.append(
                    Verdict(r.cell.title, f"{f.of} ÷ {f.to}", tuple(r.ratios(f.of, f.to)), ratio, f, "void" if slow else f.word(ratio))
                )
    return out


def weak(r: Result) -> str:
    """Why the ratios of a cell are the machine's: generator and sink alone are not `WEAK` times each path. \"\" when they are; 8 KB is
    exempt by §11, and the DCMTK pair is its own generator and sink."""
    if "direct" not in r.names or r.cell.sender or r.cell.size < 512 * KB:
        return ""
    alone = {p: r.ratio("direct", p) for p in r.names if p != "direct"}
    fastest = min((p for p in alone if alone[p] is not None), key=lambda p: alone[p] or 0.0, default=None)
    if fastest is None or (alone[fastest] or 0.0) >= WEAK:
        return ""
    return f"{r.cell.title}: generator and sink alone are only {alone[fastest]:.2f} times {fastest}, at least {WEAK} are needed"


def memory_words(memory: Memory) -> list[str]:
    """The two floors on memory."""
    idle, busy = "met" if memory.idle <= IDLE_BYTES else "NOT met", "met" if memory.busy <= BUSY_BYTES else "NOT met"
    return [
        f"an idle association: {memory.idle / KB:.1f} KiB of memory, {idle} (at most 32 KiB)",
        f"a busy association (16 of them, 512 KB): {memory.busy / MB:.2f} MiB at most, {busy} (at most 2 MiB)",
    ]


def added_words(milliseconds: float) -> str:
    """The target on the time that is added at half load."""
    word = "met" if milliseconds < ADDED_MS else "NOT met"
    return f"added at p99, 512 KB x 4 at half of Gurney's rate: {milliseconds:.1f} ms, {word} (less than {ADDED_MS:g} ms)"


def head_words(head: int, samples: int) -> str:
    """The floor on parsing heads."""
    share = head / max(samples, 1)
    word = "met" if share <= HEAD_SHARE else "NOT met"
    return (
        f"parsing heads at 512 KB: {100 * share:.1f} % of the route process's CPU time ({head} of {samples} samples), {word} (at most 10 %)"
    )
