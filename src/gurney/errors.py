"""The one place for error classes: a stable code, a message, a hint, a cause and one JSON shape (RFC 9457)."""

from __future__ import annotations

from typing import Any, ClassVar


class GurneyError(Exception):
    """An error a person may see.

    `code` is stable and documented, `hint` says the way out, `exit_status` is what a verb ends with (1 failed, 2 bad input).
    """

    code: ClassVar[str] = "GRN-E000"
    title: ClassVar[str] = "Gurney failed"
    exit_status: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def problem(self) -> dict[str, Any]:
        """The error as an RFC 9457 problem object."""
        body: dict[str, Any] = {
            "type": f"urn:gurney:error:{self.code}",
            "title": self.title,
            "status": self.http_status,
            "detail": self.message,
            "code": self.code,
        }
        if self.hint is not None:
            body["hint"] = self.hint
        if self.__cause__ is not None:
            body["cause"] = f"{type(self.__cause__).__name__}: {self.__cause__}"
        return body


class LocalError(GurneyError):
    """Our own code asked a core for something its state does not allow: a defect of Gurney, never of a peer."""

    code = "GRN-E001"
    title = "a defect in Gurney"


class InputRefused(GurneyError):
    """What a person gave (an argument, a name, a fact) cannot be used."""

    code = "GRN-E002"
    title = "bad input"
    exit_status = 2
    http_status = 422


class DocumentRefused(GurneyError):
    """The document has faults; `faults` holds every one of them as JSON-ready mappings, in the order of the file."""

    code = "GRN-E003"
    title = "the document was refused"
    exit_status = 2
    http_status = 422

    def __init__(self, message: str, *, faults: list[dict[str, Any]], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.faults = faults

    def problem(self) -> dict[str, Any]:
        return {**super().problem(), "faults": self.faults}


class NotRunning(GurneyError):
    """No control process (or guard) answers in this state folder."""

    code = "GRN-E004"
    title = "Gurney is not running"
    http_status = 503


class AlreadyRunning(GurneyError):
    """The state folder is owned by a living control process or guard."""

    code = "GRN-E005"
    title = "already running"
    http_status = 409


class NotFound(GurneyError):
    """The named application, pool, member, service or revision does not exist."""

    code = "GRN-E006"
    title = "not found"
    exit_status = 2
    http_status = 404


class StateUnusable(GurneyError):
    """The state folder or a store in it cannot be used (rights, version, damage)."""

    code = "GRN-E007"
    title = "the state folder cannot be used"


class RecordFailed(GurneyError):
    """The record (`record.db`) could not be opened or written; what was to be durable is not."""

    code = "GRN-E008"
    title = "the record failed"


class EngineRefused(GurneyError):
    """An engine did not take or not confirm what it was given; the last good configuration serves.

    `path` is the document path of what it complained about, where it named a line.
    """

    code = "GRN-E009"
    title = "an engine refused"

    def __init__(self, message: str, *, hint: str | None = None, path: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class GuardRefused(GurneyError):
    """The guard could not do what it was asked (bind an address, start a program)."""

    code = "GRN-E010"
    title = "the guard refused"


class SocketsUnusable(GurneyError):
    """An address cannot be listened on or a socket cannot be set up as §3 of the reliability page asks."""

    code = "GRN-E011"
    title = "a socket cannot be used"
