"""The one place for reading `balance` of a pool: a word of its protocol, or of http header:NAME."""

from __future__ import annotations

from collections.abc import Sequence

from gurney.config import http_text, keys, words
from gurney.config.faults import shown
from gurney.config.fields import Fields
from gurney.config.tree import Scalar

_HEADER = "header:"


def balance(pool: Fields, later: Sequence[str]) -> str:
    """How a pool's next member is found; a header's name comes in lower case. `later` are the words that a later version has."""
    protocol = keys.protocol(pool.kind)
    known, node = words.BALANCES_OF[protocol], pool.get("balance")
    if not (isinstance(node, Scalar) and node.sound and node.text.startswith(_HEADER)):
        return pool.word_of("balance", words.BALANCES_OF, later, "balance", known[0])
    path = pool.under("balance")
    if protocol != "http":
        message = f"balance {shown(node.text)} belongs to http pools, this one is {protocol}"
        pool.desk.wrong(node, path, "GRN-S013", message, f"one of {', '.join(known)}")
        return known[0]
    header = pool.desk.value(node, path, lambda given: http_text.header_name(given.removeprefix(_HEADER)))
    return known[0] if header is None else f"{_HEADER}{header}"
