"""The pages about operating: errors and conditions."""

from __future__ import annotations

import inspect

from gurney import errors
from gurney.control import conditions as of_control
from gurney.deliver import conditions as of_routes
from gurney.engines.haproxy import conditions as of_haproxy
from tools.reference.table import code, page, table


def error_classes() -> list[type[errors.GurneyError]]:
    """Every error class, by its code."""
    found = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, errors.GurneyError)]
    return sorted(found, key=lambda item: item.code)


def errors_page() -> str:
    """Every error code."""
    rows = [
        (code(item.code), item.title, item.exit_status, item.http_status, inspect.cleandoc(item.__doc__ or "")) for item in error_classes()
    ]
    return page(
        "Errors",
        "`gurney/errors.py`",
        "What a verb prints on stderr and the local API answers as a problem object (RFC 9457): the code is stable, the message and the hint are for people.",
        table(("code", "title", "exit", "HTTP", "meaning"), rows),
    )


def conditions() -> str:
    """Every condition; one that several engines know has the meaning of the first."""
    meanings = {**of_haproxy.MEANINGS, **of_routes.MEANINGS, **of_control.MEANINGS}
    return page(
        "Conditions",
        "`gurney/control/conditions.py`, `gurney/deliver/conditions.py` and `gurney/engines/haproxy/conditions.py`",
        "Something that is not as it should be, with a reason and since when: `gurney status` lists them. What to do about each stands in "
        "[Operating](../operating.md#conditions).",
        table(("code", "meaning"), [(code(name), meaning) for name, meaning in meanings.items()]),
    )
