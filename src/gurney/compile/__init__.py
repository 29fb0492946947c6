"""From a checked document to each engine's exact files. Pure: nothing is written here."""

from __future__ import annotations

from gurney.compile import haproxy, route
from gurney.compile.target import Target


def targets() -> tuple[Target, ...]:
    """Every compiler there is, in the order in which their engines are listed."""
    return (route.TARGET, haproxy.TARGET)
