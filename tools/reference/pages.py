"""The one place for which pages docs/reference has: a name and what makes it. A page is imported when it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def _made_by(module: str, function: str) -> Callable[[], str]:
    def make() -> str:
        return str(getattr(import_module(f"tools.reference.{module}"), function)())

    return make


PAGES: Mapping[str, Callable[[], str]] = {
    "fields": _made_by("document", "fields"),
    "limits": _made_by("document", "limits_page"),
    "diagnostics": _made_by("document", "diagnostics"),
    "verbs": _made_by("verbs", "verbs"),
    "facts": _made_by("traffic", "facts_page"),
    "checks": _made_by("traffic", "checks"),
    "statuses": _made_by("traffic", "statuses"),
    "metrics": _made_by("traffic", "metrics"),
    "events": _made_by("traffic", "events"),
    "errors": _made_by("operating", "errors_page"),
    "conditions": _made_by("operating", "conditions"),
}
