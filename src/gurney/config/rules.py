"""The one place for reading rules: what they match, which pool they name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import islice

from gurney.config import limits, text, words
from gurney.config.document import Rule
from gurney.config.faults import Unfit, printable, shown
from gurney.config.fields import Desk, Fields
from gurney.config.tree import Items, Node, Scalar

_EXAMPLES = {"dicom": "{modality: MG}", "http": "{path: /api/*}", "tcp": "{network: 10.0.3.0/24}"}
Matched = Mapping[str, tuple[str, ...]]


def rules(service: Fields, pools: Collection[str], protocol: str, match: Callable[[Fields], Matched]) -> tuple[Rule, ...]:
    """The rules of a service, named and pointing at pools that exist; without `rules` one rule to the application's only pool.

    `match` reads a rule's key of that name: what may stand there depends on the protocol.
    """
    desk, node = service.desk, service.get("rules")
    if node is None:
        return _only_pool(service, pools)
    path = service.under("rules")
    if not isinstance(node, Items):
        if not (isinstance(node, Scalar) and not node.sound):
            desk.wrong(node, path, "GRN-S011", "rules are a list", f"- {{match: {_EXAMPLES[protocol]}, pool: NAME}}")
        desk.faults.breaks(path)
        return ()
    if not node.items:
        desk.wrong(node, path, "GRN-S025", "no rules in the list", "leave `rules` out: the application's only pool is used")
    if len(node.items) > limits.RULES:
        desk.wrong(node, path, "GRN-S006", f"more than {limits.RULES} rules in one service")
        return ()
    found: list[Rule] = []
    taken: dict[str, int] = {}
    for index, item in enumerate(node.items):
        rule = _rule(desk, item, f"{path}[{index}]", index + 1, pools, f"rule.{protocol}", match)
        if rule is None:
            continue
        if rule.name in taken:
            hint = f"rules without a name are called rule-N; rule {taken[rule.name]} has this name too"
            desk.wrong(item, rule.path, "GRN-S023", f"two rules are named {shown(rule.name)}", hint)
        taken[rule.name] = index + 1
        found.append(rule)
    return tuple(found)


def _only_pool(service: Fields, pools: Collection[str]) -> tuple[Rule, ...]:
    if len(pools) == 1:
        return (Rule("rule-1", service.path, {}, next(iter(pools))),)
    if pools:
        names = ", ".join(map(printable, islice(pools, 5)))
        message = f"service {shown(service.path.rpartition('.')[2])} has no rules, and the application has {len(pools)} pools"
        service.desk.faults.add(service.at, "GRN-S010", message, f"rules: [{{pool: NAME}}] with one of {names}", path=service.path)
    return ()


def _rule(
    desk: Desk, node: Node, path: str, number: int, pools: Collection[str], kind: str, match: Callable[[Fields], Matched]
) -> Rule | None:
    desk.marks[path] = node.at
    fields = desk.open(node, path, kind, node.at)
    if fields is None:
        return None
    fields.judge()

    return Rule(
        name=fields.value("name", lambda given: text.name(given, "a rule"), f"rule-{number}"),
        path=path,
        match=match(fields),
        pool=fields.value("pool", lambda given: pool_name(desk, given, pools), ""),
        urgency=_urgency(fields) if kind == "rule.dicom" else words.URGENCIES[1],
    )


def _urgency(fields: Fields) -> str:
    return fields.word("urgency", words.URGENCIES, (), "urgency", words.URGENCIES[1])


def pool_name(desk: Desk, given: str, pools: Collection[str]) -> str:
    """The name of a pool of the application."""
    if given not in pools:
        hint = desk.faults.guess(given, pools) or (f"the application has {', '.join(map(printable, islice(pools, 8)))}" if pools else None)
        raise Unfit("GRN-S012", f"pool {shown(given)} is not defined", hint)
    return given
