"""The one place for the receive memory of one association: the slab being filled, how far it is read, what is carried to the next."""

from __future__ import annotations

from gurney.deliver.link import Link
from gurney.net.slabs import Slab, Slabs

_ROOM = 32_768  # a slab with less room left than this is full
_CUT = 11  # bytes of a header that can be left over (`Upper.receive`)


class Memory:
    """At most one slab, leased only while bytes flow; runs of objects hold it on their own account (`Slab.holders`)."""

    __slots__ = ("_slabs", "_tail", "position", "slab")

    def __init__(self, slabs: Slabs) -> None:
        self._slabs = slabs
        self._tail = b""
        self.slab: Slab | None = None
        self.position = 0  # up to here it is read

    @property
    def unread(self) -> int:
        """Bytes received and not yet read by the core."""
        return self.slab.fill - self.position if self.slab is not None else len(self._tail)

    def room(self, link: Link | None, between: bool = False) -> Slab | None:
        """The slab to receive into, None while there is no memory; a full one is left to its runs, unread bytes move to the next.

        `link` carries the object that is coming in: with the budget spent, what it has sent is given up for a replay. `between`: none is.
        """
        slab = self.slab
        if slab is not None and slab.size - slab.fill >= _ROOM:
            return slab
        fresh = self._fresh(slab, link, between)
        if fresh is None:
            return None
        rest = self._tail if slab is None else bytes(slab.view[self.position : slab.fill])
        fresh.view[: len(rest)] = rest
        fresh.fill, self._tail = len(rest), b""
        if slab is not None and fresh is not slab:
            slab.give_back()
        self.slab, self.position = fresh, 0
        return fresh

    def _fresh(self, slab: Slab | None, link: Link | None, between: bool) -> Slab | None:
        """A slab to go on with: `slab` itself where no object is kept in it."""
        if slab is not None and slab.holders == 1:
            return slab
        fresh = self._slabs.lease(between)
        if fresh is None and link is not None:
            link.trim(force=True)
            fresh = slab if slab is not None and slab.holders == 1 else self._slabs.lease()
        return fresh

    def tidy(self) -> None:
        """Between messages an association holds no memory but a cut header: half a PDU must not cost us a slab."""
        slab = self.slab
        if slab is not None and slab.fill - self.position <= _CUT:
            self._tail = bytes(slab.view[self.position : slab.fill])
            self.let_go()

    def let_go(self) -> None:
        """Nothing more is received into the slab."""
        slab, self.slab, self.position = self.slab, None, 0
        if slab is not None:
            slab.give_back()
