"""The one place for the typed tree of HAProxy's configuration: what may stand in it, and what each leaf can hold.

No leaf is free text. A word is one of `keywords.WORDS`, a name is made here from a digest, everything that comes from a document has a
type of its own with an ASCII pattern matched whole. What a leaf cannot hold is a `LocalError` when it is made: by then `config` has
refused it with a line and a hint. Nothing here knows how a leaf is written: `text` does.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from gurney.compile.haproxy import keywords, tainted
from gurney.errors import LocalError

_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,128}")  # what http-restrict-req-hdr-names lets in
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&()*+,;=:@/%?]*")  # RFC 3986 pchar without the apostrophe, a query may follow
_MADE = re.compile(r"(?:fe|be|s|v|r|h|c|ca|crl|p|gs)_[0-9a-f]{8}(?:_(?:panic|checks[0-9]{0,3}|method|path|host|network|h[0-9]{1,3}))?")
_FILE = re.compile(r"(?:maps|certificates|pages|lists)/[a-z]{1,10}(?:_[0-9a-f]{8})?(?:_[a-z0-9]{1,16}){0,3}\.(?:map|list|pem|txt)")
_PATTERN = re.compile(r"[!\"$-&(-~][!-&(-~]{0,2047}")  # an entry of a value list: no space, no apostrophe, `#` not first
_DIGEST = re.compile(r"[0-9a-f]{16,64}")


def _must(held: bool, kind: str) -> None:
    """A leaf that cannot hold its value is a defect of ours; the value itself is never said."""
    if not held:
        raise LocalError(f"a value cannot stand in haproxy.cfg as {kind}")


def _whole(pattern: re.Pattern[str], value: object, kind: str) -> None:
    _must(isinstance(value, str) and pattern.fullmatch(value) is not None, kind)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of HAProxy's own grammar, one of `keywords.WORDS`."""

    word: str

    def __post_init__(self) -> None:
        _must(self.word in keywords.WORDS, "a word of its grammar")


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number."""

    value: int
    least: int = 0
    most: int = 2_147_483_647

    def __post_init__(self) -> None:
        _must(type(self.value) is int and self.least <= self.value <= self.most, "a number")


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """A duration; HAProxy keeps them in 31 bits of milliseconds."""

    value: int

    def __post_init__(self) -> None:
        _must(type(self.value) is int and 0 <= self.value <= 2_147_483_647, "a duration")


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address in its canonical form, written with a port and brackets where they are needed. `host` "" is every address."""

    host: str
    port: int

    def __post_init__(self) -> None:
        _must(type(self.port) is int and 1 <= self.port <= 65_535, "a port")
        if self.host:
            _canonical(ipaddress.ip_address, self.host, "an address")


@dataclass(frozen=True, slots=True)
class Ip:
    """An IP address in its canonical form, alone."""

    address: str

    def __post_init__(self) -> None:
        _canonical(ipaddress.ip_address, self.address, "an address")


