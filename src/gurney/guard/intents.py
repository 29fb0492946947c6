"""The one place for guard.json: what is wanted, durable before it is done, so that a new guard needs nobody (architecture §1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gurney.disk import files
from gurney.errors import InputRefused, StateUnusable
from gurney.guard import proc

VERSION = 2
"""1 (issue 3) knew no environment, stop signal, user, stdin and binds: what is not there has the default."""
NAME_LENGTH = 128
STOP_SIGNALS = ("SIGTERM", "SIGUSR1", "SIGQUIT", "SIGINT")
"""What asks a program of ours to end what it has in hand and then itself; SIGUSR1 is HAProxy's soft stop, SIGQUIT nginx's."""
UID_LIMIT = 2**32 - 2


@dataclass(frozen=True, slots=True)
class Listener:
    """An address to listen on. `host` is an IP address, or "" for every address of the node."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a process runs.

    `environment`: exactly these variables and no other; None is the guard's choice for our own programs. `stop_signal`: the name of the
    signal that asks it to end. `user`: the uid and gid it runs under, None is the guard's own. `stdin`: the file it reads there, opened
    with the guard's rights. `binds`: it opens listening sockets of its own, so it keeps the right to ports below 1024.
    """

    environment: Mapping[str, str] | None = None
    stop_signal: str = "SIGTERM"
    user: int | None = None
    stdin: Path | None = None
    binds: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """One process that is wanted. `pid` and `start` (ticks since boot) are those of the last one started, if that is known."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    listeners: tuple[Listener, ...] = ()
    pid: int | None = None
    start: int | None = None
    since: float = 0.0
    restarts: int = 0
    stopping: bool = False
    terms: Terms = field(default_factory=Terms)


class Intents:
    """The file. Every change is on disk when the call returns; OSError when it cannot be."""

    def __init__(self, path: Path) -> None:
        """Raises StateUnusable when the file is not one of this version."""
        self._path = path
        self._intents: dict[str, Intent] = {}
        if path.exists():
            self._read()

    def all(self) -> tuple[Intent, ...]:
        """What is wanted, in order of names."""
        return tuple(self._intents[name] for name in sorted(self._intents))

    def put(self, intent: Intent) -> None:
        """Want this, instead of what had its name."""
        self._change({**self._intents, intent.name: intent})

    def drop(self, name: str) -> None:
        """Want it no longer."""
        self._change({other: intent for other, intent in self._intents.items() if other != name})

    def clear(self) -> None:
        """Nothing is wanted: the file goes."""
        self._intents = {}
        files.remove(self._path)

    def _change(self, intents: dict[str, Intent]) -> None:
        body = {"version": VERSION, "boot": proc.boot_id(), "processes": {name: _as_json(one) for name, one in sorted(intents.items())}}
        files.replace(self._path, json.dumps(body, indent=1).encode() + b"\n")
        self._intents = intents

    def _read(self) -> None:
        try:
            body = json.loads(self._path.read_bytes())
            if type(body["version"]) is not int or not 1 <= body["version"] <= VERSION:
                raise StateUnusable(f"{self._path} is of version {body['version']}, this guard knows 1 to {VERSION}")
            same_boot = body["boot"] == proc.boot_id()
            for name, one in body["processes"].items():
                self._intents[name] = _from_json(name, one, same_boot)
        except (ValueError, KeyError, TypeError, AttributeError, InputRefused) as problem:
            raise StateUnusable(f"{self._path} cannot be read: {problem}", hint="end every process of Gurney, then remove it") from problem


def wanted(message: Mapping[str, Any]) -> Intent:
    """The intent a `run` asks for. Raises InputRefused."""
    try:
        name, argv, folder = message["name"], message["argv"], message["folder"]
    except KeyError as missing:
        raise InputRefused(f"run needs {missing}") from None
    listeners = tuple(_listener(one) for one in message.get("listeners", ()))
    if not _text(name) or not name or len(name) > NAME_LENGTH:
        raise InputRefused("the name of a process is a text of 1 to 128 characters")
    if not isinstance(argv, list) or not argv or not all(_text(one) for one in argv) or not argv[0].startswith("/"):
        raise InputRefused("argv is a list of texts and begins with an absolute path")
    if not _text(folder) or not folder.startswith("/"):
        raise InputRefused("folder is an absolute path")
    if len({one.name for one in listeners}) != len(listeners):
        raise InputRefused("two listeners have one name")
    return Intent(name, tuple(argv), Path(folder), listeners, terms=_terms(message))


def _terms(message: Mapping[str, Any]) -> Terms:
    environment, stop, user = message.get("environment"), message.get("stop_signal", "SIGTERM"), message.get("user")
    file, binds = message.get("stdin"), message.get("binds", False)
    if environment is not None and not (isinstance(environment, dict) and all(_variable(*one) for one in environment.items())):
        raise InputRefused("environment is a mapping of names to texts")
    if stop not in STOP_SIGNALS:
        raise InputRefused(f"stop_signal is one of {', '.join(STOP_SIGNALS)}")
    if user is not None and (not isinstance(user, int) or isinstance(user, bool) or not 0 <= user <= UID_LIMIT):
        raise InputRefused(f"{user!r} is no uid")
    if file is not None and not (_text(file) and file.startswith("/")):
        raise InputRefused("stdin is an absolute path")
    if not isinstance(binds, bool):
        raise InputRefused("binds is true or false")
    return Terms(environment, stop, user, None if file is None else Path(file), binds)


def _variable(name: object, value: object) -> bool:
    return _text(name) and _text(value) and name != "" and "=" not in str(name)


def _listener(one: Any) -> Listener:
    if not isinstance(one, Mapping) or not _text(one.get("name")) or not _text(one.get("host")):
        raise InputRefused("a listener has a name, a host and a port")
    port = one.get("port")
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise InputRefused(f"{port!r} is no port")
    return Listener(one["name"], one["host"], port)


def _text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _as_json(intent: Intent) -> dict[str, Any]:
    return {
        "argv": list(intent.argv),
        "folder": str(intent.folder),
        "listeners": [{"name": one.name, "host": one.host, "port": one.port} for one in intent.listeners],
        "pid": intent.pid,
        "start": intent.start,
        "since": intent.since,
        "restarts": intent.restarts,
        "stopping": intent.stopping,
        **terms_as_json(intent.terms),
    }


def terms_as_json(terms: Terms) -> dict[str, Any]:
    """The terms as `run` and guard.json have them; what has its default is left out."""
    body: dict[str, Any] = {} if terms.environment is None else {"environment": dict(terms.environment)}
    if terms.stop_signal != "SIGTERM":
        body["stop_signal"] = terms.stop_signal
    if terms.user is not None:
        body["user"] = terms.user
    if terms.stdin is not None:
        body["stdin"] = str(terms.stdin)
    return {**body, "binds": True} if terms.binds else body


def _from_json(name: str, body: Mapping[str, Any], same_boot: bool) -> Intent:
    asked = wanted({**body, "name": name})
    pid, start = (body["pid"], body["start"]) if same_boot else (None, None)
    return replace(asked, pid=pid, start=start, since=float(body["since"]), restarts=int(body["restarts"]), stopping=bool(body["stopping"]))
