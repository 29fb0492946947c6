"""The one place for times, rates and sizes as a person reads them."""

from __future__ import annotations

from datetime import datetime


def local(seconds: float) -> str:
    """Seconds since the epoch in this machine's zone."""
    return datetime.fromtimestamp(int(seconds)).astimezone().isoformat(sep=" ", timespec="seconds")


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
