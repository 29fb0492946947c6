"""The one place for explaining a choice with what is known of a running HAProxy: the rules of `balance`, its members as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gurney.balance import proxied
from gurney.compile.haproxy.bundle import Bundle
from gurney.engines.haproxy import status
from gurney.engines.haproxy.runtime import Runtime


def explain(folder: Path, bundle: Bundle, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
    """Which rule, pool and member would take this, with each member's state. `folder`: HAProxy's working folder.

    Raises `NotRunning`, `NotFound`, `InputRefused`.
    """
    seen = status.status(bundle, Runtime(folder).look(), status.Totals(), {})
    views = {
        pool: {name: (str(one["operational"]), str(one["why"])) for name, one in state["members"].items()}
        for pool, state in seen["pools"].items()
    }
    return proxied.explain(bundle.table, service, facts, views)
