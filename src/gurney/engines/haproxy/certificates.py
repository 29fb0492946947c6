"""The one place for certificates, authorities and revocation lists at run time: which HAProxy holds, and swapping them without a reload.

`set ssl …` opens a transaction that only `commit` makes visible; TLS sessions that stand keep theirs, the next handshake sees the new
one. A payload must fit HAProxy's buffer (`tune.bufsize`): a longer file needs a reload. What can be read back stands for the file: of a
certificate the SHA-1 and how many follow it, of authorities their SHA-1s, of a revocation list its dates and serial numbers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from gurney.engines.haproxy.commands import Command, Verb
from gurney.engines.haproxy.maps import place
from gurney.engines.haproxy.runtime import LOOK_SECONDS, Runtime
from gurney.errors import EngineRefused, InputRefused

_A_LINE = 50  # files asked for in one line
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s+(.*?)-----END CERTIFICATE-----", re.DOTALL)
_LIST = re.compile(r"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
_FINGERPRINT = re.compile(r"^SHA1 FingerPrint: ([0-9A-F]{40})$", re.MULTILINE)
_CHAIN = re.compile(r"^Chain Subject: ", re.MULTILINE)
_DATES = re.compile(r"^(Last|Next) Update: (.*)$", re.MULTILINE)
_SERIAL = re.compile(r"^ *Serial Number: ([0-9A-F]+)$", re.MULTILINE)

Print = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    show: Verb
    change: Verb
    commit: Verb
    abort: Verb


_KINDS: Mapping[str, _Kind] = {
    "certificate": _Kind(Verb.SHOW_CERTIFICATE, Verb.SET_CERTIFICATE, Verb.COMMIT_CERTIFICATE, Verb.ABORT_CERTIFICATE),
    "authority": _Kind(Verb.SHOW_AUTHORITY, Verb.SET_AUTHORITY, Verb.COMMIT_AUTHORITY, Verb.ABORT_AUTHORITY),
    "revocation list": _Kind(Verb.SHOW_REVOKED, Verb.SET_REVOKED, Verb.COMMIT_REVOKED, Verb.ABORT_REVOKED),
}


def kind(text: str) -> str:
    """What a PEM file is to HAProxy: certificate (with its key) · authority · revocation list."""
    if "PRIVATE KEY-----" in text:
        return "certificate"
    return "revocation list" if "-----BEGIN X509 CRL-----" in text else "authority"


def of_file(text: str) -> Print:
    """What stands for a PEM file. Raises `InputRefused` when it holds nothing of its kind."""
    match kind(text):
        case "certificate":
            found = _hashes(text)
            return (found[0], str(len(found) - 1))
        case "authority":
            return tuple(sorted(set(_hashes(text))))
        case _:
            return _revoked(text)


def of_answer(answer: str, what: str) -> Print | None:
    """What stands for what HAProxy tells of a file of this kind; None when it has no such file."""
    if not answer.startswith("Filename: "):
        return None
    hashes = _FINGERPRINT.findall(answer)
    match what:
        case "certificate":
            return (hashes[0], str(len(_CHAIN.findall(answer)))) if hashes else None
        case "authority":
            return tuple(sorted(set(hashes)))
        case _:
            dates = [f"{word} {date.strip()}" for word, date in _DATES.findall(answer)]
            return tuple(sorted([*dates, *(serial.lstrip("0") for serial in _SERIAL.findall(answer))]))


def differing(runtime: Runtime, folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Of these files of the bundle those of which HAProxy holds another one. `folder`: HAProxy's working folder."""
    asked = [(name, _text(folder, name)) for name in names]
    found = []
    for start in range(0, len(asked), _A_LINE):
        group = asked[start : start + _A_LINE]
        told = runtime.say(*(Command(_KINDS[kind(text)].show, (place(name),)) for name, text in group), within=LOOK_SECONDS)
        found += [name for (name, text), answer in zip(group, told, strict=True) if of_answer(answer, kind(text)) != of_file(text)]
    return tuple(found)


def swap(runtime: Runtime, folder: Path, name: str) -> str:
    """HAProxy takes this file from the next handshake on; which kind it is. Raises `EngineRefused`: it holds the one before."""
    text = _text(folder, name)
    lines = tuple(line for line in text.splitlines() if line.strip())
    at, verbs = (place(name),), _KINDS[kind(text)]
    change = Command(verbs.change, at, lines)
    try:
        runtime.ask(change)
        runtime.ask(Command(verbs.commit, at))
    except EngineRefused:
        runtime.say(Command(verbs.abort, at))
        raise
    return kind(text)


def _hashes(text: str) -> list[str]:
    """The SHA-1 of each certificate: that is what HAProxy prints. It compares two files of ours and protects nothing."""
    try:
        found = [base64.b64decode("".join(block.split()), validate=True) for block in _CERTIFICATE.findall(text)]
    except binascii.Error as problem:
        raise InputRefused("the file holds a damaged certificate") from problem
    if not found:
        raise InputRefused("the file holds no certificate")
    return [hashlib.sha1(one, usedforsecurity=False).hexdigest().upper() for one in found]


def _revoked(text: str) -> Print:
    found: list[str] = []
    for block in _LIST.findall(text):
        try:
            made = x509.load_pem_x509_crl(block.encode())
        except ValueError as problem:
            raise InputRefused("the file holds a damaged revocation list") from problem
        found += [f"Last {_date(made.last_update_utc)}", *([f"Next {_date(made.next_update_utc)}"] if made.next_update_utc else [])]
        found += [f"{one.serial_number:X}" for one in made]
    return tuple(sorted(found))


def _date(when: datetime) -> str:
    """As OpenSSL prints it: `Nov  3 15:14:12 2026 GMT`."""
    return f"{_MONTHS[when.month - 1]} {when.day:2} {when:%H:%M:%S} {when.year} GMT"


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / place(name)).read_text("ascii")
    except (OSError, UnicodeDecodeError) as problem:
        raise EngineRefused(f"the certificate file {name} cannot be read") from problem
