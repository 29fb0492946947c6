"""The one place for times, rates and sizes as a person reads them."""

from __future__ import annotations

from datetime import datetime


def local(seconds: float) -> str:
    """Seconds since the epoch in this machine's zone."""
    return datetime.fromtimestamp(int(seconds)).astimezone().isoformat(sep=" ", timespec="seconds")


def clock(moment: str) -> str:
    """An ISO 8601 time in this machine's zone, as short as it may be: `13:04` today, else with its date."""
    there = datetime.fromisoformat(moment).astimezone()
    return there.strftime("%H:%M" if there.date() == datetime.now().astimezone().date() else "%Y-%m-%d %H:%M")


def size(count: object) -> str:
    """Bytes with a binary unit: 1536 -> `1.5 KiB`; `-` for what is no number."""
    if not isinstance(count, (int, float)):
        return "-"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def rate(value: object) -> str:
    """A number a second with one decimal; `-` for what is no number."""
    return f"{value:.1f}" if isinstance(value, (int, float)) else "-"
