"""The one place for how many sessions are open, as an engine tells it: what a plan counts as cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def open_sessions(status: Mapping[str, Any] | None) -> dict[str, int]:
    """Open associations by service."""
    services = (status or {}).get("services")
    found: dict[str, int] = {}
    for name, service in services.items() if isinstance(services, Mapping) else ():
        count = service.get("associations") if isinstance(service, Mapping) else None
        found[name] = count if isinstance(count, int) and not isinstance(count, bool) else 0
    return found
