"""The one place for what the checker sees instead of a private key: a self-signed certificate for the same names, with a key of its own."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIVES = datetime.timedelta(days=1)
_EPOCH = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


class StandIns:
    """Makes stand-ins. One key serves them all: it is thrown away with this object and opens nothing."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._made: dict[bytes, bytes] = {}

    def of(self, kept: bytes) -> bytes:
        """`kept` as the checker may see it: what holds a key becomes a stand-in, what is public (an authority, a page) stays."""
        if b"PRIVATE KEY-----" not in kept:
            return kept
        if kept not in self._made:
            self._made[kept] = self._make(kept)
        return self._made[kept]

    def _make(self, kept: bytes) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_EPOCH)
            .not_valid_after(_EPOCH + 36_500 * _LIVES)
        )
        for extension in _names(kept):
            builder = builder.add_extension(extension, critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        key = self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return made.public_bytes(serialization.Encoding.PEM) + key


def _names(kept: bytes) -> list[x509.SubjectAlternativeName]:
    """The names of the first certificate: HAProxy chooses by them."""
    try:
        certificate = x509.load_pem_x509_certificates(kept)[0]
        return [certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value]
    except (ValueError, IndexError, x509.ExtensionNotFound):
        return []
