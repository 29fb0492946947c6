"""The one place for TLS contexts of the route process: profiles, what is verified, and the words for a handshake that failed.

The profile is reliability.md §7 (PS3.15 B.12 "BCP 195 RFC 8996" ∩ Mozilla intermediate): TLS 1.3 with the library's three AEAD suites,
TLS 1.2 with ECDHE and AES-GCM alone, no renegotiation, no compression, no early data. Retired profiles exist only towards senders and only
by name. Towards members chain and name are always verified; there is no way to say otherwise.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gurney.config.proxied import ListenerTls, MemberTls
from gurney.errors import EngineRefused

_STRONG = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
_MODIFIED = f"{_STRONG}:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES256-CCM"
_RETIRED = (
    f"{_MODIFIED}:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA"
    ":AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA:DES-CBC3-SHA"
)
SUITES: Mapping[str, str] = {
    "bcp195": f"{_STRONG}:@SECLEVEL=2",
    "modified": f"{_MODIFIED}:@SECLEVEL=2",
    "legacy": f"{_RETIRED}:@SECLEVEL=0",  # TLS 1.0 and 1.1 sign with SHA-1, which is below level 1 (OpenSSL 3)
}
"""OpenSSL's names of the TLS 1.2 suites of each word of `tls: {suites}`; those of TLS 1.3 are the library's AEAD ones."""

REASONS: Mapping[str, str] = {
    "not-tls": "what came is no TLS",
    "probe": "closed without a byte",
    "closed": "the peer closed before the handshake was done",
    "timeout": "the handshake was not done in time",
    "old-protocol": "the peer offers nothing from TLS 1.2 on",
    "no-shared-suite": "none of the peer's suites or groups is offered here",
    "no-certificate": "the peer shows no certificate",
    "unknown-ca": "the peer's certificate is not of an authority that is trusted",
    "expired": "the peer's certificate, or one above it, has ended",
    "not-yet-valid": "the peer's certificate, or one above it, is not valid yet",
    "revoked": "the peer's certificate, or one above it, is revoked",
    "no-crl": "there is no revocation list of an authority in the peer's chain, or it is due anew",
    "wrong-name": "the peer's certificate is for another name",
    "wrong-purpose": "the peer's certificate is not for this purpose",
    "weak-certificate": "the peer's certificate has a key or signature that is too weak",
    "bad-certificate": "the peer's certificate cannot be verified",
    "refused-by-peer": "the peer sent an alert: it does not accept what is shown or offered here",
    "broken": "the peer breaks the protocol",
}
"""Why a handshake failed, in words of a closed list; a peer's own text is never among them."""

