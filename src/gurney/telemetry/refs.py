"""The one place for keyed digests: what stands for a UID or a patient id wherever it may be seen (dicom.md §4, §9; reliability.md §7)."""

from __future__ import annotations

import hmac

REF_LENGTH = 32
"""Hexadecimal digits of a ref: 128 bits of HMAC-SHA256, so that two studies of one site never share one."""


class Refs:
    """Makes refs under the site's key: the same text of the same kind always gives the same ref, and nothing else gives the text back."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """`key`: the 32 bytes of `keys/site.key`. Raises ValueError when it is shorter than 16 bytes."""
        if len(key) < 16:
            raise ValueError("a site key has at least 16 bytes")
        self._key = key

    def ref(self, kind: str, text: str | bytes) -> str:
        """32 hexadecimal digits for a text; `kind` (study, object, patient) keeps equal texts of different kinds apart."""
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, kind.encode() + b"\0" + data, "sha256").hex()[:REF_LENGTH]
