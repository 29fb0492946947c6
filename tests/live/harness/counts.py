"""The one place for how much a scenario does: small in `make test`, as an issue asks in `make live`, large in `make chaos`."""

from __future__ import annotations

import os
from typing import Any

LEVEL = os.environ.get("GURNEY_COUNTS", "")
CHAOS = LEVEL == "chaos"
ASKED = LEVEL in ("live", "chaos")


def count(small: int, large: int, asked: int | None = None) -> int:
    """`asked` is what `make live` does where it differs from `small`."""
    if CHAOS:
        return large
    return asked if ASKED and asked is not None else small


def say(scenario: str, **values: Any) -> None:
    """The scenario's one line of counts."""
    print(scenario, *(f"{k}={v}" for k, v in values.items()), flush=True)
