"""A rule on a host that its service does not serve never matches."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.document import Document
from gurney.config.glob import fits
from gurney.config.lint.complaint import Complaint, Marks, proxied


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about each such rule."""
    for service in proxied(document):
        for rule in service.rules:
            globs = rule.match.get("host", ())
            if globs and not any(_may_meet(glob, host) for glob in globs for host in service.hosts):
                message = f"rule '{rule.name}' never matches: service '{service.name}' serves no such host"
                hint = f"its hosts: {', '.join(service.hosts[:8])}"
                yield Complaint("GRN-L022", rule.path, message, hint, (f"{service.path}.hosts",))


def _may_meet(glob: str, host: str) -> bool:
    """Whether a glob can fit a host of an entry of `hosts`; of two with wildcards that is not looked into."""
    if not host.startswith("*"):
        return fits(glob, host)
    return "*" in glob or "?" in glob or glob.endswith(host[1:])
