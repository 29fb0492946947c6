"""The one place for asking the control process: a typed method an endpoint, HTTP over `control.sock`.

On `http.client` of the standard library, not httpx: it starts in 35 ms instead of 300, and `gurney status` is typed often.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gurney.api.problems import error_of
from gurney.errors import GurneyError, NotRunning
from gurney.net.messages import address

ALIVE_SECONDS = 5.0
LOOK_SECONDS = 10.0
CHANGE_SECONDS = 180.0  # an apply waits for every engine: starting one has 20 s, each load 10 s


class _UnixConnection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        sock.settimeout(self.timeout)
        try:
            with address(self._path) as place:
                sock.connect(place)
        except OSError:
            sock.close()
            raise
        self.sock = sock


class Client:
    """The control process of one state folder. Every method raises `NotRunning` or the error the control process answered with."""

    def __init__(self, control_socket: Path) -> None:
        self._path = control_socket

    def status(self) -> dict[str, Any]:
        """Applications, services, pools, members, conditions."""
        return self._ask("GET", "/v1/status")

    def alive(self) -> dict[str, Any]:
        """`{"pid": …}` of the control process; within seconds, or `NotRunning`: a stopped one does not answer."""
        return self._ask("GET", "/v1/alive", seconds=ALIVE_SECONDS)

    def ready(self) -> dict[str, Any]:
        """`{"ready": bool, "waiting": [words]}`."""
        return self._ask("GET", "/v1/ready")

    def revisions(self) -> list[dict[str, Any]]:
        """The newest revisions, newest first."""
        found = self._ask("GET", "/v1/revisions")["revisions"]
        return list(found)

    def plan(self, text: str, file: str, folder: Path | None = None) -> dict[str, Any]:
        """The steps an apply would take; `folder` (absolute) is where the names of files in the document begin."""
        return self._ask("POST", "/v1/plan", {"text": text, "file": file, "folder": _said(folder)})

    def apply(
        self, text: str, file: str, *, why: str | None = None, confirm: float | None = None, folder: Path | None = None
    ) -> dict[str, Any]:
        """A new revision, confirmed by every engine when this returns; `folder` as for `plan`."""
        body = {"text": text, "file": file, "why": why, "confirm_seconds": confirm, "folder": _said(folder)}
        return self._ask("POST", "/v1/apply", body)

    def undo(self, why: str | None = None) -> dict[str, Any]:
        """Back to the revision before."""
        return self._ask("POST", "/v1/undo", {"why": why})

    def confirm(self) -> dict[str, Any]:
        """The newest revision stays."""
        return self._ask("POST", "/v1/confirm", {})

    def override(self, glob: str, word: str, *, seconds: float | None = None, why: str | None = None) -> dict[str, Any]:
        """Lay a word over members."""
        return self._ask("POST", "/v1/overrides", {"object": glob, "word": word, "seconds": seconds, "why": why})

    def lift(self, glob: str) -> dict[str, Any]:
        """Take overrides off members."""
        return self._ask("DELETE", f"/v1/overrides?object={quote(glob, safe='')}")

    def explain(self, application: str, service: str, facts: Mapping[str, str]) -> dict[str, Any]:
        """Which rule, pool and member would take this, and why not the others."""
        return self._ask("POST", "/v1/explain", {"application": application, "service": service, "facts": dict(facts)})

    def down(self) -> dict[str, Any]:
        """Stop traffic and everything else; the control process ends after its answer."""
        return self._ask("POST", "/v1/down", {})

    def owner(self) -> int:
        """The pid of the process that listens on the socket, whether or not it answers. Raises `NotRunning`."""
        connection = _UnixConnection(self._path, LOOK_SECONDS)
        try:
            connection.connect()
            assert connection.sock is not None
            credentials = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError as error:
            raise self._nobody() from error
        finally:
            connection.close()
        return int(struct.unpack("3i", credentials)[0])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, seconds: float | None = None) -> dict[str, Any]:
        connection = _UnixConnection(self._path, seconds or (LOOK_SECONDS if method == "GET" else CHANGE_SECONDS))
        sent = json.dumps(body).encode() if body is not None else None
        try:
            connection.request(method, path, sent, {"Content-Type": "application/json"} if sent is not None else {})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except TimeoutError as error:
            raise NotRunning("the control process does not answer", hint="it may be stopped; `gurney down` ends it") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._nobody() from error
        finally:
            connection.close()
        if not isinstance(answer, dict):
            raise GurneyError(f"the control process answered {path} with something that is no object")
        if response.status >= 400:
            raise error_of(answer)
        return answer

    def _nobody(self) -> NotRunning:
        return NotRunning(f"no control process answers in {self._path.parent}", hint="gurney up")


def _said(folder: Path | None) -> str | None:
    return str(folder) if folder is not None else None
