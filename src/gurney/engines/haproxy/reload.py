"""The one place for a reload: how often, with how many old workers, with whose health, and what it says when it fails."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from gurney.compile.haproxy.bundle import Bundle
from gurney.config.limits import OLD_WORKERS, OLD_WORKERS_MOST
from gurney.disk import files
from gurney.engines.haproxy import carried, words
from gurney.engines.haproxy.master import Master, Workers
from gurney.errors import EngineRefused, NotRunning

APART_SECONDS = 1.0  # reliability §4.2: reloads coalesce to one a second
OLD_WORKERS_SECONDS = 20.0
TEACHABLE_SECONDS = 7.0
NAMED = 5  # sessions of one worker that are named
_PAUSE = 0.1
_PEERS = re.compile(r"^0x\S+ .*\bid=\S+ .*\bflags=0x([0-9a-f]{1,16})\b", re.MULTILINE)
_LEARNED = 0x3  # PEERS_F_RESYNC_LOCAL and PEERS_F_RESYNC_REMOTE of src/peers.c


class Reload:
    """Reloads of one application. `progress` hears why something takes long, `patience` is how long old workers are waited for."""

    def __init__(self, folder: Path, progress: Callable[[str], None], patience: float = OLD_WORKERS_SECONDS) -> None:
        self._folder = folder
        self._progress = progress
        self._patience = patience
        self._master = Master(folder)

    def room(self, bundle: Bundle) -> None:
        """Wait until fewer than four old workers live. Raises `EngineRefused` with the sessions that hold them when there are too many."""
        deadline = time.monotonic() + self._patience
        said = False
        while len((old := self._master.workers()).old) >= OLD_WORKERS:
            if not said:
                self._progress(f"waiting for old workers to end: {'; '.join(holding(self._master, old, bundle))}")
                said = True
            if time.monotonic() >= deadline:
                break
            time.sleep(_PAUSE)
        if len(old.old) >= OLD_WORKERS_MOST:
            raise EngineRefused(
                f"{len(old.old)} old workers still hold sessions: {'; '.join(holding(self._master, old, bundle))}",
                hint="apply again when they have ended",
            )

    def reload(self, bundle: Bundle) -> None:
        """A new worker that serves what is published. Raises `EngineRefused` with HAProxy's words; the worker of before then serves on."""
        self._apart()
        self._teachable()
        state = self._folder / carried.FILE
        files.replace(state, carried.carried(self._master.worker("show servers state"), bundle).encode())
        try:
            done = self._master.reload()
        finally:
            files.remove(state)
        if not done.success:
            found = words.complaint(done.log, bundle, defect=False)
            if found is None:
                raise EngineRefused("HAProxy does not take the new configuration", hint=done.log.strip()[-300:] or None)
            raise EngineRefused(f"HAProxy: {found.message}", hint=found.hint, path=found.path)
        self._say(bundle)

    def _say(self, bundle: Bundle) -> None:
        try:
            workers = self._master.workers()
        except NotRunning:
            return
        held = holding(self._master, workers, bundle)
        if held:
            self._progress(f"a new worker serves; {'; '.join(held)}")

    def _apart(self) -> None:
        """One reload a second: counted from the start of the worker that serves, so that a new control process knows it too."""
        time.sleep(max(0.0, min(APART_SECONDS, APART_SECONDS - self._master.lived())))

    def _teachable(self) -> None:
        """Wait until the worker that serves may hand its tables on: for 5 s after a fresh start HAProxy does not (tried on 2.8).

        It first waits for a peer that could teach it; one that was taught by the worker before it may teach at once.
        """
        if not self._master.wait(lambda: teaches(self._master.worker("show peers")), TEACHABLE_SECONDS):
            self._progress("persistence by source begins anew: HAProxy does not hand its tables on")


def teaches(shown: str) -> bool:
    """Of `show peers`: whether every section has done with learning, local and remote (the two lowest flags); True where there is none."""
    found = _PEERS.findall(shown)
    return all(int(flags, 16) & _LEARNED == _LEARNED for flags in found)


def holding(master: Master, workers: Workers, bundle: Bundle) -> list[str]:
    """Each old worker in words: its pid, since when, how many connections it has, and what sessions those are."""
    told = []
    for worker in workers.old:
        count = master.connections(worker.pid)
        if count == 0:
            continue
        sessions = Counter(
            words.named(f"{one.source.rpartition(':')[0] or one.source} on {one.frontend} to {one.backend}", bundle)
            for one in master.sessions(worker.pid)
        )
        named = ", ".join(f"{text} ({number})" if number > 1 else text for text, number in sessions.most_common(NAMED))
        since = time.strftime("%H:%M:%S", time.localtime(worker.since))
        told.append(
            f"old worker {worker.pid} (since {since}) holds {count} session{'s' if count != 1 else ''}: {named or 'no request in hand'}"
        )
    return told
