"""The one place for reading the files a document names: certificates, authorities, revocation lists, pages.

They are read within limits, parsed, checked to fit together, and serialised anew: what is kept and given to an engine is of our making.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from gurney.config import limits
from gurney.config.document import Document
from gurney.config.materials import Trouble, Wanted, uncovered, wanted
from gurney.config.proxied import Material
from gurney.control.conditions import when

_BLOCK = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]{1,40})-----.*?-----END (?P=label)-----", re.DOTALL)
_CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")
_KEYS = (b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY", b"DSA PRIVATE KEY")
_LISTS = (b"X509 CRL",)
T = TypeVar("T")
BLOCKS = 1024  # PEM blocks of one file


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the files hold, by name as written, and what is wrong with them."""

    materials: Mapping[str, Material]
    troubles: tuple[Trouble, ...]


class _Bad(Exception):
    """What is wrong with one file: a key of `PROBLEMS`, more about it, and whether the file can be used all the same."""

    def __init__(self, problem: str, detail: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.detail = detail


def gather(document: Document, folder: Path | None, now: float) -> Gathered:
    """Read every file the document names, each once. `folder` is where their names begin, `now` seconds since the epoch."""
    materials: dict[str, Material] = {}
    troubles: list[Trouble] = []
    known: dict[tuple[str, str], Material | _Bad] = {}
    for one in wanted(document):
        at = (one.name, one.kind)
        if at not in known:
            known[at] = _material(one, folder)
        found = known[at]
        if isinstance(found, _Bad):
            troubles.append(Trouble(one, found.problem, found.detail))
            continue
        materials[one.name] = found
        troubles += _dated(one, found, now)
    troubles += uncovered(document, materials)
    return Gathered(materials, tuple(troubles))


def signature(names: Iterable[str], folder: Path) -> tuple[tuple[object, ...], ...]:
    """What changes when one of these files is written anew: its inode, size and times. A file that is not there has none."""
    found: list[tuple[object, ...]] = []
    for name in sorted(names):
        try:
            seen = os.stat(folder / name)
            found.append((name, seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns))
        except OSError as error:
            found.append((name, error.errno))
    return tuple(found)


def _material(one: Wanted, folder: Path | None) -> Material | _Bad:
    try:
        if folder is None:
            raise _Bad("missing", "nobody said which folder the document lies in")
        return _READERS[one.kind](_read(folder, one.name, limits.PAGE_BYTES if one.kind == "page" else limits.CERTIFICATE_BYTES))
    except _Bad as bad:
        return bad


def _read(folder: Path, name: str, most: int) -> bytes:
    """A plain file inside the folder, whole."""
    path = folder / name
    try:
        real = Path(os.path.realpath(path, strict=True))
        if not real.is_relative_to(os.path.realpath(folder, strict=True)):
            raise _Bad("outside")
        descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _Bad("unreadable", "it is no plain file")
            content = file.read(most + 1)
    except FileNotFoundError:
        raise _Bad("missing") from None
    except OSError as error:
        raise _Bad("missing" if error.errno == errno.ENOTDIR else "unreadable", os.strerror(error.errno or 0)) from None
    if len(content) > most:
        raise _Bad("too-large", f"more than {most // 1024} KiB")
    return content


def _blocks(content: bytes, labels: tuple[bytes, ...]) -> list[bytes]:
    found = [block[0] for block in _BLOCK.finditer(content) if block["label"] in labels]
    if len(found) > BLOCKS:
        raise _Bad("too-large", f"more than {BLOCKS} PEM blocks")
    return found


def _certificate(content: bytes) -> Material:
    """A certificate, its key and the chain above it, in this order whatever the order in the file."""
    blocks = _blocks(content, _CERTIFICATES)
    if not blocks:
        raise _Bad("no-pem")
    own, *others = _each(blocks, x509.load_pem_x509_certificate, "no-pem")
    key = _key(content)
    if _public(own) != key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise _Bad("key-misfit")
    parts = [
        own.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        *(one.public_bytes(Encoding.PEM) for one in _chain(own, others)),
    ]
    return _made("certificate", b"".join(parts), _names(own), own.not_valid_after_utc)


def _key(content: bytes) -> PrivateKeyTypes:
    if _blocks(content, (b"ENCRYPTED PRIVATE KEY",)) or b"Proc-Type: 4,ENCRYPTED" in content:
        raise _Bad("encrypted")
    keys = _blocks(content, _KEYS)
    if len(keys) != 1:
        raise _Bad("no-key", f"it holds {len(keys)}" if keys else "")
    try:
        return load_pem_private_key(keys[0], None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _Bad("no-key", "the one there cannot be read") from None


def _chain(own: x509.Certificate, others: list[x509.Certificate]) -> list[x509.Certificate]:
    """Issuer after issuer; what belongs to no chain of this certificate stands at the end, as it was."""
    left = [one for one in dict.fromkeys(others) if one != own]
    ordered: list[x509.Certificate] = []
    at = own
    while (issuer := next((one for one in left if _issued(at, one)), None)) is not None:
        left.remove(issuer)
        ordered.append(issuer)
        at = issuer
    return ordered + left


def _issued(one: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _authority(content: bytes) -> Material:
    """Certificates of authorities; it ends when the first of them does."""
    found = list(dict.fromkeys(_each(_blocks(content, _CERTIFICATES), x509.load_pem_x509_certificate, "no-ca")))
    if not found or not all(map(_may_issue, found)):
        raise _Bad("no-ca")
    content = b"".join(one.public_bytes(Encoding.PEM) for one in found)
    return _made("ca", content, (), min(one.not_valid_after_utc for one in found))


def _may_issue(one: x509.Certificate) -> bool:
    try:
        return one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _revocations(content: bytes) -> Material:
    """Revocation lists; they end when the first of them is due anew."""
    found = _each(_blocks(content, _LISTS), x509.load_pem_x509_crl, "no-crl")
    if not found:
        raise _Bad("no-crl")
    due = [one.next_update_utc for one in found if one.next_update_utc is not None]
    return _made("crl", b"".join(one.public_bytes(Encoding.PEM) for one in found), (), min(due) if due else None)


def _page(content: bytes) -> Material:
    return _made("page", content, (), None)


_READERS: Mapping[str, Callable[[bytes], Material]] = {
    "certificate": _certificate,
    "ca": _authority,
    "crl": _revocations,
    "page": _page,
}


def _each(blocks: list[bytes], load: Callable[[bytes], T], problem: str) -> list[T]:
    try:
        return [
            load(block.replace(b"X509 CERTIFICATE", b"CERTIFICATE").replace(b"TRUSTED CERTIFICATE", b"CERTIFICATE")) for block in blocks
        ]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _Bad(problem, "what is there cannot be read") from None


def _public(one: x509.Certificate) -> bytes:
    try:
        return one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        raise _Bad("no-pem", "its public key cannot be read") from None


def _names(one: x509.Certificate) -> tuple[str, ...]:
    """The DNS names it is for (RFC 9525: those of subjectAltName, never the common name), lower case."""
    try:
        found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(dict.fromkeys(name.lower() for name in found))


def _made(kind: str, content: bytes, names: tuple[str, ...], expires: datetime | None) -> Material:
    return Material(kind, hashlib.sha256(content).hexdigest(), names, expires.timestamp() if expires is not None else None, content)


def _dated(one: Wanted, found: Material, now: float) -> list[Trouble]:
    """A file whose time has not come or is over: it is used all the same, and said."""
    if found.expires is not None and found.expires <= now:
        return [Trouble(one, "expired", when(found.expires))]
    if found.kind == "certificate":
        begins = x509.load_pem_x509_certificate(found.content).not_valid_before_utc.timestamp()
        if begins > now:
            return [Trouble(one, "not-yet", f"until {when(begins)}")]
    return []
