"""The one place for turning HAProxy's complaints into words of the document: its lines, its made-up names, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gurney.compile.haproxy.bundle import Bundle

SHOWN = 3  # complaints in one message
LENGTH = 400  # characters of one complaint
DEFECT = "this is a defect in Gurney, not in the document"
_HEAD = re.compile(r"^\[(ALERT|EMERG)\]\s+\(\d+\)\s*:\s*(?:config\s*:\s*)?")
_LINE = re.compile(r"\[[^\]\s]*haproxy\.cfg:(\d+)\]")
_NOISE = (
    "Error(s) found in configuration file", "Fatal errors found in configuration", "Some protocols failed to start",
    "has no server available", "exited with code", "exit-on-failure",
)  # fmt: skip
"""Alerts that sum others up, or tell of what happens while it runs."""
_LIMITS = re.compile(r"raise FD limit|not enough memory|RLIMIT_NOFILE", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What HAProxy did not take: in words, where in the document (None: nowhere in it), and what may be done."""

    message: str
    path: str | None
    hint: str | None


def complaint(log: str, bundle: Bundle, *, defect: bool) -> Complaint | None:
    """The alerts of a log as one complaint; None when it holds none.

    `defect`: what the compiler made was refused, which is no one's fault but ours.
    """
    alerts = list(_alerts(log))
    if not alerts:
        return None
    path = next((found for found in (_path(alert, bundle) for alert in alerts) if found), None)
    told = [_told(alert, bundle) for alert in alerts]
    more = f" (and {len(told) - SHOWN} more)" if len(told) > SHOWN else ""
    hint = DEFECT if defect else None
    if any(_LIMITS.search(alert) for alert in alerts):
        hint = "raise the limit of open files (LimitNOFILE= of the service), or lower limits.connections"
    return Complaint("; ".join(told[:SHOWN]) + more, path, hint)


def named(text: str, bundle: Bundle) -> str:
    """The same text with the names people gave instead of ours."""
    known: dict[str, str] = {}
    for backend in bundle.backends:
        known[backend.name] = f"pool {backend.pool}"
        for server in backend.servers:
            known[f"{backend.name}/{server.name}"] = known[server.name] = f"member {server.member}"
    for frontend in bundle.frontends:
        known[frontend.name] = f"listener {frontend.listener}"
    if not known:
        return text
    names = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    return re.sub(rf"(?<![\w.-])({names})(?![\w.-])", lambda match: known[match[1]], text)


def _alerts(log: str) -> Iterator[str]:
    for line in log.splitlines():
        match = _HEAD.match(line)
        text = line[match.end() :].strip() if match is not None else ""
        if text and not any(noise in text for noise in _NOISE):
            yield text


def _path(alert: str, bundle: Bundle) -> str | None:
    match = _LINE.search(alert)
    if match is not None and _line(match, bundle):
        return _line(match, bundle)
    for backend in bundle.backends:
        for server in backend.servers:
            if f"{backend.name}/{server.name}" in alert:
                return server.path
    return None


def _line(match: re.Match[str], bundle: Bundle) -> str:
    number = int(match[1])
    return bundle.lines[number - 1] if 1 <= number <= len(bundle.lines) else ""


def _told(alert: str, bundle: Bundle) -> str:
    """One complaint without names of ours: lines are paths of the document, backends are pools, servers are members."""
    return named(_LINE.sub(lambda match: _line(match, bundle) or f"line {match[1]} of haproxy.cfg", alert), bundle)[:LENGTH]
