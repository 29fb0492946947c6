"""The one place for what `make bench ONLY=dicom` says: rates, ratios with their floors, memory; a Markdown table, JSON and a picture."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from bench.dicom.modes import MODES, Part
from bench.dicom.paths import ROOT, haproxy_version
from bench.dicom.run import Expected, Result, accounted, run

WEAK = 1.2  # dicom.md §11: generator and sink alone are this many times the fastest thing measured, or there is no ratio


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parts(args: argparse.Namespace) -> list[Part]:
    """What this run measures: the mode's cells, narrowed by `--cell`, `--paths` and `--rounds`."""
    out = []
    for part in MODES[args.area].parts:
        if args.cell in part.cell.title:
            names = tuple(args.paths.split(",")) if args.paths else part.names
            out.append(Part(part.cell, names, args.rounds or part.rounds))
    return out


def number(value: float | None, form: str = ".0f") -> str:
    return "void" if value is None else format(value, form)


def table(results: list[Result]) -> list[str]:
    """Rates by cell and path: objects/s, MB/s, CPU seconds a GB, p50 and p99, connections to the sink that carried objects."""
    lines = ["| cell | path | objects/s | MB/s | CPU s/GB | p50 ms | p99 ms | to the sink | gurney ÷ it |", "|---" * 9 + "|"]
    for r in results:
        for name in r.names:
            rate, volume = r.median(name, lambda f: f.objects_per_second), r.median(name, lambda f: f.megabytes_per_second)
            cpu = "–" if name.startswith("direct") else number(r.median(name, lambda f: f.cpu_per_gb), ".2f")
            tail = [number(r.median(name, pick), ".2f") for pick in (lambda f: f.p50_ms, lambda f: f.p99_ms)]
            links = number(r.median(name, lambda f: f.connections))
            ratio = number(r.ratio("gurney", name), ".2f") if "gurney" in r.names and name != "gurney" else ""
            lines.append(
                f"| {r.cell.title} | {name} | {number(rate)} | {number(volume)} | {cpu} | {tail[0]} | {tail[1]} | {links} | {ratio} |"
            )
    return lines


def weak(results: list[Result]) -> list[str]:
    """Cells in which generator and sink alone are not 1.2 times the fastest path: a ratio of the machine, not of the path."""
    out = []
    for r in results:
        own = r.median("direct", lambda f: f.objects_per_second) if "direct" in r.names else None
        others = [r.median(p, lambda f: f.objects_per_second) or 0 for p in r.names if p != "direct"]
        if own is not None and others and own < WEAK * max(others) and r.cell.size > 8 << 10:
            out.append(f"{r.cell.title}: generator and sink alone are only {own / max(others):.2f} times the fastest path")
    return out


def head(rounds: str) -> list[str]:
    """What the figures stand on."""
    import gurney

    return [
        "## DICOM relay, loopback",
        "",
        f"gurney {gurney.__version__}, {haproxy_version()} (nbthread {os.cpu_count()}), Python {platform.python_version()}, "
        f"Linux {platform.release()}, {os.cpu_count()} cores shared by generator, path and sink, "
        f"load average {os.getloadavg()[0]:.1f} before the first figure. "
        "Nagle off (TCP_NODELAY) and no TCP_QUICKACK at generator and sink; "
        f"peers start fresh for every figure. Medians of {rounds} rounds, order turning; ratios of neighbours in time. "
        "Every object's sha256 was found at the sink, else the cell is void.",
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


def as_json(results: list[Result]) -> list[dict[str, Any]]:
    """Every figure by cell, round and path; null where it is void."""
    return [
        {
            **vars(r.cell),
            "cell": r.cell.title,
            "rounds": [{n: None if f is None else vars(f) for n, f in row.items()} for row in r.rounds],
            "gurney_to": {n: r.ratio("gurney", n) for n in r.names if n != "gurney"} if "gurney" in r.names else {},
        }
        for r in results
    ]


def main(args: argparse.Namespace) -> int:
    """Exit status 1 when any figure is void."""
    if args.profile:
        print("\n".join(profile(args)))
        return 0
    began = time.monotonic()
    asked = parts(args)
    lines = head("/".join(sorted({str(p.rounds) for p in asked})))
    expected = Expected()
    results = [run(p.cell, p.names, p.rounds, expected, say) for p in asked]
    faults = [f for r in results for f in r.faults] + weak(results)
    lines += [*table(results), ""]
    lines += [f"- void: {fault}" for fault in faults]
    lines.append(f"- {(time.monotonic() - began) / 60:.1f} minutes")
    print("\n".join(lines))
    folder = Path(args.out) if args.out else ROOT / "bench" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{args.area}.md").write_text("\n".join(lines) + "\n")
    (folder / f"{args.area}.json").write_text(json.dumps({"cells": as_json(results), "void": faults}, indent=1) + "\n")
    say(f"written: {folder}/{args.area}.md, .json")
    return 1 if faults else 0
