"""The one place for certificates at run time: which one HAProxy shows, and swapping it without a reload.

`set ssl cert` opens a transaction that only `commit` makes visible; running TLS sessions keep theirs, the next handshake sees the new one.
A payload must fit HAProxy's buffer (`tune.bufsize`): a longer chain needs a reload. What HAProxy says of a certificate is its SHA-1 and
the names of its chain; key and names cannot be read back, so the fingerprint stands for the file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from gurney.engines.haproxy.commands import PAYLOAD_LIMIT, Command, Verb
from gurney.engines.haproxy.maps import place
from gurney.engines.haproxy.runtime import LOOK_SECONDS, Runtime
from gurney.errors import EngineRefused, InputRefused

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s+(.*?)-----END CERTIFICATE-----", re.DOTALL)
_FINGERPRINT = re.compile(r"^SHA1 FingerPrint: ([0-9A-F]{40})$", re.MULTILINE)
_CHAIN = re.compile(r"^Chain Subject: ", re.MULTILINE)

Print = tuple[str, int]  # SHA-1 of the first certificate in hex, how many follow it


def of_file(text: str) -> Print:
    """The fingerprint of a PEM file. Raises `InputRefused` when it holds no certificate."""
    blocks = _BLOCK.findall(text)
    try:
        first = base64.b64decode("".join(blocks[0].split()), validate=True)
    except (IndexError, binascii.Error) as problem:
        raise InputRefused("the file holds no certificate") from problem
    # SHA-1 because that is what HAProxy prints: it compares two files of ours, and protects nothing
    return hashlib.sha1(first, usedforsecurity=False).hexdigest().upper(), len(blocks) - 1


def of_answer(answer: str) -> Print | None:
    """The fingerprint HAProxy tells; None when it has no such certificate."""
    match = _FINGERPRINT.search(answer)
    return (match[1], len(_CHAIN.findall(answer))) if match is not None else None


def differing(runtime: Runtime, folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Of these files of the bundle (certificates only) those of which HAProxy shows another one. `folder`: HAProxy's working folder."""
    asked = [(name, text) for name in names if _BLOCK.search(text := _text(folder, name)) and _keyed(text)]
    found = []
    commanded = [Command(Verb.SHOW_CERTIFICATE, (place(name),)) for name, _ in asked]
    for start in range(0, len(commanded), _A_LINE):
        told = runtime.say(*commanded[start : start + _A_LINE], within=LOOK_SECONDS)
        found += [name for (name, text), answer in zip(asked[start:], told, strict=False) if of_answer(answer) != of_file(text)]
    return tuple(found)


_A_LINE = 50  # certificates asked for in one line


def swap(runtime: Runtime, folder: Path, name: str) -> None:
    """HAProxy shows the certificate of this file from the next handshake on. Raises `EngineRefused`; then it shows the one before."""
    lines = tuple(line for line in _text(folder, name).splitlines() if line.strip())
    at = (place(name),)
    try:
        runtime.ask(Command(Verb.SET_CERTIFICATE, at, lines))
        runtime.ask(Command(Verb.COMMIT_CERTIFICATE, at))
    except EngineRefused:
        runtime.say(Command(Verb.ABORT_CERTIFICATE, at))
        raise


def fits(text: str) -> bool:
    """Whether a PEM file can be swapped: it fits a payload."""
    return len(text.encode()) <= PAYLOAD_LIMIT


def _keyed(text: str) -> bool:
    return "PRIVATE KEY-----" in text  # a CA file has none, and other verbs


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / place(name)).read_text("ascii")
    except (OSError, UnicodeDecodeError) as problem:
        raise EngineRefused(f"the certificate file {name} cannot be read") from problem
