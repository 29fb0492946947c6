"""The one place for reading what a rule of `protocol: dicom` matches: facts, elements, their globs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gurney.config import addresses, matches, text, words
from gurney.config.faults import Unfit, shown
from gurney.config.fields import Desk, Fields
from gurney.config.tree import Entries, Items, Node


def match(fields: Fields) -> Mapping[str, tuple[str, ...]]:
    """The facts a rule matches and their globs, by the fact's canonical name."""
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
