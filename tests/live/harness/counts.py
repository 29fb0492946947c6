"""The one place for how much a scenario does: small counts in `make test`, large ones under GURNEY_COUNTS=chaos."""

from __future__ import annotations

import os
from typing import Any

CHAOS = os.environ.get("GURNEY_COUNTS") == "chaos"


def count(small: int, large: int) -> int:
    return large if CHAOS else small


def say(scenario: str, **values: Any) -> None:
    """The scenario's one line of counts."""
    print(scenario, *(f"{k}={v}" for k, v in values.items()), flush=True)
