"""The one place for what may be said to HAProxy's runtime socket: a closed table of verbs, typed arguments, and how each verb answers.

The socket's grammar ends a command at `;` and at a newline, unescapes `\\` and takes `<<` for a payload: no argument may hold any of
them, nor a space; only the entry of a list may, and gets a backslash before every character that is no letter, digit or plain sign. The
answers are prose; what is written here as success was read off HAProxy 2.8.25. Its answers end with an empty line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from gurney.errors import InputRefused

LINE_LIMIT = 8_000  # bytes of one line of commands; HAProxy takes what fits its buffer (16,384 by default)
PAYLOAD_LIMIT = 15_000  # bytes after `<<`: with the command it must fit the same buffer
_WORD = re.compile(r"[A-Za-z0-9@_./:,()=+*!\[\]-][A-Za-z0-9@_./:,()=+*!\[\]#-]{0,511}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ENTRY = re.compile(r"[\x20-\x7e]{1,2000}")
_SPECIAL = re.compile(r"([^A-Za-z0-9_./:@-])")
_LINE = re.compile(r"[\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\U0010ffff]+")  # one line for anybody who parts text into lines


class Verb(Enum):
    """What can be said. The value: the words (`{}` is an argument), and what the whole answer matches when it was done."""

    SHOW_INFO = "show info", r"Name: HAProxy\n.*"
    SHOW_STAT = "show stat", r"# pxname,.*"
    SHOW_SERVERS_STATE = "show servers state", r"1\n# be_id .*"
    SHOW_MAPS = "show map", r"# id .*"
    SHOW_ACLS = "show acl", r"# id .*"
    SHOW_MAP = "show map {}", r"(0x[0-9a-f]+ .*)?"  # an unknown file: "Unknown map identifier. …"
    SHOW_ACL = "show acl {}", r"(0x[0-9a-f]+ .*)?"
    SHOW_CERTIFICATE = "show ssl cert {}", r"Filename: .*"
    SHOW_AUTHORITY = "show ssl ca-file {}", r"Filename: .*"
    SHOW_REVOKED = "show ssl crl-file {}", r"Filename: .*"
    SHOW_TABLES = "show table", r"(# table: .*)?"
    WEIGHT = "set server {}/{} weight {}", r""
    ADDRESS = "set server {}/{} addr {} port {}", r"(IP changed from|no need to change the addr).*"
    READY = "set server {}/{} state ready", r""
    MAINTENANCE = "set server {}/{} state maint", r""
    DRAIN = "set server {}/{} state drain", r""
    MAXCONN = "set maxconn server {}/{} {}", r""
    HEALTH = "enable health {}/{}", r""
    ADD = "add server {}/{} {}", r"(.*\n)*New server registered\."
    DELETE = "del server {}/{}", r"Server deleted\."
    FORGET = "clear table {} data.server_id eq {}", r""
    PREPARE_MAP = "prepare map {}", r"New version created: [0-9]+"
    PREPARE_ACL = "prepare acl {}", r"New version created: [0-9]+"
    FILL_MAP = "add map @{} {}", r""
    ENTRY = "add acl @{} {} {}", r""  # `add acl` takes no payload
    COMMIT_MAP = "commit map @{} {}", r""
    COMMIT_ACL = "commit acl @{} {}", r""
    SET_CERTIFICATE = "set ssl cert {}", r"(.*\n)*Transaction (created|updated) for certificate .*!"
    SET_AUTHORITY = "set ssl ca-file {}", r"(.*\n)*transaction (created|updated) for CA .*!"
    SET_REVOKED = "set ssl crl-file {}", r"(.*\n)*transaction (created|updated) for CRL .*!"
    COMMIT_CERTIFICATE = "commit ssl cert {}", r"(.*\n)*Success!(\n.*)*"
    COMMIT_AUTHORITY = "commit ssl ca-file {}", r"(.*\n)*Success!(\n.*)*"
    COMMIT_REVOKED = "commit ssl crl-file {}", r"(.*\n)*Success!(\n.*)*"
    ABORT_AUTHORITY = "abort ssl ca-file {}", r"(.*\n)*[Tt]ransaction aborted for .*!"
    ABORT_REVOKED = "abort ssl crl-file {}", r"(.*\n)*[Tt]ransaction aborted for .*!"
    ABORT_CERTIFICATE = "abort ssl cert {}", r"Transaction aborted for certificate .*!"

    def __init__(self, words: str, good: str) -> None:
        self.words = words
        self.good = re.compile(good, re.DOTALL if words.startswith("show ") else 0)


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `arguments` fill the verb's `{}` in order, further ones follow (`add server`); `payload` are lines after `<<`.

    Raises `InputRefused` for anything that could end the command or begin another.
    """

    verb: Verb
    arguments: tuple[str, ...] = ()
    payload: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wanted = self.verb.words.count("{}")
        if len(self.arguments) < wanted or (len(self.arguments) > wanted and self.verb is not Verb.ADD):
            raise InputRefused(f"'{self.verb.words}' takes {wanted} arguments, not {len(self.arguments)}")
        for at, word in enumerate(self.arguments):
            if not (_ENTRY if self.verb is Verb.ENTRY and at == wanted - 1 else _WORD).fullmatch(word):
                raise InputRefused(f"{word!r} cannot stand in a command of the runtime socket")
        for line in self.payload:
            if not _LINE.fullmatch(line):
                raise InputRefused("an empty line or a control character cannot stand in a payload of the runtime socket")
        if len(self.text) > LINE_LIMIT or sum(len(line.encode()) + 1 for line in self.payload) > PAYLOAD_LIMIT:
            raise InputRefused(f"'{self.verb.words}' is too long for the runtime socket")

    @property
    def text(self) -> str:
        """The command as it is sent, without its end and its payload."""
        count = self.verb.words.count("{}")
        if self.verb is Verb.ENTRY:
            return self.verb.words.format(*self.arguments[:-1], _SPECIAL.sub(r"\\\1", self.arguments[-1]))
        return " ".join((self.verb.words.format(*self.arguments[:count]), *self.arguments[count:]))

    def did(self, answer: str) -> bool:
        """Whether this answer says that it was done."""
        return self.verb.good.fullmatch(answer.strip("\n")) is not None


