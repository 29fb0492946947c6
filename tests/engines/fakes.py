"""Small real stand-ins: a route process that speaks route.sock, and a guard that keeps it, both inside the test's own process."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gurney.balance import table
from gurney.engines.engine import Process
from gurney.errors import GuardRefused, GurneyError, NotRunning
from gurney.net import messages


class FakeRoute:
    """Answers on `folder/route.sock` from a thread of its own, as docs/decisions/0002 says.

    `refuse` makes `load` fail for these generations, `lie` makes it name another generation than it serves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.generation = ""
        self.loads = 0
        self.refuse: set[str] = set()
        self.lie = False
        self.checked = True
        self.down: dict[str, str] = {}  # "pool/member" -> why
        self.table: table.Table | None = None
        self._load()
        self._listener = messages.listen(folder / "route.sock")
        self._ours, self._theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ours.send(b"x")
        self._thread.join(5)
        self._listener.close()
        self._ours.close()
        self._theirs.close()
        messages.remove(self.folder / "route.sock")

    def _serve(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._listener, selectors.EVENT_READ, None)
        selector.register(self._theirs, selectors.EVENT_READ, "end")
        while True:
            for key, _ in selector.select():
                if key.data == "end":
                    selector.close()
                    return
                if key.data is None:
                    sock = messages.accept(self._listener)
                    if sock is not None:
                        selector.register(sock, selectors.EVENT_READ, messages.Reader(sock))
                    continue
                reader: messages.Reader = key.data
                for body, _ in reader.read():
                    messages.Writer(reader.sock).put(self._answer(body))
                if reader.ended:
                    selector.unregister(reader.sock)
                    reader.sock.close()

    def _answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            match body["op"]:
                case "load":
                    self.loads += 1
                    self._load()
                    return {"ok": True, "generation": "0" * 64 if self.lie else self.generation}
                case "status":
                    return self._status()
                case "explain":
                    return {"ok": True, "service": body["service"], "facts": body["facts"], "chosen": "archive-1"}
        except GurneyError as error:
            return {"ok": False, **error.problem()}
        return {"ok": False, "code": "GRN-E002", "message": "unknown"}

    def _load(self) -> None:
        content = (self.folder / "route.json").read_bytes()
        generation = table.generation(content)
        if generation in self.refuse:
            raise GuardRefused("this generation is refused")
        self.table = table.load(content)
        self.generation = generation

    def _status(self) -> dict[str, Any]:
        assert self.table is not None
        return {
            "ok": True,
            "generation": self.generation,
            "checked": self.checked,
            "services": {name: {"accepting": True, "associations": 0} for name in self.table.services},
            "pools": {
                name: {
                    "members": {
                        one: {
                            "operational": "down" if f"{name}/{one}" in self.down else "up",
                            "why": self.down.get(f"{name}/{one}", "check ok"),
                            "weight": member.weight,
                            "override": member.override,
                        }
                        for one, member in pool.members.items()
                    }
                }
                for name, pool in self.table.pools.items()
            },
            "conditions": [],
        }


@dataclass
class FakeKeeper:
    """A guard without processes: `run` makes a `FakeRoute`. `taken` are ports somebody else listens on, `gone` a guard that died."""

    taken: set[int] = field(default_factory=set)
    gone: bool = False
    routes: dict[str, FakeRoute] = field(default_factory=dict)
    listeners: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    terms: dict[str, dict[str, Any]] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    hopeless: str = ""  # not empty: what `run` starts ends at once, with these last words

    def run(self, name: str, argv: Sequence[str], folder: Path, listeners: Sequence[Mapping[str, Any]], **terms: Any) -> Mapping[str, Any]:
        self._alive()
        self.asked.append(("run", name))
        self.terms[name] = terms
        for one in listeners:
            if one["port"] in self.taken:
                raise GuardRefused(f"cannot listen on {one['name']}: Address already in use")
        self.listeners[name] = tuple(one["name"] for one in listeners)
        if self.hopeless:
            return {"ok": True, "pid": None, "started": True}
        started = name not in self.routes
        if started:
            self.routes[name] = FakeRoute(folder)
        return {"ok": True, "pid": 1, "started": started}

    def stop(self, name: str, within: float) -> None:
        self._alive()
        self.asked.append(("stop", name))
        route = self.routes.pop(name, None)
        self.listeners.pop(name, None)
        if route is not None:
            route.close()

    def watch(self) -> socket.socket:
        raise NotRunning("no guard")

    def processes(self) -> tuple[Process, ...]:
        self._alive()
        if self.hopeless:
            return tuple(Process(name, None, 0.0, 9, False, "waiting", self.hopeless, held) for name, held in self.listeners.items())
        return tuple(
            Process(name, 1, 0.0, self.restarts.get(name, 0), False, "running", None, self.listeners[name]) for name in sorted(self.routes)
        )

    def close(self) -> None:
        for route in self.routes.values():
            route.close()
        self.routes.clear()

    def _alive(self) -> None:
        if self.gone:
            raise NotRunning("nobody answers on guard.sock")
