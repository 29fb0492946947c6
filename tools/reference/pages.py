"""The one place for which files docs/reference has: a name and what makes it. What makes a page is imported when it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def _made_by(module: str, function: str) -> Callable[[], str]:
    def make() -> str:
        return str(getattr(import_module(f"tools.reference.{module}"), function)())

    return make


PAGES: Mapping[str, Callable[[], str]] = {
    "fields.md": _made_by("document", "fields"),
    "limits.md": _made_by("document", "limits_page"),
    "diagnostics.md": _made_by("document", "diagnostics"),
    "verbs.md": _made_by("verbs", "verbs"),
    "api.md": _made_by("api", "api"),
    "facts.md": _made_by("traffic", "facts_page"),
    "checks.md": _made_by("traffic", "checks"),
    "statuses.md": _made_by("traffic", "statuses"),
    "metrics.md": _made_by("traffic", "metrics"),
    "events.md": _made_by("traffic", "events"),
    "errors.md": _made_by("operating", "errors_page"),
    "conditions.md": _made_by("operating", "conditions"),
    "gurney.schema.json": _made_by("document", "schema_text"),
}
