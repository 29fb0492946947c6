"""The one place for a sender's TLS handshake: before it is done there is no session, and it counts among the unproven connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

from gurney.intake.dicom.admission import source_of
from gurney.net.handshake import Handshake
from gurney.net.secured import Secured

if TYPE_CHECKING:
    from gurney.intake.dicom.service import LiveService


class Securing:
    """One accepted connection whose handshake is under way (`admission.Unproven`)."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        service: LiveService,
        sock: socket.socket,
        context: ssl.SSLContext,
        address: str,
        listener: str,
        within: float,
    ) -> None:
        self._service = service
        self.address = address
        self.listener = listener
        self.source = source_of(address)
        self.since = loop.time()
        self._handshake = Handshake(loop, sock, context, self._done, within)

    def shed(self) -> None:
        """Closed in favour of a newer connection, or for good."""
        self._handshake.cancel()
        self._service.unsecured(self, "")

    def _done(self, secured: Secured | None, why: str) -> None:
        if secured is None:
            self._service.unsecured(self, why)
        else:
            self._service.secured(self, secured)
