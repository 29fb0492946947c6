"""The one place for what the API stands on: the control process's parts, as its handlers see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gurney.control.control import Control
from gurney.control.watch import Watch


@dataclass(frozen=True, slots=True)
class Work:
    """`down` stops all traffic, answers when it is stopped, and has the control process end after that answer."""

    control: Control
    watch: Watch
    down: Callable[[], dict[str, Any]]
