"""The one place for looking into a deflated data set (PS3.5 §A.5): a bounded raw inflate of a copy; the original bytes travel."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

INFLATED: Final = 1024 * 1024
"""Bytes that come out at most (dicom.md §8)."""
TAKEN: Final = 256 * 1024
"""Bytes that go in at most: as many as are looked at of any data set; a whole number of blocks."""
RATIO: Final = 100
"""Bytes out for one byte in at most, over all that went in."""
_BLOCK: Final = 1024  # wire bytes inflated at a time, so that neither errors nor the ratio depend on where the bytes were cut
_PIECE: Final = 64 * 1024  # bytes that come out at a time


class Inflater:
    """One raw deflate stream. `broken`, `ended` and `exhausted` are final; nothing is inflated after any of them."""

    __slots__ = ("_held", "_made", "_stream", "_taken", "broken", "ended")

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._held = bytearray()  # less than a block
        self._made = 0
        self._taken = 0  # wire bytes inflated
        self.broken = False
        self.ended = False

    @property
    def exhausted(self) -> bool:
        """Whether as much has gone in as ever may."""
        return self._taken >= TAKEN

    def inflate(self, view: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """What the whole blocks up to the end of `view` inflate to, in pieces of ≤ 64 KiB; stop iterating when no more is needed."""
        at, end = 0, len(view)
        while at < end and not (self.broken or self.ended or self.exhausted):
            step = min(_BLOCK - len(self._held), end - at)
            self._held += view[at : at + step]
            at += step
            if len(self._held) == _BLOCK:
                yield from self.flush()

    def flush(self) -> Iterator[bytes]:
        """What is held back for a whole block, inflated now: the data set has ended."""
        block = bytes(self._held)
        self._held.clear()
        self._taken += len(block)
        while block and not self.broken and not self.ended:
            try:
                piece = self._stream.decompress(block, _PIECE)
            except zlib.error:
                self.broken = True
                return
            self._made += len(piece)
            if piece:
                yield piece
            self.ended = self._stream.eof
            block = self._stream.unconsumed_tail
        if self._made > RATIO * self._taken or self._made > INFLATED:
            self.broken = True
