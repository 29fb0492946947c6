"""The one place for reading rules: what they match, which pool they name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import islice

from gurney.config import addresses, limits, matches, text, words
from gurney.config.document import Rule
from gurney.config.faults import Unfit, printable, shown
from gurney.config.fields import Desk, Fields
from gurney.config.tree import Entries, Items, Node, Scalar


def rules(service: Fields, pools: Collection[str]) -> tuple[Rule, ...]:
    """The rules of a service, named and pointing at pools that exist; without `rules` one rule to the application's only pool."""
    desk, node = service.desk, service.get("rules")
    if node is None:
        return _only_pool(service, pools)
    path = service.under("rules")
    if not isinstance(node, Items):
        if not (isinstance(node, Scalar) and not node.sound):
            desk.wrong(node, path, "GRN-S011", "rules are a list", "- {match: {modality: MG}, pool: NAME}")
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
        rule = _rule(desk, item, f"{path}[{index}]", index + 1, pools)
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


def _rule(desk: Desk, node: Node, path: str, number: int, pools: Collection[str]) -> Rule | None:
    desk.marks[path] = node.at
    fields = desk.open(node, path, "rule", node.at)
    if fields is None:
        return None
    fields.judge()

    def pool(given: str) -> str:
        if given not in pools:
            hint = desk.faults.guess(given, pools) or (
                f"the application has {', '.join(map(printable, islice(pools, 8)))}" if pools else None
            )
            raise Unfit("GRN-S012", f"pool {shown(given)} is not defined", hint)
        return given

    return Rule(
        name=fields.value("name", lambda given: text.name(given, "a rule"), f"rule-{number}"),
        path=path,
        match=_match(fields),
        pool=fields.value("pool", pool, ""),
        urgency=fields.word("urgency", words.URGENCIES, (), "urgency", words.URGENCIES[1]),
    )


def _match(fields: Fields) -> Mapping[str, tuple[str, ...]]:
    node, path, desk = fields.get("match"), fields.under("match"), fields.desk
    if node is None:
        return {}
    if isinstance(node, Entries) and not node.pairs:
        desk.wrong(node, path, "GRN-S025", "nothing to match", "leave `match` out: the rule then fits everything")
    found: dict[str, tuple[str, ...]] = {}
    for fact, key, value, under in desk.named(node, path, "facts", None):
        if fact in words.FACTS_LATER:
            desk.later(key.at, fact, under)
            continue
        canonical = desk.value(key, under, lambda given: _fact(desk, given))
        if canonical is None:
            continue
        if canonical in found:
            desk.wrong(key, under, "GRN-S008", f"{shown(canonical)} is here twice", "one list of globs per fact")
            continue
        parse = _PARSERS.get(fact, matches.glob)
        if fact == "request":
            globs = _requests(desk, value, under)
        else:
            globs = desk.values(value, under, parse)
        if isinstance(value, Items) and not value.items:
            desk.wrong(value, under, "GRN-S025", f"no value for {shown(fact)}", "a text or a list of texts")
        found[canonical] = globs
    return found


def _fact(desk: Desk, given: str) -> str:
    """A fact's name, or an element's tag in canonical form."""
    if matches.is_tag(given):
        return str(matches.tag(given))
    if given not in words.FACTS:
        hint = desk.faults.guess(given, words.FACTS) or 'a fact, or an element: "tag(0010,0040)"'
        raise Unfit("GRN-S021", f"{shown(given)} is no fact", hint)
    return given


def _requests(desk: Desk, node: Node, path: str) -> tuple[str, ...]:
    items = node.items if isinstance(node, Items) else (node,)
    found = (desk.word(item, path, words.REQUESTS, words.REQUESTS_LATER, "request", "request") for item in items)
    return tuple(word for word in found if word is not None)


def _uid_glob(given: str) -> str:
    """A UID or a glob over UIDs."""
    if "*" in given or "?" in given:
        if given.strip("0123456789.*?"):
            raise Unfit("GRN-S020", f"{shown(given)} fits no UID", "digits, dots, * and ?")
        return given
    return text.uid(given)


def _ae_glob(given: str) -> str:
    if "*" in given or "?" in given:
        return matches.glob(given)
    return text.ae_title(given)


_PARSERS: Mapping[str, Callable[[str], str]] = {
    "network": addresses.network,
    "sop_class": _uid_glob,
    "transfer_syntax": _uid_glob,
    "calling_ae": _ae_glob,
    "called_ae": _ae_glob,
}
