"""The one place for what `make bench ONLY=dicom` says: rates, ratios with their floors, memory; a Markdown table, JSON and a picture."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.dicom import floors, half, memory, peers
from bench.dicom.figures import Cell, Expected, Figure, Result, Void
from bench.dicom.modes import MODES, Part
from bench.dicom.order import run
from bench.dicom.paths import ROOT, haproxy_version
from bench.dicom.picture import picture
from bench.dicom.run import accounted

HALF = Cell(512 << 10, 4, 0, warm=4)
HEADS = Cell(512 << 10, 4, 6400, warm=4)  # long enough for some hundred looks


def say(text: str) -> None:
    """To whoever waits."""
    print(text, file=sys.stderr, flush=True)


def parts(args: argparse.Namespace) -> list[Part]:
    """What this run measures: the mode's cells, narrowed by `--cell`, `--paths` and `--rounds`."""
    out = []
    for part in MODES[args.area].parts:
        names = tuple(n for n in (args.paths.split(",") if args.paths else part.names) if not args.paths or not part.cell.sender)
        if args.cell in part.cell.title and names:
            out.append(Part(part.cell, names, args.rounds or part.rounds))
    return out


@dataclass
class Run:
    """All that one run found."""

    results: list[Result] = field(default_factory=list)
    memories: list[memory.Memory] = field(default_factory=list)
    added: list[float] = field(default_factory=list)  # ms at p99 and half load
    head: int = 0  # samples that parsed a head, and all
    samples: int = 0
    faults: list[str] = field(default_factory=list)


def measured(args: argparse.Namespace) -> Run:
    """Cell by cell; then, in a run that is not narrowed, memory, the time added at half load, the share of head parsing."""
    found, expected, mode = Run(), Expected(), MODES[args.area]
    for part in parts(args):
        found.results.append(run(part.cell, part.names, part.rounds, expected, say))
        found.faults += found.results[-1].faults
    if args.cell or args.paths:
        return found
    rates = [
        r.median("gurney", lambda f: f.objects_per_second) for r in found.results if r.cell.title == HALF.title and "gurney" in r.names
    ]

    def remembered() -> str:
        found.memories.append(memory.once(expected)[0])
        return f"idle {found.memories[-1].idle / 1024:.1f} KiB, busy {found.memories[-1].busy / (1 << 20):.2f} MiB"

    def paced() -> str:
        found.added.append(half.once(HALF, rates[0] or 0.0, expected))
        return f"{found.added[-1]:.1f} ms added at p99"

    def watched() -> str:
        _, account = accounted("sampled", HEADS, expected)
        found.head, found.samples = found.head + account["head"], found.samples + account["samples"]
        return f"{account['head']} of {account['samples']} samples"

    beside = [
        ("memory", remembered, mode.memory),
        ("half load", paced, mode.memory if rates and rates[0] else 0),
        ("heads", watched, mode.heads),
    ]
    for what, once, rounds in beside:
        for n in range(rounds):
            try:
                say(f"{what}, round {n + 1}: {once()}")
            except (Void, RuntimeError, OSError, ValueError, KeyError) as e:
                found.faults.append(f"{what}, round {n + 1}: {e}")
    return found


def number(value: float | None, form: str = ".0f") -> str:
    """A dash for what was not told."""
    return "–" if value is None else format(value, form)


def table(results: list[Result]) -> list[str]:
    """Rates by cell and path: objects/s, MB/s, CPU seconds a GB, p50 and p99, connections to the sink that carried objects."""
    lines = ["| cell | path | objects/s | MB/s | CPU s/GB | p50 ms | p99 ms | to the sink |", "|---" * 8 + "|"]
    for r in results:
        for name in r.names:
            if r.void(name):
                lines.append(f"| {r.cell.title} | {name} | void |||||||")
                continue
            rate, volume = r.median(name, lambda f: f.objects_per_second), r.median(name, lambda f: f.megabytes_per_second)
            cpu = "–" if name.startswith("direct") else number(r.median(name, lambda f: f.cpu_per_gb), ".2f")
            times = " | ".join(number(r.median(name, pick), ".2f") for pick in (lambda f: f.p50_ms, lambda f: f.p99_ms))
            links = number(r.median(name, lambda f: f.connections))
            lines.append(f"| {r.cell.title} | {name} | {number(rate)} | {number(volume)} | {cpu} | {times} | {links} |")
    return lines


def ratios(verdicts: list[floors.Verdict]) -> list[str]:
    """Each ratio with its worst and best round, and whether its floor is met."""
    lines = ["| cell | ratio | median | rounds | floor |", "|---" * 5 + "|"]
    for v in verdicts:
        spread = f"{min(v.ratios):.2f}–{max(v.ratios):.2f} ({len(v.ratios)})" if v.ratios else "–"
        lines.append(f"| {v.cell} | {v.what} | {number(v.median, '.2f')} | {spread} | {v.word} |")
    return lines


