"""The one place for certificates of the golden tests: a certificate with its key, an authority, its list of revoked ones."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2046, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """An authority that issues certificates for one name each, and says which it revoked."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._own = self._made(name, self._key, authority=True)
        self._issued: dict[str, tuple[int, bytes]] = {}

    @property
    def pem(self) -> bytes:
        return self._own.public_bytes(serialization.Encoding.PEM)

    @property
    def itself(self) -> bytes:
        """Its own certificate and key, as a server shows them."""
        return self.pem + _key(self._key)

    def issue(self, name: str) -> bytes:
        """A certificate for `name` and its key, PEM; the same each time."""
        if name not in self._issued:
            key = ec.generate_private_key(ec.SECP256R1())
            made = self._made(name, key, authority=False)
            self._issued[name] = (made.serial_number, made.public_bytes(serialization.Encoding.PEM) + _key(key))
        return self._issued[name][1]

    def crl(self, *revoked: str) -> bytes:
        """A CRL with the certificates of these names, PEM."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._subject).last_update(BEGIN).next_update(END)
        for name in revoked:
            self.issue(name)
            one = x509.RevokedCertificateBuilder().serial_number(self._issued[name][0]).revocation_date(BEGIN).build()
            builder = builder.add_revoked_certificate(one)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _made(self, name: str, key: ec.EllipticCurvePrivateKey, authority: bool) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._subject).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(BEGIN).not_valid_after(END)
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
