"""What the checker sees instead of a key."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gurney.engines.haproxy.stand_ins import StandIns
from tests.golden.certificates import Authority


def names(pem: bytes) -> list[str]:
    [certificate] = x509.load_pem_x509_certificates(pem)
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


def test_a_key_becomes_another_key_for_the_same_names() -> None:
    kept = Authority("portal.example.org").itself
    made = StandIns().of(kept)
    assert names(made) == names(kept) != []
    assert not set(_keys(kept)) & set(_keys(made))
    key = serialization.load_pem_private_key(made, None)
    [certificate] = x509.load_pem_x509_certificates(made)
    assert key.public_key() == certificate.public_key()  # HAProxy takes them together


def test_what_is_public_stays_as_it_is() -> None:
    made = Authority("portal.example.org")
    for public in (made.pem, made.crl(), b"<h1>Nobody is there</h1>"):
        assert StandIns().of(public) == public


def test_a_key_that_cannot_be_read_never_passes_through() -> None:
    kept = b"-----BEGIN RSA PRIVATE KEY-----\nbroken\n-----END RSA PRIVATE KEY-----\n"
    made = StandIns().of(kept)
    assert b"broken" not in made and x509.load_pem_x509_certificates(made)


def _keys(pem: bytes) -> list[bytes]:
    """Lines of the private keys in it."""
    _, _, rest = pem.partition(b"PRIVATE KEY-----\n")
    return [line for line in rest.splitlines() if len(line) == 64]
