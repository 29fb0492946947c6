"""The page about the local API, read off its own table of routes."""

from __future__ import annotations

import inspect
import typing
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel

from gurney.api.routes import Route, routes
from tools.reference.table import code, codes, page, table


def endpoints() -> tuple[Route, ...]:
    """Every endpoint; nothing behind them is called."""
    anything: Any = SimpleNamespace(control=None)
    return routes(anything)


def _body(handler: Any) -> list[str]:
    """The fields that an endpoint takes: of its body, or the parameters of its query."""
    fields: list[str] = []
    hints = typing.get_type_hints(handler)
    for name in inspect.signature(handler).parameters:
        hint = hints.get(name)
        if inspect.isclass(hint) and issubclass(hint, BaseModel):
            fields += [field if info.is_required() else f"[{field}]" for field, info in hint.model_fields.items()]
        elif name == "object":
            fields.append(f"?{name}")
    return fields


def api() -> str:
    """Every endpoint of the local API."""
    rows = [
        (code(item.method), code(item.path), item.access, codes(_body(item.handler)), inspect.getdoc(item.handler)) for item in endpoints()
    ]
    return page(
        "Local API",
        "`gurney/api/routes.py`",
        "HTTP on `control.sock` in the state folder, JSON both ways. The socket is 0600 in a 0700 folder: file permissions are the authentication. `owner` is the user "
        "that Gurney runs as, and root. A field in brackets may be left out, one with `?` stands in the query; unknown fields are refused. An error is a problem "
        "object (RFC 9457) with a stable [code](errors.md). The command line has no other way in.",
        table(("method", "path", "who", "takes", "meaning"), rows),
    )