_VERIFIED: Mapping[int, str] = {  # X509_V_ERR_* (openssl/x509_vfy.h)
    **dict.fromkeys((2, 18, 19, 20, 21, 22, 27, 28, 30, 31), "unknown-ca"),
    **dict.fromkeys((3, 11, 12, 33, 44), "no-crl"),
    **dict.fromkeys((62, 63, 64), "wrong-name"),
    **dict.fromkeys((66, 67, 68), "weak-certificate"),
    **dict.fromkeys((24, 26, 79), "wrong-purpose"),
    9: "not-yet-valid",
    10: "expired",
    23: "revoked",
}
_LIBRARY: Mapping[str, str] = {
    "NO_SHARED_CIPHER": "no-shared-suite",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "no-shared-suite",
    "NO_SUITABLE_KEY_SHARE": "no-shared-suite",
    "NO_SHARED_GROUPS": "no-shared-suite",
    "NO_CIPHERS_AVAILABLE": "no-shared-suite",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no-certificate",
    "UNSUPPORTED_PROTOCOL": "old-protocol",
    "VERSION_TOO_LOW": "old-protocol",
    "WRONG_SSL_VERSION": "old-protocol",
    "INAPPROPRIATE_FALLBACK": "old-protocol",
    "TLSV1_ALERT_PROTOCOL_VERSION": "old-protocol",
    "WRONG_VERSION_NUMBER": "not-tls",
    "HTTP_REQUEST": "not-tls",
    "HTTPS_PROXY_REQUEST": "not-tls",
    "UNEXPECTED_EOF_WHILE_READING": "closed",
    "EE_KEY_TOO_SMALL": "weak-certificate",
    "CA_MD_TOO_WEAK": "weak-certificate",
}
PARTS, PART_CHARACTERS = 64, 255  # components of a subject, characters of each
_SHORT: Mapping[str, str] = {  # RFC 4514 §3, by Python's names of the attributes
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_NAMES: Mapping[str, str] = {"DNS": "DNS", "IP Address": "IP", "URI": "URI", "email": "email", "DirName": "DirName"}


@dataclass(frozen=True, slots=True)
class Towards:
    """TLS towards one member: `name` is asked for (SNI) and verified, whatever else its certificate says.

    `told` hears of each handshake that was refused, by whichever side, in a word of `REASONS`.
    """

    context: ssl.SSLContext
    name: str
    told: Callable[[str], None] = field(default=lambda reason: None, compare=False)


class Contexts:
    """The contexts of one route table; those that are not new are the ones of the table before, so that nobody notices.

    `folder` holds the files by digest, `materials` are kind → name as written → digest. Every method raises `EngineRefused` when a file is
    not there, damaged, or of no use.
    """

    def __init__(self, folder: Path, materials: Mapping[str, Mapping[str, str]], before: Contexts | None = None) -> None:
        self._folder = folder
        self._materials = materials
        self._before: Mapping[tuple[str, ...], ssl.SSLContext] = before._made if before is not None else {}
        self._made: dict[tuple[str, ...], ssl.SSLContext] = {}

    def accepting(self, tls: ListenerTls | None) -> ssl.SSLContext | None:
        """What a service shows and demands; None where it is plain."""
        if tls is None:
            return None
        own = [self._file("certificate", name) for name in tls.certificates]
        authority = self._file("ca", tls.client_ca) if tls.client_ca is not None else None
        lists = self._file("crl", tls.crl) if tls.crl is not None else None
        key = ("accepting", tls.suites, str(authority), str(lists), *map(str, own))
        return self._once(key, lambda: _accepting(own, authority, lists, tls.suites))

    def towards(self, tls: MemberTls | None, host: str) -> Towards | None:
        """How a member at `host` is dialled; None where it is plain."""
        if tls is None:
            return None
        authority = self._file("ca", tls.ca) if tls.ca != "system" else None
        own = self._file("certificate", tls.certificate) if tls.certificate is not None else None
        context = self._once(("towards", str(authority), str(own)), lambda: _towards(authority, own))
        return Towards(context, tls.server_name or host)

    def _once(self, key: tuple[str, ...], make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        found = self._made.get(key) or self._before.get(key)
        if found is None:
            try:
                found = make()
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
                why = getattr(error, "reason", None) or type(error).__name__
                raise EngineRefused(f"a certificate, authority or revocation list cannot be used: {why}") from error
        self._made[key] = found
        return found

    def _file(self, kind: str, name: str) -> Path:
        digest = self._materials.get(kind, {}).get(name)
        if digest is None:
            raise EngineRefused(f"the route table does not say what the {kind} '{name}' is")
        path = self._folder / f"{digest}.pem"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EngineRefused(f"{path} cannot be read: {error.strerror}", hint="apply the document again") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise EngineRefused(f"{path} is damaged", hint="apply the document again")
        return path


def _base(protocol: int, suites: str) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    old = ssl.TLSVersion.MINIMUM_SUPPORTED if suites == "legacy" else ssl.TLSVersion.TLSv1_2
    context.minimum_version = old
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_SSLv2 | ssl.OP_NO_SSLv3
    context.set_ciphers(SUITES[suites])
    return context


def _accepting(own: Sequence[Path], authority: Path | None, lists: Path | None, suites: str) -> ssl.SSLContext:
    made = [_shown(path, authority, lists, suites) for path in own]
    first = made[0]
    if len(made) > 1:
        chosen = _by_name(own, made)

        def choose(sock: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
            if name is not None:
                asked = name.lower().rstrip(".")
                sock.context = chosen.get(asked) or chosen.get(f"*.{asked.partition('.')[2]}") or first

        first.sni_callback = choose
    return first


def _shown(own: Path, authority: Path | None, lists: Path | None, suites: str) -> ssl.SSLContext:
    context = _base(ssl.PROTOCOL_TLS_SERVER, suites)
    context.num_tickets = 0  # TLS 1.3: nobody resumes an association, and two records less a handshake
    context.load_cert_chain(own)
    if authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(authority)
    if lists is not None:
        context.load_verify_locations(lists)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
    return context


def _by_name(own: Sequence[Path], made: Sequence[ssl.SSLContext]) -> Mapping[str, ssl.SSLContext]:
    """The contexts by the DNS names of their certificates, the first of two equal ones (RFC 9525: never the common name)."""
    from cryptography import x509  # 15 MiB that only a service with several certificates needs

    found: dict[str, ssl.SSLContext] = {}
    for path, context in zip(own, made, strict=True):
        one = x509.load_pem_x509_certificate(path.read_bytes())
        try:
            names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
        except x509.ExtensionNotFound:
            names = []
        for name in names:
            found.setdefault(name.lower(), context)
    return found


def _towards(authority: Path | None, own: Path | None) -> ssl.SSLContext:
    context = _base(ssl.PROTOCOL_TLS_CLIENT, "bcp195")  # verifies the chain and the name
    context.hostname_checks_common_name = False  # RFC 9525 §2
    if authority is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(authority)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # what the operator names is trusted, a root or not
    if own is not None:
        context.load_cert_chain(own)
    return context


def reason(error: Exception) -> str:
    """The word of `REASONS` for what a handshake raised."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFIED.get(error.verify_code, "bad-certificate")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "closed"
    if isinstance(error, ssl.SSLError):
        said = error.reason or ""
        known = _LIBRARY.get(said)
        return known or ("refused-by-peer" if "ALERT" in said else "broken")
    return "closed" if isinstance(error, OSError) else "broken"


def subject(shown: Mapping[str, object] | None) -> str:
    """The fact `tls_subject` of a verified certificate as `ssl` decodes it: subject, its attributes, its alternative names, as components.

    `\\CN=CT1,O=North\\CN=CT1\\O=North\\DNS:ct1.example.org`: backslashes stand between components and before the first, so that a glob
    fits one of them whole and never two. What is no printable ASCII stands as `?`.
    """
    if not shown:
        return ""
    attributes = [
        f"{_SHORT.get(name, name)}={_plain(value)}" for attribute in _pairs(shown.get("subject")) for name, value in _pairs(attribute)
    ]
    names = [
        f"{_NAMES[kind]}:{_plain(value.lower() if kind == 'DNS' else value)}"
        for kind, value in _pairs(shown.get("subjectAltName"))
        if kind in _NAMES and isinstance(value, str)
    ]
    whole = ",".join(reversed([one.replace(",", "?") for one in attributes]))  # RFC 4514: the most specific first
    parts = dict.fromkeys(part[:PART_CHARACTERS] for part in (whole, *reversed(attributes), *names) if part)
    return "".join(f"\\{part}" for part in list(parts)[:PARTS])


def _pairs(value: object) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()


def _plain(value: object) -> str:
    return "".join(letter if " " <= letter <= "~" and letter != "\\" else "?" for letter in str(value)).strip(" ")
