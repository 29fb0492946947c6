"""The one place for the check `dicom-echo`: an association, a C-ECHO answered 0000, the pairs that must be taken, a release."""

from __future__ import annotations

from collections.abc import Sequence

from gurney.health.checks.core import Pair
from gurney.health.checks.dicom_associate import DicomAssociate
from gurney.wire.dicom import command
from gurney.wire.dicom.pdv import fragment_command
from gurney.wire.dicom.sop_classes import VERIFICATION

IMPLICIT_LITTLE = "1.2.840.10008.1.2"  # every receiver has it (PS3.5 §10.1)
MESSAGE_ID = 1


class DicomEcho(DicomAssociate):
    """Asks for Verification whether it is among `pairs` or not; not taken, it is `no-context`."""

    def __init__(self, *, calling_ae: str, called_ae: str, pairs: Sequence[Pair], timeout: float, now: float) -> None:
        if all(abstract != VERIFICATION for abstract, _ in pairs):
            pairs = ((VERIFICATION, IMPLICIT_LITTLE), *pairs)
        super().__init__(calling_ae=calling_ae, called_ae=called_ae, pairs=pairs, timeout=timeout, now=now)

    def _proceed(self, now: float) -> bytes:
        at = next((at for at, (pair, taken) in enumerate(self.accepted.items()) if taken and pair[0] == VERIFICATION), None)
        if at is None:
            return self._leave("no-context", "Verification is not taken", now)
        self._upper.check_sending()
        return fragment_command(2 * at + 1, command.echo_request(MESSAGE_ID), self._upper.peer_maximum)

    def _command(self, data: bytes, now: float) -> bytes:
        if self._found is not None:
            return b""
        try:
            answer = command.read(data)
        except command.CommandFault as fault:
            return self._leave("bad-status", f"the answer cannot be read: {fault}", now)
        if answer.field != command.C_ECHO_RQ | command.RESPONSE or answer.responded_id != MESSAGE_ID:
            return self._leave("bad-status", "not an answer to our C-ECHO", now)
        if answer.status != 0:
            return self._leave("bad-status", f"status {answer.status or 0:04X}", now)
        return self._leave_well(now)
