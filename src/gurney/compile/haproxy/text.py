"""The one place for writing HAProxy's grammars: every quote and escape of haproxy.cfg, its crt-lists and value lists is made here.

A quoted leaf stands between single quotes, where HAProxy takes everything but the quote itself literally; in a log-format position `%` is
doubled. The leaves were checked when they were made and what is written is checked once more: a line holds no character of
`tainted`, no second line, and of quotes only those put there by this file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gurney.compile.haproxy import tainted
from gurney.compile.haproxy.tree import (
    Acl,
    Address,
    Call,
    Cookie,
    Digest,
    File,
    Format,
    Header,
    Host,
    HostPort,
    Int,
    Ip,
    Leaf,
    Line,
    Listed,
    LogFields,
    Made,
    MapKey,
    Milliseconds,
    Network,
    Pattern,
    Quoted,
    Sample,
    Section,
    Span,
    Term,
    Tracked,
    UrlPath,
    Word,
)
from gurney.config.addresses import spell_target
from gurney.errors import LocalError

FOLDER = "current"  # where the bundle's files lie, seen from HAProxy's working folder
_INDENT = "    "
_BARE = re.compile(r"[A-Za-z0-9.:/=_-]+")  # needs no quotes anywhere
_SECONDS, _MINUTES, _HOURS = 1_000, 60_000, 3_600_000


def configuration(sections: Iterable[Section]) -> tuple[str, tuple[str, ...]]:
    """The text of haproxy.cfg and, per line, the document path it comes from."""
    written: list[str] = []
    paths: list[str] = []
    for section in sections:
        if written:
            written.append("")
            paths.append("")
        written.append(line(section.head))
        paths.append(section.head.path)
        for item in section.lines:
            written.append(_INDENT + line(item))
            paths.append(item.path)
    return "\n".join(written) + "\n", tuple(paths)


def line(item: Line) -> str:
    """One line without its indent and its end."""
    text = " ".join([word(leaf) for leaf in item.leaves])
    if tainted.fault(text) is not None:
        raise LocalError(f"a line of haproxy.cfg holds {tainted.fault(text)}")
    return text


def words(leaves: Iterable[Leaf]) -> str:
    """Leaves as the arguments of a command on the runtime socket; there `;` ends a command and a quote is nothing special."""
    text = " ".join([word(leaf) for leaf in leaves])
    if tainted.fault(text) is not None or any(sign in text for sign in ";<'\"\\#"):
        raise LocalError("a value cannot stand in a command of the runtime socket")
    return text


def entry(leaf: Pattern | Network | Host | MapKey | Made | Span) -> str:
    """The key of a line of a value list or a map: one word, no quoting there."""
    text = _entry(leaf)
    if tainted.fault(text) is not None or not text or text[0] == "#" or " " in text:
        raise LocalError("a value cannot stand in a value list")
    return text


def _entry(leaf: Pattern | Network | Host | MapKey | Made | Span) -> str:
    if isinstance(leaf, Pattern):
        return leaf.entry
    if isinstance(leaf, Span):
        return str(leaf.least) if leaf.least == leaf.most else f"{leaf.least}:{leaf.most}"
    if not isinstance(leaf, MapKey):
        return word(leaf)
    if leaf.host is not None:
        return f".{leaf.host.name}"
    if leaf.made is None or leaf.path is None:
        raise LocalError("a key of a map holds nothing")
    return leaf.made.name + (leaf.path.path if leaf.path.path.endswith("/") else f"{leaf.path.path}/")


def spell_duration(milliseconds: int) -> str:
    """A duration in HAProxy's units, the largest that fits: `12h`, `30s`, `1500ms`."""
    for size, unit in ((_HOURS, "h"), (_MINUTES, "m"), (_SECONDS, "s")):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def word(leaf: Leaf) -> str:
    """One leaf as it is written."""
    spell = _SPELLED.get(type(leaf))
    if spell is None:
        raise LocalError(f"{type(leaf).__name__} is no leaf of haproxy.cfg")
    return spell(leaf)


def _quote(text: str) -> str:
    if "'" in text or tainted.fault(text) is not None:
        raise LocalError("a text cannot be quoted in haproxy.cfg")
    return f"'{text}'"


def _sample(leaf: Sample) -> str:
    """A sample expression; between quotes where an argument is text."""
    text = _bare_sample(leaf)
    return text if _plain(text) else _quote(text)


def _bare_sample(leaf: Sample) -> str:
    return ",".join([_call(call) for call in leaf.calls])


def _call(leaf: Call) -> str:
    if not leaf.arguments:
        return leaf.word.word
    return f"{leaf.word.word}({','.join([_argument(item) for item in leaf.arguments])})"


def _argument(leaf: Leaf) -> str:
    """An argument of a fetch or a converter: text must not hold what ends it."""
    text = leaf.text if isinstance(leaf, Quoted) else word(leaf)
    if any(sign in text for sign in "(),'\"\\ "):
        raise LocalError("a text cannot be an argument of a sample expression")
    return text


def _plain(text: str) -> bool:
    """True if HAProxy's tokenizer takes `text` as one word without quotes."""
    return not any(sign in text for sign in " \"'\\#${}")


def _format(leaf: Format) -> str:
    text = "".join([_part(part) for part in leaf.parts])
    return text if _BARE.fullmatch(text) else _quote(text)


def _part(leaf: Quoted | Sample | Host | Ip | Int) -> str:
    if isinstance(leaf, Sample):
        return f"%[{_bare_sample(leaf)}]"
    return (leaf.text if isinstance(leaf, Quoted) else word(leaf)).replace("%", "%%")


def _term(leaf: Term) -> str:
    words = ["!{" if leaf.negated else "{", _sample(leaf.sample), *[flag.word for flag in leaf.flags]]
    if leaf.operator is not None:
        words += [leaf.operator.word, word(leaf.values[0])]
    elif leaf.file is not None:
        words += ["-f", _file(leaf.file)]
    elif leaf.values:
        words += ["--", *[word(value) for value in leaf.values]]
    return " ".join([*words, "}"])


def _file(leaf: File) -> str:
    return f"{FOLDER}/{leaf.name}"


def _path(leaf: UrlPath) -> str:
    return leaf.path if _BARE.fullmatch(leaf.path) else _quote(leaf.path)


_SPELLED: Mapping[type, Callable[[Any], str]] = {
    Word: lambda leaf: leaf.word,
    Int: lambda leaf: str(leaf.value),
    Milliseconds: lambda leaf: spell_duration(leaf.value),
    Address: lambda leaf: spell_target(leaf.host, leaf.port),
    Ip: lambda leaf: leaf.address,
    Host: lambda leaf: leaf.name,
    HostPort: lambda leaf: f"{leaf.host.name}:{leaf.port}",
    Network: lambda leaf: leaf.network,
    Header: lambda leaf: leaf.name,
    UrlPath: _path,
    Made: lambda leaf: leaf.name,
    Tracked: lambda leaf: f"{leaf.backend.name}/{leaf.server.name}",
    File: _file,
    Digest: lambda leaf: leaf.hex,
    Cookie: lambda leaf: leaf.value,
    Quoted: lambda leaf: _quote(leaf.text),
    Sample: _sample,
    Format: _format,
    LogFields: lambda leaf: _quote(leaf.text),
    Listed: lambda leaf: leaf.between.join([word(item) for item in leaf.items]),
    Term: _term,
    Acl: lambda leaf: f"!{leaf.name.name}" if leaf.negated else leaf.name.name,
}
