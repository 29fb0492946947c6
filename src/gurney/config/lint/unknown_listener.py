"""A rule on a listener the service does not have never matches."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.addresses import spell_target
from gurney.config.document import Document, Listen
from gurney.config.glob import fits
from gurney.config.lint.complaint import Complaint, Marks

_LOOKED_AT = 8  # a service with more listeners is not judged: every glob is tried on every one


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about each such rule."""
    for application in document.applications.values():
        for service in application.services.values():
            names = [_name(listen) for listen in service.listen]
            if len(names) > _LOOKED_AT:
                continue
            for rule in service.rules:
                globs = rule.match.get("listener", ())
                if globs and not any(fits(glob, name) for glob in globs for name in names):
                    message = f"rule '{rule.name}' never matches: service '{service.name}' has no such listener"
                    yield Complaint("GRN-L012", rule.path, message, f"its listeners: {', '.join(names[:8])}", (f"{service.path}.listen",))


def _name(listen: Listen) -> str:
    """A listener as facts and the guard name it: ADDRESS:PORT, `*:PORT` for every address."""
    return spell_target(listen.host or "*", listen.port)
