"""The one place for reading a mapping against its table of keys: unknown, missing and later keys, shapes, values through parsers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gurney.config import keys, limits, text, words
from gurney.config.faults import Faults, Unfit, printable, shown
from gurney.config.tree import Entries, Items, Node, Scalar

T = TypeVar("T")

_A = {keys.title(kind): f"a {keys.title(kind)}" for kind in keys.KINDS} | {
    "application": "an application",
    "limits": "limits",
    "tls": "tls",
    "member_tls": "a member's tls",
    "persist": "persist",
    "queue": "queue",
    "fallback": "fallback",
}
_SEVERAL = {"tls": "tls", "limits": "limits", "persist": "persist"}  # what has no plural of its own
_FACTS = frozenset((*words.FACTS, *words.HTTP_FACTS, *words.TCP_FACTS))
_SHAPES = {Scalar: "a text", Items: "a list", Entries: "a mapping"}


@dataclass(slots=True)
class Desk:
    """What one reading works with: where faults and marks go, and the names that may be pointed at."""

    faults: Faults
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    sites: Collection[str] = ()  # the names a `site` may point at

    def wrong(self, node: Node, path: str, code: str, message: str, hint: str | None = None) -> None:
        """An error at a node."""
        self.faults.add(node.at, code, message, hint, path=path)

    def later(self, at: tuple[int, int], what: str, path: str, hint: str | None = None) -> None:
        """Something of the contract that this version does not do yet. Only a key that names pools keeps lint from judging on."""
        self.faults.add(at, "GRN-V001", f"'{what}' is not in this version", hint, path=path, breaks=what == "copy_to")

    def value(self, node: Node, path: str, parse: Callable[[str], T], hint: str | None = None) -> T | None:
        """A scalar through its parser; None when a fault was said."""
        if not isinstance(node, Scalar):
            self.wrong(node, path, "GRN-S011", f"a text is expected here, not {_SHAPES[type(node)]}", hint)
            return None
        if not node.sound:
            self.faults.breaks(path)
            return None
        try:
            return parse(node.text)
        except Unfit as unfit:
            self.wrong(node, path, unfit.code, unfit.message, unfit.hint)
            return None

    def values(self, node: Node, path: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """A scalar or a list of scalars; those with a fault are left out."""
        if isinstance(node, Scalar):
            one = self.value(node, path, parse)
            return () if one is None else (one,)
        if not isinstance(node, Items):
            self.wrong(node, path, "GRN-S011", "a text or a list is expected here, not a mapping")
            return ()
        if len(node.items) > limits.LISTED:
            self.wrong(node, path, "GRN-S006", f"more than {limits.LISTED} texts in one list")
            return ()
        found = (self.value(item, f"{path}[{index}]", parse) for index, item in enumerate(node.items))
        return tuple(value for value in found if value is not None)

    def word(self, node: Node, path: str, known: Sequence[str], later: Sequence[str], what: str, key: str) -> str | None:
        """One of a closed list; a word of `later` is GRN-V001."""

        def parse(value: str) -> str:
            return text.word(value, known, what, lambda given, among: self.faults.guess(given, [*among, *later]))

        if isinstance(node, Scalar) and node.sound and node.text in later:
            self.later(node.at, f"{key}: {printable(node.text)}", path, f"this version has {', '.join(known)}")
            return None
        return self.value(node, path, parse)

    def named(self, node: Node, path: str, what: str, name: Callable[[str], str] | None) -> Iterator[tuple[str, Scalar, Node, str]]:
        """A mapping of freely named things: yields (name, key, value, path) and notes each mark; wrong names are said."""
        if not isinstance(node, Entries):
            if not (isinstance(node, Scalar) and not node.sound):
                self.wrong(node, path, "GRN-S011", f"a mapping of {what} is expected here, not {_SHAPES[type(node)]}")
            self.faults.breaks(path)
            return
        if len(node.pairs) > limits.NAMED:
            self.wrong(node, path, "GRN-S006", f"more than {limits.NAMED} {what} in one mapping")
            return
        for key, value in node.pairs:
            under = f"{path}.{key.text}"
            self.marks[under] = key.at
            if name is not None:
                self.value(key, under, name)
            yield key.text, key, value, under

    def open(self, node: Node, path: str, kind: str, at: tuple[int, int]) -> Fields | None:
        """A mapping read against the table `kind`; None when it is none. `at` is where it is named (its key)."""
        if not isinstance(node, Entries):
            if not (isinstance(node, Scalar) and not node.sound):
                self.wrong(node, path, "GRN-S011", f"a mapping is expected here, not {_SHAPES[type(node)]}", _keys_hint(kind))
            self.faults.breaks(path)
            return None
        return Fields(self, kind, node, path, at)


def _keys_hint(kind: str) -> str:
    return "its keys: " + ", ".join(key.name for key in keys.KINDS[kind] if not key.later)


class Fields:
    """One mapping whose keys have been judged; `get` gives the node of a key this version has, or None."""

    def __init__(self, desk: Desk, kind: str, node: Entries, path: str, at: tuple[int, int]) -> None:
        self.desk, self.path, self.at = desk, path, at
        self.kind = kind
        self._pairs = {key.text: (key, value) for key, value in node.pairs}
        for key, _ in node.pairs:
            desk.marks.setdefault(f"{path}.{key.text}" if path else key.text, key.at)

    def judge(self) -> None:
        """Says unknown, later and missing keys; a required key that stands there misspelt is not said to be missing too."""
        table = {key.name: key for key in keys.KINDS[self.kind]}
        meant: set[str] = set()
        for name, (key, _) in self._pairs.items():
            known = table.get(name)
            if known is None:
                ours, said, hint = self._unknown(name)
                meant.add(ours)
                self.desk.wrong(key, self.under(name), "GRN-S009", said, hint)
            elif known.later:
                self.desk.later(key.at, name, self.under(name))
        for name, known in table.items():
            if known.required and name not in self._pairs and name not in meant:
                self.desk.faults.add(self.at, "GRN-S010", f"{self._what()} needs '{name}'", known.meaning, path=self.path)
            elif known.required and name not in self._pairs:
                self.desk.faults.breaks(self.path)

    def _unknown(self, name: str) -> tuple[str, str, str | None]:
        """The key an unknown one was meant to be ("" if none is near), what is said of it, and the hint."""
        called, protocol = keys.title(self.kind), keys.protocol(self.kind)
        said = f"unknown key {shown(name)} in {_A[called]}"
        table = {key.name: key for key in keys.KINDS[self.kind]}
        owners = keys.owners(self.kind, name, later=False)
        near = next((other for other in _NEAR_KINDS.get(called, ()) if keys.has(other, protocol, name)), None)
        if near is not None and not owners:
            return "", said, f"'{name}' is a key of {_A[near]}"
        owners = owners or keys.owners(self.kind, name, later=True)
        if owners:
            whose = f"{' and '.join(owners)} {_SEVERAL.get(called, f'{called}s')}"
            return "", f"{shown(name)} belongs to {whose}, this one is {protocol}", None
        ours = _SAID_ELSEWHERE.get(name.lower().replace("-", "_"), "")
        if ours in table and not table[ours].later:
            return ours, said, f"here it is called '{ours}'"
        if called == "rule" and (name in _FACTS or name.startswith("header:")):
            return "", said, f"a fact stands in `match`: {{match: {{{name}: …}}, pool: NAME}}"
        meant = self.desk.faults.nearest(name, table)
        return (meant, said, f"did you mean {shown(meant)}?") if meant is not None else ("", said, _keys_hint(self.kind))

    def _what(self) -> str:
        last, called = self.path.rpartition(".")[2], keys.title(self.kind)
        return f"{called} {shown(last)}" if called in ("application", "service", "pool", "member", "site") else _A[called]

    def under(self, name: str) -> str:
        """The document path of a key."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Whether the key stands in the document."""
        return name in self._pairs

    def get(self, name: str) -> Node | None:
        """The value's node, or None when the key is left out."""
        pair = self._pairs.get(name)
        return pair[1] if pair is not None else None

    def key_at(self, name: str) -> tuple[int, int]:
        """Where the key itself stands."""
        return self._pairs[name][0].at

    def word_of(self, name: str, of: Mapping[str, Sequence[str]], later: Sequence[str], what: str, default: str) -> str:
        """As `word`, of lists by protocol: a word that only another protocol has is said to be that one's."""
        node, protocol = self.get(name), keys.protocol(self.kind)
        if isinstance(node, Scalar) and node.sound and node.text not in (*of[protocol], *later):
            owners = [other for other, known in of.items() if node.text in known]
            if owners:
                message = f"{what} {shown(node.text)} belongs to {' and '.join(owners)} pools, this one is {protocol}"
                self.desk.wrong(node, self.under(name), "GRN-S013", message, f"one of {', '.join(of[protocol])}")
                return default
        return self.word(name, of[protocol], later, what, default)

    def value(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """The value of a key through its parser; the default when it is left out or faulty."""
        node = self.get(name)
        if node is None:
            return default
        found = self.desk.value(node, self.under(name), parse)
        return default if found is None else found

    def optional(self, name: str, parse: Callable[[str], T | None], default: T | None) -> T | None:
        """As `value`, of what may be None when it is written out (`none`)."""

        def boxed(given: str) -> tuple[T | None]:
            return (parse(given),)

        found = self.value(name, boxed, (default,))
        return found[0]

    def word(self, name: str, known: Sequence[str], later: Sequence[str], what: str, default: str) -> str:
        """The word of a key; the default when it is left out, faulty or not in this version."""
        node = self.get(name)
        if node is None:
            return default
        return self.desk.word(node, self.under(name), known, later, what, name) or default

    def values(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """A scalar or list of a key; empty when it is left out."""
        node = self.get(name)
        return () if node is None else self.desk.values(node, self.under(name), parse)


_NEAR_KINDS = {
    "pool": ("member", "check", "queue", "persist", "fallback", "member_tls", "service"),
    "member": ("pool", "check", "member_tls"),
    "application": ("service",),
    "service": ("rule", "application", "tls", "limits", "pool"),
    "rule": ("service", "pool"),
    "tls": ("service",),
    "check": ("pool",),
    "limits": ("service", "pool"),
}


_SAID_ELSEWHERE = {  # words of other programs for ours (architecture.md §2)
    "location": "site",
    "backend": "pool",
    "backends": "pools",
    "upstream": "pool",
    "servers": "members",
    "targets": "members",
    "host": "address",
    "aet": "ae_title",
    "aetitle": "ae_title",
    "called_ae": "ae_title",
    "algorithm": "balance",
    "method": "balance",
    "health_check": "check",
    "healthcheck": "check",
    "when": "match",
    "port": "listen",
    "bind": "listen",
    "allow": "accept_from",
    "frontends": "services",
    "retries": "fall",
    "key": "certificate",
    "cert": "certificate",
    "ssl": "tls",
    "sni": "server_name",
    "domains": "hosts",
    "prefix": "base",
    "maxconn": "max_in_flight",
    "max_conn": "max_in_flight",
    "sticky": "persist",
    "stickiness": "persist",
    "backup": "fallback",
    "send_proxy": "proxy",
}