# What `add server` of 2.8 takes (management guide, "add server"; tcp-ut is refused there), and how many words follow each.
ADD_WORDS = {
    "alpn": 1, "backup": 0, "ca-file": 1, "check": 0, "check-alpn": 1, "check-proto": 1, "check-send-proxy": 0, "check-sni": 1,
    "check-ssl": 0, "ciphers": 1, "ciphersuites": 1, "cookie": 1, "crl-file": 1, "crt": 1, "disabled": 0, "downinter": 1, "enabled": 0,
    "error-limit": 1, "fall": 1, "fastinter": 1, "force-tlsv12": 0, "force-tlsv13": 0, "id": 1, "inter": 1, "maxconn": 1, "maxqueue": 1,
    "minconn": 1, "no-check": 0, "no-send-proxy": 0, "no-ssl": 0, "no-sslv3": 0, "no-tlsv10": 0, "no-tlsv11": 0, "no-tls-tickets": 0,
    "non-stick": 0, "npn": 1, "observe": 1, "on-error": 1, "on-marked-down": 1, "on-marked-up": 1, "pool-low-conn": 1, "pool-max-conn": 1,
    "pool-purge-delay": 1, "port": 1, "proto": 1, "rise": 1, "send-proxy": 0, "send-proxy-v2": 0, "send-proxy-v2-ssl": 0,
    "send-proxy-v2-ssl-cn": 0, "slowstart": 1, "sni": 1, "source": 1, "ssl": 0, "ssl-max-ver": 1, "ssl-min-ver": 1, "ssl-reuse": 0,
    "tfo": 0, "tls-tickets": 0, "track": 1, "usesrc": 1, "verify": 1, "verifyhost": 1, "weight": 1, "ws": 1, "addr": 1,
}  # fmt: skip


def pairs(arguments: str) -> tuple[tuple[str, ...], ...]:
    """The options of one server, each with its own words: ("check",), ("inter", "2s"), … Raises `InputRefused` for a foreign one."""
    words = arguments.split()
    found = []
    at = 0
    while at < len(words):
        count = ADD_WORDS.get(words[at])
        if count is None or at + count >= len(words):
            raise InputRefused(f"{words[at]!r} is no option of a server that is added at run time")
        found.append(tuple(words[at : at + count + 1]))
        at += count + 1
    return tuple(found)


def named(text: str) -> bool:
    """Whether it could be a name of ours: HAProxy takes others too."""
    return _NAME.fullmatch(text) is not None


def name(text: str) -> str:
    """A server-made name (`be_3f2a…`). Raises `InputRefused`."""
    if not named(text):
        raise InputRefused(f"{text!r} is no name of ours")
    return text


def add(backend: str, server: str, address: str, arguments: str) -> Command:
    """The server is there afterwards, in maintenance and without its checks: `health` and `ready` follow."""
    options = tuple(word for pair in pairs(arguments) if pair[0] not in ("enabled", "disabled") for word in pair)
    return Command(Verb.ADD, (name(backend), name(server), address, *options))


def on_server(verb: Verb, backend: str, server: str, *more: str | int) -> Command:
    """A verb about one server."""
    return Command(verb, (name(backend), name(server), *(str(one) for one in more)))


def batches(commands: Sequence[Command]) -> Iterator[tuple[Command, ...]]:
    """Commands in order, in groups that fit one line; one with a payload goes alone."""
    group: list[Command] = []
    size = 0
    for command in commands:
        alone = bool(command.payload)
        if group and (alone or size + len(command.text) + 1 > LINE_LIMIT):
            yield tuple(group)
            group, size = [], 0
        if alone:
            yield (command,)
            continue
        group.append(command)
        size += len(command.text) + 1
    if group:
        yield tuple(group)


def encode(group: Sequence[Command]) -> bytes:
    """One line of commands, or one command and its payload, ended by an empty line."""
    if len(group) == 1 and group[0].payload:
        return (f"{group[0].text} <<\n" + "".join(f"{line}\n" for line in group[0].payload) + "\n").encode()
    return (";".join(command.text for command in group) + "\n").encode()


def answers(text: str, count: int) -> tuple[str, ...] | None:
    """The answers to a line of `count` commands; None when they cannot be told apart.

    HAProxy ends each answer with an empty line and says nothing else between them, so a verb whose answer is empty leaves a bare newline.
    """
    if count == 1:
        return (text,)
    found = []
    at = 0
    while at < len(text):
        if text[at] == "\n":
            found.append("")
            at += 1
            continue
        end = text.find("\n\n", at)
        if end < 0:
            return None
        found.append(text[at:end])
        at = end + 2
    return tuple(found) if len(found) == count else None
