"""The one place for sending what a case of a blueprint sends, and for what came of each: one sender a protocol.

A protocol gets its sender with one class and one line in `SENDERS`.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gurney.demo.account import journal
from gurney.demo.portal import ANSWERED_BY
from gurney.errors import InputRefused

SILENCE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Target:
    """Where a case sends: one service. `disks` maps APP/POOL/MEMBER to the folder an archive keeps its objects in; `scans` is ours."""

    host: str
    port: int
    disks: Mapping[str, Path]
    scans: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one sending: the answer in a word, the member (APP/POOL/MEMBER) that gave it, what it says arrived there."""

    word: str
    member: str | None = None
    arrived: Mapping[str, str] | None = None


class Sender:
    """Sends for one case. `more` are the case's words for the protocol; the words a sender knows are its `WORDS`."""

    WORDS: frozenset[str] = frozenset()

    def __init__(self, target: Target, more: Mapping[str, Any]) -> None:
        unknown = sorted(set(more) - self.WORDS)
        if unknown:
            raise InputRefused(f"a case sends with unknown words: {', '.join(unknown)}", hint=f"there are: {', '.join(sorted(self.WORDS))}")
        self.target, self.more = target, more

    def send(self, number: int, source: str | None) -> Answer:
        """The sending with this number (from 0), from this address of loopback (None: whichever)."""
        raise NotImplementedError

    def found(self, answers: list[Answer]) -> list[Answer]:
        """The answers once all is sent, with the members that were not known before."""
        return answers

    def close(self) -> None:
        """Nothing is kept open."""


class Http(Sender):
    """`path`, `method`, `host`, `headers`; `keep: cookies`: one visitor, who returns the cookies it was given. Answers: the status."""

    WORDS = frozenset({"path", "method", "host", "headers", "keep"})

    def __init__(self, target: Target, more: Mapping[str, Any]) -> None:
        super().__init__(target, more)
        self._cookies: dict[str, str] = {}

    def send(self, number: int, source: str | None) -> Answer:
        headers = {"Connection": "close", **self.more.get("headers", {})}
        if "host" in self.more:
            headers["Host"] = self.more["host"]
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        connection = http.client.HTTPConnection(
            self.target.host, self.target.port, timeout=SILENCE, source_address=(source, 0) if source else None
        )
        try:
            connection.request(self.more.get("method", "GET"), self.more.get("path", "/seen"), headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as e:
            return Answer(_broken(e))
        finally:
            connection.close()
        if self.more.get("keep") == "cookies":
            for line in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = line.partition(";")[0].partition("=")
                self._cookies[name] = value
        member = answer.getheader(ANSWERED_BY)
        arrived = json.loads(body)["headers"] if member and answer.getheader("Content-Type") == "application/json" and body else None
        return Answer(str(answer.status), member, arrived)


class Tcp(Sender):
    """A connection a sending: a line out, a line back. Answers: `answered`, `closed` (without an answer), `refused`."""

    def send(self, number: int, source: str | None) -> Answer:
        try:
            with socket.create_connection((self.target.host, self.target.port), SILENCE, (source, 0) if source else None) as connection:
                connection.sendall(b"who is there\n")
                said = connection.makefile("rb").readline(4096)
        except OSError as e:
            return Answer(_broken(e))
        return Answer("answered", said.split()[0].decode()) if said.endswith(b"\n") else Answer("closed")


class Dicom(Sender):
    """`modality`, `calling_ae`, `called_ae`; `studies`: of how many studies the objects are (as many as objects); `request: echo`.

    An association a sending. Answers: the status (0000), `rejected`, `aborted`.
    """

    WORDS = frozenset({"modality", "calling_ae", "called_ae", "studies", "request"})

    def __init__(self, target: Target, more: Mapping[str, Any]) -> None:
        super().__init__(target, more)
        self._studies: dict[int, Any] = {}
        self._sops: list[str] = []
        target.scans.mkdir(exist_ok=True)

    def send(self, number: int, source: str | None) -> Answer:
        from pynetdicom import AE, build_context, evt
        from pynetdicom.sop_class import Verification

        echo = self.more.get("request") == "echo"
        image = None if echo else self._image(number)
        ae = AE(ae_title=self.more.get("calling_ae", "CT1"))
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = SILENCE
        context = build_context(Verification) if image is None else build_context(image.sop_class, image.transfer_syntax)
        came: list[str] = []  # pynetdicom forgets a rejection now and then; what came on the wire is the answer
        more: dict[str, Any] = {"evt_handlers": [(evt.EVT_PDU_RECV, lambda event: came.append(type(event.pdu).__name__))]}
        if source:
            more["bind_address"] = (source, 0)
        assoc = ae.associate(self.target.host, self.target.port, [context], self.more.get("called_ae", "PACS"), **more)
        if not assoc.is_established:
            return Answer("rejected" if assoc.is_rejected or "A_ASSOCIATE_RJ" in came else "aborted")
        answer = assoc.send_c_echo() if image is None else assoc.send_c_store(image.file)
        if assoc.is_established:
            assoc.release()
        if "Status" not in answer:
            return Answer("aborted")
        if image is not None:
            self._sops.append(image.sop)
        return Answer(f"{int(answer.Status):04X}", image.sop if image is not None else None)

    def _image(self, number: int) -> Any:
        """The next object of its study; a study is begun when it is first asked for."""
        from gurney.demo.studies import KINDS, images

        wanted = self.more.get("modality", "CT")
        kind = next((one for one in KINDS if one.modality == wanted), None)
        if kind is None:
            raise InputRefused(f"no sample has modality {wanted}", hint=f"there are: {', '.join(one.modality for one in KINDS)}")
        study = number % int(self.more["studies"]) if "studies" in self.more else number
        if study not in self._studies:
            self._studies[study] = images(replace(kind, objects=1_000_000), id(self) % 10_000 + study, self.target.scans)
        return next(self._studies[study])

    def found(self, answers: list[Answer]) -> list[Answer]:
        holders = {line["sop"]: member for member, disk in self.target.disks.items() for line in journal(disk)}
        return [replace(one, member=holders.get(one.member)) if one.member is not None else one for one in answers]


SENDERS: Mapping[str, Callable[[Target, Mapping[str, Any]], Sender]] = {"http": Http, "tcp": Tcp, "dicom": Dicom}


def _broken(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "silent" if isinstance(error, TimeoutError) else "closed"
