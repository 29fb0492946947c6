"""A member on the other side of a check: an accepting upper layer core that does as it is told. Time is a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gurney.health.checks.core import Check
from gurney.wire.dicom import command
from gurney.wire.dicom.events import CommandSet, ReleaseRequested, Requested, Send
from gurney.wire.dicom.pdu import AssociateAC, AssociateRQ, ContextAC
from gurney.wire.dicom.pdv import fragment_command
from gurney.wire.dicom.upper import Upper


@dataclass
class Peer:
    """What it does: reject, take contexts, answer the echo, answer the release; `garbage` replaces its first answer."""

    reject: tuple[int, int, int] | None = None
    takes: Callable[[str, str], bool] = lambda abstract, transfer: True
    answer: Callable[[bytes], bytes | None] = lambda data: command.echo_response(command.read(data), 0)
    abort: str = ""  # "associate" or "echo"
    silent: str = ""  # "associate", "echo" or "release"
    garbage: bytes = b""
    transfer: str = ""  # named in the answer instead of the one asked for
    upper: Upper = field(default_factory=lambda: Upper(True, 0.0))
    asked: AssociateRQ | None = None

    def hear(self, data: bytes) -> bytes:
        """What it answers to these bytes."""
        buffer, at, before, sent = data, 0, -1, b""
        while at != before:
            before = at
            at = self.upper.receive(buffer, at, len(buffer), 0.0)
            sent += self._act()
        assert at == len(buffer)
        return sent

    def _act(self) -> bytes:
        sent = b""
        while events := self.upper.take():
            for event in events:
                match event:
                    case Send(data):
                        sent += data
                    case Requested(rq):
                        self.asked = rq
                        sent += self.garbage
                        self._associate(rq)
                    case CommandSet(context_id, data, _):
                        sent += self._echo(context_id, data)
                    case ReleaseRequested() if self.silent != "release":
                        self.upper.answer_release(0.0)
                    case _:
                        pass
        return sent

    def _associate(self, rq: AssociateRQ) -> None:
        if self.garbage or self.silent == "associate":
            return
        if self.abort == "associate":
            self.upper.abort(2, 1, 0.0)
        elif self.reject is not None:
            self.upper.reject(*self.reject, 0.0)
        else:
            contexts = [
                ContextAC(context.id, 0 if self.takes(context.abstract, context.transfers[0]) else 3, self.transfer or context.transfers[0])
                for context in rq.contexts
            ]
            self.upper.accept(AssociateAC(ae_bytes=rq.ae_bytes, contexts=tuple(contexts)), 0.0)

    def _echo(self, context_id: int, data: bytes) -> bytes:
        if self.silent == "echo":
            return b""
        if self.abort == "echo":
            self.upper.abort(0, 0, 0.0)
            return b""
        answer = self.answer(data)
        return b"" if answer is None else fragment_command(context_id, answer, 16_384)


def talk(check: Check, peer: Peer, now: float = 0.0, piece: int = 1 << 20) -> None:
    """Both sides until nobody says anything more; the check gets its bytes in pieces of `piece`."""
    sent = check.connected(now)
    while sent and check.outcome is None:
        back = peer.hear(sent)
        sent = b""
        for at in range(0, len(back), piece):
            sent += check.received(back[at : at + piece], now)
