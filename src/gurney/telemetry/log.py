"""The one place that writes logs: JSON lines in a file of bounded size, nothing in them that `telemetry.events` does not allow."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import structlog

from gurney.errors import LocalError
from gurney.telemetry.counters import Counters
from gurney.telemetry.events import EVENTS, FIELDS

PEER_LENGTH = 64
TEXT_LENGTH = 400
FILE_SIZE = 16 * 1024 * 1024
"""Bytes of a log file before it is put aside."""
FILES_KEPT = 4
"""Files put aside, `NAME.1` the newest."""
LEVELS: Mapping[str, int] = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_REF = re.compile(r"[0-9a-f]{8,64}")

Report = Callable[..., None]


def escape(text: str, length: int) -> str:
    """Printable ASCII of at most `length` characters: all else as \\xNN, \\uNNNN, and a cut is shown by `…`, written as `...`."""
    safe = text[: length * 2].encode("unicode_escape").decode("ascii")
    return safe if len(safe) <= length and len(text) <= length * 2 else safe[: length - 3] + "..."


def where(error: BaseException) -> str:
    """Where an unexpected error was raised, as file:line of its last three frames: no message, since that may quote a peer's bytes."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " ".join(frames[-3:])


def redact(field: str, value: object) -> object:
    """A field's value as it may be written. Raises KeyError for an unknown field, ValueError for no value of its kind."""
    kind = FIELDS[field]
    if value is None:
        return None
    if kind == "flag":
        return bool(value)
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(field)
        return round(value, 6) if isinstance(value, float) else value
    if isinstance(value, bytes):
        text = value.decode("latin-1")
    elif isinstance(value, tuple | list | frozenset | set):
        text = " ".join(str(one) for one in value)
    else:
        text = str(value)
    if kind == "ref":
        if not _REF.fullmatch(text):
            raise ValueError(field)
        return text
    return escape(text, PEER_LENGTH if kind == "peer" else TEXT_LENGTH)


class Log:
    """The log of one process. No call raises for what is written or for a disk that does not take it: both are dropped and counted.

    `strict` (tests) turns an unknown event or field into LocalError. `bind` values stand in every line.
    """

    def __init__(
        self, path: Path, *, level: str = "info", counters: Counters | None = None, strict: bool = False,
        size: int = FILE_SIZE, kept: int = FILES_KEPT, **bind: object,
    ) -> None:  # fmt: skip
        self.counters = Counters() if counters is None else counters
        self._strict = strict
        self._file = _File(path, size, kept, self.counters)
        logger = structlog.wrap_logger(
            self._file,
            processors=[
                structlog.processors.add_log_level,
                self._only_allowed,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                structlog.processors.JSONRenderer(separators=(",", ":")),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
            context_class=dict,
        ).bind(**bind)
        self.debug: Report = logger.debug
        self.info: Report = logger.info
        self.warning: Report = logger.warning
        self.error: Report = logger.error

    def close(self) -> None:
        """Close the file; later lines are dropped."""
        self._file.close()

    def _only_allowed(self, logger: object, method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
        event, level = line["event"], line["level"]
        allowed = EVENTS.get(event)
        if allowed is None:
            self._refuse("event", f"no event is called {event!r}")
            raise structlog.DropEvent
        self.counters.add("gurney_log_lines_total", (level,))
        written: dict[str, Any] = {"level": level, "event": event}
        for field, value in line.items():
            if field in ("event", "level"):
                continue
            if field not in allowed and field != "app":
                self._refuse("field", f"{event} has no field {field!r}")
                continue
            try:
                written[field] = redact(field, value)
            except (KeyError, ValueError):
                self._refuse("value", f"{event}: {field} cannot be of type {type(value).__name__}")
        return written

    def _refuse(self, cause: str, message: str) -> None:
        self.counters.add("gurney_log_dropped_total", (cause,))
        if self._strict:
            raise LocalError(message)


class _File:
    """Appends whole lines, each in one write; puts the file aside when it is full. Rotation is by name, so another reader may follow."""

    def __init__(self, path: Path, size: int, kept: int, counters: Counters) -> None:
        self._path = path
        self._size = size
        self._kept = kept
        self._counters = counters
        self._fd = -1
        self._written = 0
        self._closed = False
        self._open()

    def msg(self, line: str) -> None:
        """One line, without its end."""
        if self._closed:
            return
        data = line.encode() + b"\n"
        if self._written + len(data) > self._size:
            self._aside()
        try:
            if self._fd < 0:
                self._open()
            os.write(self._fd, data)
            self._written += len(data)
        except OSError:
            self._counters.add("gurney_log_dropped_total", ("write",))

    debug = info = warning = error = msg

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._closed = True

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._written = os.fstat(self._fd).st_size

    def _aside(self) -> None:
        try:
            for number in range(self._kept, 0, -1):
                older = self._path.with_name(f"{self._path.name}.{number}")
                newer = self._path if number == 1 else self._path.with_name(f"{self._path.name}.{number - 1}")
                if newer.exists():
                    newer.replace(older)
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1
            self._open()
        except OSError:
            self._counters.add("gurney_log_dropped_total", ("rotate",))
