"""The one place for certificates of the golden tests: a certificate with its key, an authority, its list of revoked ones."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2046, 1, 1, tzinfo=datetime.UTC)


def certificate_with_key(name: str = "stand-in.example.org") -> bytes:
    """A self-signed certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _certificate(name, key)
    return made.public_bytes(serialization.Encoding.PEM) + _key(key)


def authority_with_crl() -> tuple[bytes, bytes]:
    """An authority and an empty CRL of it, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _certificate("authority.example.org", key)
    crl = x509.CertificateRevocationListBuilder().issuer_name(made.subject).last_update(BEGIN).next_update(END).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM), crl.public_bytes(serialization.Encoding.PEM)


def _certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(BEGIN).not_valid_after(END)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(key, hashes.SHA256())


def _key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
