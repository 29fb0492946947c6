"""The one place for rules: which one an object follows, which ones it could still follow, and who is admitted at all.

The first rule whose every fact fits wins. A fact that is missing does not fit. What is said about a rule that was passed names
facts and globs, never values: values may be a patient's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gurney.balance.facts import ASSOCIATION, canonical
from gurney.balance.networks import holds, is_network
from gurney.config.document import Peer, Rule, Service
from gurney.config.glob import fits, fits_value


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule that won, or None; `failed` holds each rule before it with the fact that spoke against it and whether that is missing."""

    rule: Rule | None
    failed: tuple[tuple[Rule, str, bool], ...]

    @property
    def passed(self) -> tuple[tuple[str, str], ...]:
        """(rule name, why it did not match) of each rule before the one that won; put into words only when asked for."""
        return tuple((rule.name, _words(rule, fact, missing)) for rule, fact, missing in self.failed)


_UNREADABLE = "the data set"


def choose(service: Service, facts: Mapping[str, str], readable: bool = True) -> Choice:
    """The rule for an object with `facts`. An unreadable data set follows the last rule only (`dicom.md` §3)."""
    failed: list[tuple[Rule, str, bool]] = []
    last = len(service.rules) - 1
    for at, rule in enumerate(service.rules):
        if not readable and at < last:
            failed.append((rule, _UNREADABLE, True))
            continue
        against = _against(rule, facts)
        if against is None:
            return Choice(rule, tuple(failed))
        failed.append((rule, *against))
    return Choice(None, tuple(failed))


def _against(rule: Rule, facts: Mapping[str, str]) -> tuple[str, bool] | None:
    """The first fact that speaks against `rule` and whether it is missing; None if the rule matches."""
    for name, globs in rule.match.items():
        value = value_of(name, facts)
        if value is None:
            return name, True
        if not _fits(name, globs, value):
            return name, False
    return None


def _words(rule: Rule, fact: str, missing: bool) -> str:
    if fact == _UNREADABLE:
        return f"{fact} cannot be read"
    return f"{fact} is missing" if missing else f"{fact} does not fit {' or '.join(rule.match[fact])}"


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
    value = facts.get(name)
    return facts.get(canonical(name)) if value is None and name.startswith("tag(") else value


def _fits(name: str, globs: Sequence[str], value: str) -> bool:
    if name == "network":
        return any(holds(glob, value) if is_network(glob) else fits(glob, value) for glob in globs)
    for glob in globs:  # noqa: SIM110 - this is asked for every rule and object, a generator costs as much as the answer
        if fits_value(glob, value):
            return True
    return False
