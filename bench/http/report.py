"""The one place for what `make bench ONLY=http` says: a Markdown table, ratios with their bar, how long changes take; or JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from typing import Any

from bench.dicom.paths import haproxy_version
from bench.http import changes
from bench.http.run import CELLS, CONNECTIONS, SECONDS, Result, Void, run

ROUNDS = 5  # unless asked otherwise
BAR = 0.97  # http.md §11: what Gurney compiles ÷ a file written by hand


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def head(rounds: int) -> list[str]:
    """What the figures stand on."""
    import gurney

    return [
        "## HTTP, loopback",
        "",
        f"gurney {gurney.__version__}, {haproxy_version()} (both HAProxies with its default of {os.cpu_count()} threads), "
        f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores shared by wrk, path, sink, "
        f"load average {os.getloadavg()[0]:.1f} before the first figure. {CONNECTIONS} connections, GET, 1 KiB answers, {SECONDS} s "
        f"a figure, medians of {rounds} rounds; gurney and by-hand are always neighbours, each first by turns, and ratios are theirs. "
        "`direct`: wrk on the sink, in the clear (the generator's and the sink's own ceiling). The file by hand has equal features: "
        "checks, passive ejection, retries, limits, bounded queue, panic, compression, forwarded headers made true, a JSON log of every "
        "request to a ring, the same TLS profile. nginx logs nothing.",
        "",
    ]


def table(results: list[Result]) -> list[str]:
    """Requests a second with p99 by path; then the ratios."""
    paths = list(results[0].rounds)
    lines = [f"| requests/s; p99 ms; µs CPU a request | {' | '.join(paths)} |", "|---" * (len(paths) + 1) + "|"]
    for r in results:
        words = [f"{r.median(p):.0f}; {r.median(p, lambda f: f.p99_ms):.1f}; {r.median(p, lambda f: f.cpu_us):.0f}" for p in paths]
        lines.append(f"| {r.cell.title} | {' | '.join(words)} |")
    others = [p for p in paths if p != "gurney"]
    lines += ["", f"| gurney ÷ | {' | '.join(others)} | CPU a request, by hand ÷ gurney |", "|---" * (len(others) + 2) + "|"]
    for r in results:
        ratios = [f"{r.ratio('gurney', p):.3f}" for p in others]
        lines.append(f"| {r.cell.title} | {' | '.join(ratios)} | {r.cpu_ratio('gurney', 'by-hand'):.3f} |")
    return lines


def faults(results: list[Result]) -> list[str]:
    """Why this run is red: a ratio below its bar, errors, a generator that is not faster than what it measures."""
    found = []
    for r in results:
        ratio = r.ratio("gurney", "by-hand")
        if ratio < BAR:
            found.append(f"- missed: {r.cell.title}: gurney is {ratio:.3f} of the file by hand, at least {BAR}")
        bad = {p: sum(f.bad for f in figures) for p, figures in r.rounds.items() if p in ("gurney", "by-hand")}
        found += [f"- void: {r.cell.title}: {n} errors through {p}" for p, n in bad.items() if n]
    return found


def weak(results: list[Result]) -> list[str]:
    out = []
    for r in results:
        share = r.median("direct") / max(r.median(p) for p in r.rounds if p != "direct")
        if share < 1.2:
            out.append(f"- {r.cell.title}: wrk and sink alone are only {share:.2f} times the fastest path")
    return out


def timed(times: changes.Times) -> list[str]:
    before, after = times.processes_before_after
    return [
        "",
        f"- {changes.SERVICES} services, {changes.MEMBERS} members ({times.document_bytes >> 10} KiB, {times.lines} lines of haproxy.cfg): "
        f"read and checked in {times.read_s:.2f} s, compiled in {times.compile_s:.2f} s",
        f"- one member applied: {times.median_apply():.0f} ms by the control socket (median of {len(times.apply_ms)}, slowest "
        f"{max(times.apply_ms):.0f}), {sorted(times.verb_ms)[len(times.verb_ms) // 2]:.0f} ms as `gurney apply` with its start; "
        f"HAProxy processes before {before}, after {after}",
    ]


def as_json(results: list[Result], times: changes.Times) -> dict[str, Any]:
    cells = {
        r.cell.title: {
            "rounds": {p: [vars(f) for f in figures] for p, figures in r.rounds.items()},
            "ratio": {p: r.ratio("gurney", p) for p in r.rounds if p != "gurney"},
        }
        for r in results
    }
    return {"cells": cells, "bar": BAR, "changes": changes.as_json(times)}


def main(args: argparse.Namespace) -> int:
    """Exit status 1 when a bar is missed or a figure is void."""
    rounds = args.rounds or ROUNDS
    above = head(rounds)
    try:
        times = changes.measure()
        results = run(rounds, say, tuple(c for c in CELLS if args.cell in c.title))
    except (Void, RuntimeError, OSError) as e:
        print(f"void: {e}")
        return 1
    wrong = faults(results)
    if args.json:
        print(json.dumps(as_json(results, times)))
    else:
        print("\n".join([*above, *table(results), *timed(times), *weak(results), *wrong]))
    return 1 if wrong else 0