def head() -> list[str]:
    """What the figures stand on."""
    import gurney

    cores = os.cpu_count()
    return [
        "## DICOM relay, loopback",
        "",
        f"gurney {gurney.__version__}, {haproxy_version()} (nbthread {cores}), {peers.versions()}, Python {platform.python_version()}, "
        f"Linux {platform.release()}, {cores} cores shared by generator, path and sink, load average {os.getloadavg()[0]:.1f} "
        "before the first figure. Nagle off (TCP_NODELAY) and no TCP_QUICKACK at generator and sink; pynetdicom, Orthanc and DCMTK "
        "are as shipped (Nagle on), DCMTK also with TCP_NODELAY=1. `haproxy`: TCP mode as installed; `haproxy-tuned`: bufsize 256 KiB, "
        "splice both ways. A cell names its objects' size, its associations and the PDU length the receiver advertises. Peers start fresh "
        "for every figure, the order turns by one each round; figures are medians, ratios those of neighbours in time. The sha256 of every "
        "object was found at the sink after the clock had stopped, else there is no number. Gurney routes each object by its content "
        "(a rule on the modality, then its study). `direct` is generator and sink alone.",
        "",
    ]


def profile(args: argparse.Namespace) -> list[str]:
    """Where the route process spends its time, by cell."""
    lines: list[str] = []
    for part in parts(args):
        figure, account = accounted("profiled", part.cell, Expected())
        count = account["objects"]
        cpu = f"{account['cpu'] / count * 1e6:.0f} µs CPU and {account['calls']:.0f} calls an object under cProfile"
        lines += [f"### {part.cell.title}: {count} objects, {cpu}, {figure.objects_per_second:.0f} objects/s", ""]
        lines += ["| room | own µs an object |", "|---|---|"]
        lines += [f"| {room} | {seconds / count * 1e6:.0f} |" for room, seconds in account["rooms"].items()]
        lines += ["", "| function | own µs an object | calls an object |", "|---|---|---|"]
        lines += [f"| {name} | {own / count * 1e6:.1f} | {calls:.1f} |" for own, calls, name in account["functions"]]
        lines.append("")
    return lines


def as_json(found: Run, verdicts: list[floors.Verdict], above: list[str], void: list[str]) -> dict[str, Any]:
    """Every figure by cell, round and path (null where it is void), every ratio, memory, heads."""

    def told(figure: Figure | None) -> dict[str, Any] | None:
        return None if figure is None else asdict(figure)

    cells = [
        {**asdict(r.cell), "cell": r.cell.title, "rounds": [{n: told(f) for n, f in row.items()} for row in r.rounds]}
        for r in found.results
    ]
    return {
        "stands_on": above[2],
        "cells": cells,
        "ratios": [asdict(v) for v in verdicts],
        "memory": [asdict(m) for m in found.memories],
        "added_p99_ms": found.added,
        "heads": {"head": found.head, "samples": found.samples},
        "void": void,
    }


def written(args: argparse.Namespace, lines: list[str], data: dict[str, Any], verdicts: list[floors.Verdict]) -> list[str]:
    """Writes table, JSON and picture; their paths."""
    folder = Path(args.out) if args.out else ROOT / "bench" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = picture(verdicts, "Gurney's DICOM relay beside others", str(data["stands_on"]).split(". Nagle")[0])
    texts = {"md": "\n".join(lines) + "\n", "json": json.dumps(data, indent=1) + "\n", "svg": drawn}
    for kind, text in texts.items():
        (folder / f"{args.area}.{kind}").write_text(text)
    return [str(folder / f"{args.area}.{kind}") for kind in texts]


def main(args: argparse.Namespace) -> int:
    """Exit status 1 when a figure is void; a floor that is not met is said, not punished."""
    if args.profile:
        print("\n".join(profile(args)))
        return 0
    began = time.monotonic()
    lines = head()
    found = measured(args)
    verdicts = floors.verdicts(found.results)
    void = found.faults + [slow for slow in map(floors.weak, found.results) if slow]
    lines += [*table(found.results), "", *ratios(verdicts), ""]
    lines += [f"- {text}" for text in (floors.memory_words(memory.median(found.memories)) if found.memories else ())]
    lines += [f"- {floors.added_words(statistics.median(found.added))}"] if found.added else []
    lines += [f"- {floors.head_words(found.head, found.samples)}"] if found.samples else []
    lines += [f"- void: {text}" for text in void]
    lines.append(f"- {(time.monotonic() - began) / 60:.1f} minutes, load average {os.getloadavg()[0]:.1f} at the end")
    data = as_json(found, verdicts, lines, void)
    print(json.dumps(data) if args.json else "\n".join(lines))
    say("written: " + " ".join(written(args, lines, data, verdicts)))
    return 1 if void else 0