@dataclass(frozen=True, slots=True)
class Host:
    """A host name in lower case, `*.` before it where that is meant."""

    name: str

    def __post_init__(self) -> None:
        _whole(_HOST, self.name, "a host name")
        _must(len(self.name) <= 253, "a host name")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host name with a port."""

    host: Host
    port: int

    def __post_init__(self) -> None:
        _must(isinstance(self.host, Host) and type(self.port) is int and 1 <= self.port <= 65_535, "a host name with a port")


@dataclass(frozen=True, slots=True)
class Network:
    """A network in canonical CIDR form."""

    network: str

    def __post_init__(self) -> None:
        _canonical(ipaddress.ip_network, self.network, "a network")


@dataclass(frozen=True, slots=True)
class Header:
    """The name of a header."""

    name: str

    def __post_init__(self) -> None:
        _whole(_HEADER, self.name, "the name of a header")


@dataclass(frozen=True, slots=True)
class UrlPath:
    """A path of a URL, percent-encoded where RFC 3986 asks for it."""

    path: str

    def __post_init__(self) -> None:
        _whole(_PATH, self.path, "a path")


@dataclass(frozen=True, slots=True)
class Made:
    """A name made by `names` from a digest: of a proxy, a server, a service, a rule, a cookie."""

    name: str

    def __post_init__(self) -> None:
        _whole(_MADE, self.name, "a name made here")


@dataclass(frozen=True, slots=True)
class Tracked:
    """A server whose checks another follows: `BACKEND/SERVER`."""

    backend: Made
    server: Made

    def __post_init__(self) -> None:
        _must(isinstance(self.backend, Made) and isinstance(self.server, Made), "a server to follow")


@dataclass(frozen=True, slots=True)
class File:
    """A file of the bundle by its name in it; written as `current/NAME`."""

    name: str

    def __post_init__(self) -> None:
        _whole(_FILE, self.name, "a file of the bundle")


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest in hex."""

    hex: str

    def __post_init__(self) -> None:
        _whole(_DIGEST, self.hex, "a digest")


@dataclass(frozen=True, slots=True)
class Pattern:
    """An entry of a value list, made by `globs`."""

    entry: str

    def __post_init__(self) -> None:
        _whole(_PATTERN, self.entry, "an entry of a value list")


@dataclass(frozen=True, slots=True)
class Span:
    """An entry of a list of numbers: all from one to another, both ends included."""

    least: int
    most: int

    def __post_init__(self) -> None:
        _must(type(self.least) is int and type(self.most) is int and 0 <= self.least <= self.most, "a span of numbers")


@dataclass(frozen=True, slots=True)
class MapKey:
    """The key of a map over places: a name made here and a path that ends with a slash, or a dot and the end of a host name."""

    made: Made | None
    host: Host | None = None
    path: UrlPath | None = None

    def __post_init__(self) -> None:
        place = isinstance(self.made, Made) and isinstance(self.path, UrlPath) and self.host is None
        _must(place or (self.made is None and isinstance(self.host, Host) and self.path is None), "a key of a map")


@dataclass(frozen=True, slots=True)
class Cookie:
    """The opaque value that stands for a member in a cookie."""

    value: str

    def __post_init__(self) -> None:
        _whole(_DIGEST, self.value, "the value of a cookie")


@dataclass(frozen=True, slots=True)
class Quoted:
    """Text, literally: written between single quotes, where HAProxy expands and escapes nothing. Not for log-format positions."""

    text: str

    def __post_init__(self) -> None:
        _must(isinstance(self.text, str) and tainted.fault(self.text) is None and "'" not in self.text, "quoted text")


@dataclass(frozen=True, slots=True)
class Call:
    """A sample fetch or a converter with its arguments: `map_str(current/maps/x.map,0)`."""

    word: Word
    arguments: tuple[Argument, ...] = ()

    def __post_init__(self) -> None:
        _must(isinstance(self.word, Word) and _all(self.arguments, _ARGUMENTS), "a call")


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample expression: a fetch and its converters, `req.fhdr(host),lower`."""

    calls: tuple[Call, ...]

    def __post_init__(self) -> None:
        _must(bool(self.calls) and _all(self.calls, (Call,)), "a sample expression")


@dataclass(frozen=True, slots=True)
class Format:
    """A value in a log-format position: literal text (percent signs doubled when it is written) and sample expressions."""

    parts: tuple[Quoted | Sample | Host | Ip | Int, ...]

    def __post_init__(self) -> None:
        _must(bool(self.parts) and _all(self.parts, (Quoted, Sample, Host, Ip, Int)), "a format")


@dataclass(frozen=True, slots=True)
class LogFields:
    """A format string of our own: one of `keywords.FORMATS`."""

    text: str

    def __post_init__(self) -> None:
        _must(self.text in keywords.FORMATS, "a format of our own")


@dataclass(frozen=True, slots=True)
class Listed:
    """Leaves joined by a comma or a colon without a space: `h2,http/1.1`."""

    items: tuple[Word | Int | Listed, ...]
    between: str = ","

    def __post_init__(self) -> None:
        _must(self.between in (",", ":", "-") and bool(self.items) and _all(self.items, (Word, Int, Listed)), "a list")


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a condition: `{ SAMPLE flags -- values }`, with `!` before it when `negated`. `file` holds the values instead.

    `operator` and the one value after it compare whole numbers: `{ SAMPLE lt 0 }`.
    """

    sample: Sample
    flags: tuple[Word, ...] = ()
    values: tuple[Value, ...] = ()
    file: File | None = None
    negated: bool = False
    operator: Word | None = None

    def __post_init__(self) -> None:
        _must(isinstance(self.sample, Sample) and _all(self.flags, (Word,)) and _all(self.values, _VALUES), "a condition")
        _must(self.file is None or (isinstance(self.file, File) and not self.values), "a condition")
        _must(self.operator is None or (isinstance(self.operator, Word) and len(self.values) == 1), "a condition")


