"""The one place for rules: which one an object follows, which ones it could still follow, and who is admitted at all.

The first rule whose every fact fits wins. A fact that is missing does not fit. What is said about a rule that was passed names
facts and globs, never values: values may be a patient's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gurney.balance.facts import ASSOCIATION, canonical
from gurney.balance.glob import fits, fits_any
from gurney.balance.networks import holds, is_network
from gurney.config.document import Peer, Rule, Service
from gurney.config.matches import is_tag


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule that won, or None; `passed` says of each rule before it why it did not match."""

    rule: Rule | None
    passed: tuple[tuple[str, str], ...]


def choose(service: Service, facts: Mapping[str, str], readable: bool = True) -> Choice:
    """The rule for an object with `facts`. An unreadable data set follows the last rule only (`dicom.md` §3)."""
    passed: list[tuple[str, str]] = []
    last = len(service.rules) - 1
    for at, rule in enumerate(service.rules):
        why = "the data set cannot be read" if not readable and at < last else mismatch(rule, facts)
        if why is None:
            return Choice(rule, tuple(passed))
        passed.append((rule.name, why))
    return Choice(None, tuple(passed))


def mismatch(rule: Rule, facts: Mapping[str, str]) -> str | None:
    """Why `rule` does not match, in words; None if it does."""
    for name, globs in rule.match.items():
        value = value_of(name, facts)
        if value is None:
            return f"{name} is missing"
        if not _fits(name, globs, value):
            return f"{name} does not fit {' or '.join(globs)}"
    return None


def possible(service: Service, known_facts: Mapping[str, str]) -> tuple[Rule, ...]:
    """Every rule an object could still follow while only `known_facts` are known, up to the first that surely matches.

    Facts of the association are all known from its start: one of them that is absent is missing. An absent fact of the
    command or data set is unknown.
    """
    found: list[Rule] = []
    for rule in service.rules:
        sure = True
        for name, globs in rule.match.items():
            value = value_of(name, known_facts)
            if value is None:
                if name in ASSOCIATION:
                    break
                sure = False
            elif not _fits(name, globs, value):
                break
        else:
            found.append(rule)
            if sure:
                break
    return tuple(found)


def admits(accept_from: Sequence[Peer], calling_ae: str, address: str) -> bool:
    """True if one entry fits both the name and the address; an empty list admits everyone."""
    return not accept_from or any(
        fits(peer.name, calling_ae) and (peer.network is None or holds(peer.network, address)) for peer in accept_from
    )


def value_of(name: str, facts: Mapping[str, str]) -> str | None:
    """The value of the fact a rule calls `name`, or None if it is missing."""
    return facts.get(canonical(name) if is_tag(name) else name)


def _fits(name: str, globs: Sequence[str], value: str) -> bool:
    if name == "network":
        return any(holds(glob, value) if is_network(glob) else fits(glob, value) for glob in globs)
    return fits_any(globs, value)
