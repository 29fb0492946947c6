"""The one place for what runs before a change, as far as anybody knows: which bundle, which processes, what was let go of."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable
from dataclasses import dataclass

from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy.bundle import Bundle, Frontend
from gurney.engines.haproxy import ports, words
from gurney.engines.haproxy.master import Master
from gurney.engines.haproxy.publish import Bundles
from gurney.errors import EngineRefused, InputRefused, NotRunning


@dataclass(frozen=True, slots=True)
class Standing:
    """What there was before a change.

    `serving` is the bundle whose shape the worker names, None when nothing runs or nobody knows it; `pids` the master and its workers,
    `worker` the one that serves, `closed` the frontends that were let go of. `torn`: the change before this one was cut short, so nobody
    knows what it serves.
    """

    serving: Bundle | None = None
    pids: frozenset[int] = frozenset()
    worker: int | None = None
    torn: bool = False
    closed: frozenset[str] = frozenset()

    def held(self) -> tuple[Frontend, ...]:
        """What is listened on."""
        return tuple(one for one in self.serving.frontends if one.name not in self.closed) if self.serving is not None else ()


class Shelf:
    """The bundles of one application that were read, so that each is read once: a large one takes a while."""

    def __init__(self) -> None:
        self._read: dict[str, Bundle] = {}

    def put(self, generation: str, bundle: Bundle) -> None:
        """It was read already."""
        self._read = {**self._read, generation: bundle}

    def shaped(self, home: Bundles, shape: str | None) -> list[tuple[str, Bundle]]:
        """The bundles that stand there and have this shape, the published one first."""
        read: dict[str, Bundle] = {}
        for generation in home.kept():
            content = home.content(generation) if generation not in self._read else None
            with contextlib.suppress(InputRefused):  # of another version: nobody's
                if generation in self._read:
                    read[generation] = self._read[generation]
                elif content is not None:
                    read[generation] = bundles.load(content)
        self._read = read
        return [(generation, one) for generation, one in read.items() if one.shape == shape]


def standing(home: Bundles, shelf: Shelf) -> Standing:
    """What runs now. Raises `EngineRefused` when HAProxy says what nobody understands."""
    torn = home.generation() is not None and not home.settled()
    try:
        master = Master(home.folder)
        workers, shape = master.workers(), master.description()
        serving = next((found for _, found in shelf.shaped(home, shape)), None)
        gone = closed(home, serving) if serving is not None else frozenset()
    except NotRunning:
        return Standing(torn=torn)
    return Standing(serving, workers.pids(), workers.current.pid if workers.current is not None else None, torn, gone)


def closed(home: Bundles, wanted: Bundle) -> frozenset[str]:
    """The frontends of a bundle that do not listen. Raises `NotRunning`."""
    rows = csv.DictReader(Master(home.folder).worker("show stat -1 1 -1").removeprefix("# ").splitlines())
    open_now = {row["pxname"] for row in rows if row.get("status") == "OPEN"}
    return frozenset(one.name for one in wanted.frontends) - open_now


def read(content: bytes) -> Bundle:
    """The bundle in these bytes. Raises `EngineRefused`: what the compiler wrote is no one's fault but ours."""
    try:
        return bundles.load(content)
    except InputRefused as error:
        raise EngineRefused(f"the bundle is not valid: {error.message}", hint=words.DEFECT) from error


def addresses(frontends: Iterable[Frontend]) -> list[ports.Address]:
    """Where they listen."""
    return [(one.listen.host, one.listen.port) for one in frontends]


def let_go(before: Iterable[Frontend], wanted: Iterable[Frontend]) -> list[ports.Address]:
    """What was listened on and is to be so no longer, in no form: `*:80` covers `127.0.0.1:80`."""
    kept = addresses(wanted)
    return [
        (host, port)
        for host, port in addresses(before)
        if not any(port == other and (host == at or "" in (host, at)) for at, other in kept)
    ]
