"""The one place for the bounds of an upper layer core: what it keeps and what it says, whatever a peer has sent."""

from __future__ import annotations

from gurney.wire.dicom import pdu, pdv
from tests.wire.tape import Caller


def bounded(caller: Caller) -> None:
    """What a core keeps, and what it says beyond the AC, has a bound whatever came."""
    upper = caller.upper
    assert len(upper._inbound._command) <= pdv.MAX_COMMAND
    assert upper._gathered is None or len(upper._gathered) <= pdu.MAX_ASSOCIATE + 6
    assert len(upper._noted) <= 30
    complaints = [entry for entry in caller.trace if isinstance(entry, tuple) and entry[0] == "send" and entry[1][0] == pdu.TYPE_ABORT]
    assert len(complaints) <= 2
