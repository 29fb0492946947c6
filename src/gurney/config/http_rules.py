"""The one place for reading what a rule of http or tcp matches: method, path, host, network, headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gurney.config import addresses, http_text, words
from gurney.config.faults import Unfit, shown
from gurney.config.fields import Desk, Fields
from gurney.config.rules import Matched
from gurney.config.tree import Entries, Items, Node, Scalar

_PARSERS: Mapping[str, Callable[[str], str]] = {
    "method": http_text.method_glob,
    "path": http_text.path_glob,
    "host": http_text.match_host,
    "network": addresses.network,
}
_HEADER = "header:"


def match(fields: Fields) -> Matched:
    """The facts a rule of http matches and their globs; a header is `header:NAME`, or nested `header: {NAME: globs}`."""
    found: dict[str, tuple[str, ...]] = {}
    for fact, key, value, under in _facts(fields):
        if fact == "header":
            for name, inner, globs, below in fields.desk.named(value, under, "headers", None):
                _take(fields.desk, found, _header(fields.desk, inner, below, name), inner, globs, below)
            if isinstance(value, Entries) and not value.pairs:
                fields.desk.wrong(value, under, "GRN-S025", "no header to match", "header: {X-Tenant: north}")
        elif fact.startswith(_HEADER):
            _take(fields.desk, found, _header(fields.desk, key, under, fact.removeprefix(_HEADER)), key, value, under)
        else:
            known = _fact(fields.desk, key, under, words.HTTP_FACTS, words.HTTP_FACTS_LATER, "http")
            _take(fields.desk, found, known, key, value, under)
    return found


def tcp_match(with_tls: bool) -> Callable[[Fields], Matched]:
    """What reads the facts of a tcp service: network, and with TLS the host (SNI)."""

    def read(fields: Fields) -> Matched:
        found: dict[str, tuple[str, ...]] = {}
        for fact, key, value, under in _facts(fields):
            if fact == "host" and not with_tls:
                hint = "only TLS names a host before any byte of the protocol"
                fields.desk.wrong(key, under, "GRN-S010", "'host' of a tcp service needs its 'tls'", hint)
                continue
            _take(fields.desk, found, _fact(fields.desk, key, under, words.TCP_FACTS, (), "tcp"), key, value, under)
        return found

    return read


def _facts(fields: Fields) -> list[tuple[str, Scalar, Node, str]]:
    node, path = fields.get("match"), fields.under("match")
    if node is None:
        return []
    if isinstance(node, Entries) and not node.pairs:
        fields.desk.wrong(node, path, "GRN-S025", "nothing to match", "leave `match` out: the rule then fits everything")
    return list(fields.desk.named(node, path, "facts", None))


def _fact(desk: Desk, key: Scalar, path: str, known: tuple[str, ...], later: tuple[str, ...], protocol: str) -> str | None:
    if key.text in later and key.text not in known:
        desk.later(key.at, key.text, path)
        return None

    def parse(given: str) -> str:
        if given in known:
            return given
        if (given.startswith("header") and protocol == "tcp") or given in words.HTTP_FACTS:
            raise Unfit("GRN-S021", f"{shown(given)} is a fact of http services, this one is {protocol}", f"one of {', '.join(known)}")
        if given in words.FACTS or given.startswith("tag("):
            raise Unfit("GRN-S021", f"{shown(given)} is a fact of dicom services, this one is {protocol}", f"one of {', '.join(known)}")
        more = " and header:NAME" if protocol == "http" else ""
        raise Unfit("GRN-S021", f"{shown(given)} is no fact", desk.faults.guess(given, known) or f"one of {', '.join(known)}{more}")

    return desk.value(key, path, parse)


def _header(desk: Desk, key: Scalar, path: str, name: str) -> str | None:
    found = desk.value(key, path, lambda _: http_text.header_name(name))
    return None if found is None else f"{_HEADER}{found}"


def _take(desk: Desk, found: dict[str, tuple[str, ...]], fact: str | None, key: Scalar, value: Node, path: str) -> None:
    if fact is None:
        return
    if fact in found:
        desk.wrong(key, path, "GRN-S008", f"{shown(fact)} is here twice", "one list of globs per fact")
        return
    if isinstance(value, Items) and not value.items:
        desk.wrong(value, path, "GRN-S025", f"no value for {shown(fact)}", "a text or a list of texts")
    found[fact] = desk.values(value, path, _PARSERS.get(fact, http_text.header_glob))
