"""The one place for explaining a choice: the same functions the traffic path uses, with every reason kept and put in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gurney.balance import keys, members, rules
from gurney.balance.facts import canonical
from gurney.balance.table import Table
from gurney.errors import NotFound


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would be decided for an object with these facts, and why."""

    application: str
    service: str
    facts: Mapping[str, str]  # given
    missing: tuple[str, ...]  # asked for by a rule or a key that was looked at, and not there
    passed: tuple[tuple[str, str], ...]  # (rule, why it does not match)
    rule: str | None
    pool: str | None
    balance: str | None
    key: str | None  # the key's kind
    pin: str | None
    selection: members.Selection

    def as_json(self) -> dict[str, Any]:
        """JSON-ready: `members` holds every member of the pool with its reason, `chosen` is null if there is none."""
        return {
            "application": self.application,
            "service": self.service,
            "facts": dict(self.facts),
            "missing": list(self.missing),
            "passed": [{"rule": rule, "why": why} for rule, why in self.passed],
            "rule": self.rule,
            "pool": self.pool,
            "balance": self.balance,
            "key": self.key,
            "pin": self.pin,
            "members": [{"member": name, "why": why} for name, why in self.selection.reasons.items()],
            "chosen": self.selection.member,
            "repin": self.selection.repin,
            "last_resort": self.selection.last_resort,
            "wait": self.selection.wait,
        }


def explain(
    table: Table,
    service: str,
    facts: Mapping[str, str],
    views: Mapping[str, Mapping[str, members.View]],
    pin: str | None = None,
    *,
    readable: bool = True,
    turn: int = 0,
    quiet: bool = False,
) -> Explanation:
    """What happens to an object with `facts` at `service`.

    `views`: by pool, its members as they are now. `pin`: the member its key is pinned to. `NotFound` for an unknown service,
    `InputRefused` for a name that is no fact.
    """
    if service not in table.services:
        raise NotFound(f"application '{table.application}' has no service '{service}'")
    facts = {canonical(name): value for name, value in facts.items()}
    asked = table.services[service]
    choice = rules.choose(asked, facts, readable)
    looked_at = asked.rules[: len(choice.passed) + (choice.rule is not None)]
    missing = [name for rule in looked_at for name in rule.match if rules.value_of(name, facts) is None]
    if choice.rule is None:
        selection = members.Selection(None)
        return Explanation(table.application, service, facts, _once(missing), choice.passed, None, None, None, None, None, selection)
    pool = table.pools[choice.rule.pool]
    key = keys.key(pool, facts, readable)
    if key.kind != keys.wanted_kind(pool):
        missing.append({"patient": "patient_id", "study": "study_uid", "object": "sop_instance"}[keys.wanted_kind(pool)])
    held = pin if key.pinned else None
    selection = members.choose(pool, key, held, views.get(pool.name, {}), turn=turn, quiet=quiet, explain=True)
    return Explanation(
        table.application,
        service,
        facts,
        _once(missing),
        choice.passed,
        choice.rule.name,
        pool.name,
        pool.balance,
        key.kind,
        held,
        selection,
    )


def _once(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
