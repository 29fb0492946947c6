"""The one place for running programs, one file each: check, publish, load, confirm, observe, explain.

An engine is added with one file beside `route.py` and one line in `engines`.
"""

from __future__ import annotations

from gurney.engines.engine import Engine, Ground
from gurney.engines.haproxy.engine import Haproxy
from gurney.engines.route import Route

__all__ = ["Engine", "Ground", "engines"]


def engines(ground: Ground) -> dict[str, Engine]:
    """Every engine of this version, by its name."""
    return {
        Route.name: Route(ground),
        Haproxy.name: Haproxy(ground),
    }