@dataclass(frozen=True, slots=True)
class Acl:
    """A named condition, by the name it was given on an `acl` line."""

    name: Made
    negated: bool = False

    def __post_init__(self) -> None:
        _must(isinstance(self.name, Made), "a condition")


Argument = Word | Int | Milliseconds | Host | Header | Made | File | Quoted
Value = Word | Int | Made | Host | Network | Digest
Leaf = (
    Word | Int | Milliseconds | Address | Ip | Host | HostPort | Network | Header | UrlPath | Made | Tracked | File | Digest | Cookie
    | Pattern | MapKey | Quoted | Sample | Format | LogFields | Listed | Term | Acl
)  # fmt: skip
_ARGUMENTS = (Word, Int, Milliseconds, Host, Header, Made, File, Quoted)
_VALUES = (Word, Int, Made, Host, Network, Digest)
LEAVES: tuple[type, ...] = (
    Word, Int, Milliseconds, Address, Ip, Host, HostPort, Network, Header, UrlPath, Made, Tracked, File, Digest, Cookie,
    Quoted, Sample, Format, LogFields, Listed, Term, Acl,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `path` is the document path it comes from, "" for lines of no one's; it is never written.

    `shape`: what stands for the line in the digest of what needs a reload; None: the line itself, (): nothing.
    """

    leaves: tuple[Leaf, ...]
    path: str = ""
    shape: tuple[Leaf, ...] | None = None

    def __post_init__(self) -> None:
        _must(bool(self.leaves) and isinstance(self.leaves[0], Word) and _all(self.leaves, LEAVES), "a line")
        _must(self.shape is None or _all(self.shape, LEAVES), "a line")


@dataclass(frozen=True, slots=True)
class Section:
    """A section: `global`, or a kind with a name."""

    head: Line
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        _must(isinstance(self.head, Line) and _all(self.lines, (Line,)), "a section")


@lru_cache(maxsize=1024)  # a bounded memo of a pure function: the texts stand in the program
def words(text: str) -> tuple[Word, ...]:
    """The words of a phrase of the grammar: `words("timeout client")`. For texts that stand in the program itself."""
    return tuple(Word(word) for word in text.split(" "))


def call(word: str, *arguments: Argument) -> Call:
    """A fetch or a converter."""
    return Call(Word(word), arguments)


def sample(*calls: Call) -> Sample:
    """A sample expression."""
    return Sample(calls)


def _all(items: object, kinds: tuple[type, ...]) -> bool:
    return isinstance(items, tuple) and all(type(item) in kinds for item in items)


def _canonical(read: Callable[[str], object], value: object, kind: str) -> None:
    try:
        held = isinstance(value, str) and str(read(value)) == value
    except ValueError:
        held = False
    _must(held, kind)
