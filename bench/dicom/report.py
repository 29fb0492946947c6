"""The one place for what `make bench ONLY=dicom` says: objects a second through Gurney beside HAProxy, as a ratio; a Markdown table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from typing import Any

from bench.dicom.paths import PATHS, haproxy_version
from bench.dicom.run import Cell, Result, measure, run


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cells(args: argparse.Namespace) -> list[Cell]:
    """The cells of this run; `--large` adds 32 MB and 16 associations, `--pdu 131072` has the receiver advertise 128 KiB."""
    shape = [(8 << 10, 4000), (512 << 10, 400)] + ([(32 << 20, 16)] if args.large else [])
    counts = [1, 4] + ([16] if args.large else [])
    return [Cell(size, n, objects, args.pdu) for size, objects in shape for n in counts]


def number(value: float | None, form: str = ".0f") -> str:
    return "void" if value is None else format(value, form)


def table(results: list[Result], paths: list[str]) -> list[str]:
    """Objects/s (and MB/s), CPU seconds a GB and p99 by path, then Gurney as a ratio to the others."""
    lines = [f"| cell | {' | '.join(paths)} |", "|---" * (len(paths) + 1) + "|"]
    for r in results:
        rates = [f"{number(r.median(p, lambda f: f.objects_per_second))}/s" for p in paths]
        volume = [f"{number(r.median(p, lambda f: f.megabytes_per_second))} MB/s" for p in paths]
        lines.append(f"| **{r.cell.title}** | " + " | ".join(f"{a}, {b}" for a, b in zip(rates, volume, strict=True)) + " |")
        cpu = [number(r.median(p, lambda f: f.cpu_per_gb), ".2f") if p != "direct" else "-" for p in paths]
        tail = [number(r.median(p, lambda f: f.p99_ms), ".1f") for p in paths]
        lines.append("| CPU s/GB; p99 ms | " + " | ".join(f"{a}; {b}" for a, b in zip(cpu, tail, strict=True)) + " |")
    if "gurney" in paths:
        lines += ["", "| gurney ÷ | " + " | ".join(p for p in paths if p != "gurney") + " |", "|---" * len(paths) + "|"]
        for r in results:
            lines.append(f"| {r.cell.title} | " + " | ".join(number(r.ratio("gurney", p), ".2f") for p in paths if p != "gurney") + " |")
    return lines


def weak(results: list[Result], paths: list[str]) -> list[str]:
    """Cells in which generator and sink alone are not 1.2 times the fastest path: a ratio of the machine, not of the path."""
    out = []
    for r in results:
        own = r.median("direct", lambda f: f.objects_per_second) if "direct" in paths else None
        others = [r.median(p, lambda f: f.objects_per_second) or 0 for p in paths if p != "direct"]
        if own is not None and others and own < 1.2 * max(others):
            out.append(f"- {r.cell.title}: generator and sink alone are only {own / max(others):.2f} times the fastest path")
    return out


def head(args: argparse.Namespace) -> list[str]:
    """What the figures stand on."""
    import gurney

    return [
        "## DICOM relay, loopback",
        "",
        f"gurney {gurney.__version__}, {haproxy_version()} (nbthread {os.cpu_count()}), Python {platform.python_version()}, "
        f"Linux {platform.release()}, {os.cpu_count()} cores shared by generator, path and sink, "
        f"load average {os.getloadavg()[0]:.1f} before the first figure. The receiver advertises {args.pdu >> 10} KiB PDUs; "
        "TCP_NODELAY at generator and sink, no QUICKACK there; peers start fresh for every figure. "
        f"Medians of {args.rounds} rounds, order turning; ratios of neighbours in time. Every object's sha256 was found at the sink, "
        "else the cell is void.",
        "",
    ]


def profile(args: argparse.Namespace) -> list[str]:
    """Where the route process spends its time, by cell."""
    lines: list[str] = []
    for cell in cells(args):
        account: dict[str, Any] = {}
        if args.cell not in cell.title:
            continue
        figure = measure("gurney", cell, account)
        count = account["objects"]
        cpu = f"{account['cpu'] / count * 1e6:.0f} µs CPU and {account['calls']:.0f} calls an object under cProfile"
        lines += [f"### {cell.title}: {count} objects, {cpu}, {figure.objects_per_second:.0f} objects/s", ""]
        lines += ["| room | own µs an object |", "|---|---|"]
        lines += [f"| {room} | {seconds / count * 1e6:.0f} |" for room, seconds in account["rooms"].items()]
        lines += ["", "| function | own µs an object | calls an object |", "|---|---|---|"]
        lines += [f"| {name} | {own / count * 1e6:.1f} | {calls:.1f} |" for own, calls, name in account["functions"]]
        lines.append("")
    return lines


def as_json(results: list[Result], paths: list[str]) -> dict[str, Any]:
    """Every figure by cell, round and path; null where it is void."""
    return {r.cell.title: {p: [None if f is None else vars(f) for f in r.rounds[p]] for p in paths} for r in results}


def main(args: argparse.Namespace) -> int:
    """Exit status 1 when any figure is void."""
    if args.profile:
        print("\n".join(profile(args)))
        return 0
    paths = args.paths.split(",") if args.paths else list(PATHS)
    above = head(args)
    results = [run(cell, paths, args.rounds, say) for cell in cells(args) if args.cell in cell.title]
    faults = [f for r in results for f in r.faults]
    if args.json:
        print(json.dumps({"cells": as_json(results, paths), "faults": faults}))
        return 1 if faults else 0
    print("\n".join([*above, *table(results, paths)]))
    print("\n".join(["", *weak(results, paths)]))
    for fault in faults:
        print(f"- void: {fault}")
    return 1 if faults else 0
