"""The one place for `gurney demo --check`: the demo by itself, with kills and changed documents midway, and an account at the end."""

from __future__ import annotations

import sys
import threading
import time

from gurney.demo.account import Balance, Journals, balance
from gurney.demo.changes import PACS, PORTAL, Change
from gurney.demo.hospital import Hospital
from gurney.demo.waiting import listens, until

ASSOCIATIONS = 4
STUDIES = 24
RATE = 15.0  # objects a second and association: the kills and the changed documents come while studies are being sent
BOUND = 100.0  # seconds for all objects
KILL_AT, RESTART_AT, APPLY_AT = 0.10, 0.25, 0.40  # shares of all objects
OBJECTS = 624  # of 24 studies, studies.KINDS in turn
SEEN = 50  # requests of visitors between two acts: each act is seen by some
DRAINED = "portal/portal/portal-1"


def say(text: str) -> None:
    """Progress: talk goes to stderr."""
    print(f"demo: {text}", file=sys.stderr, flush=True)


class Check:
    """One run over a hospital that is up."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital = hospital
        self.journals = Journals(hospital.folders)

    def run(self) -> Balance:
        """The whole of it; raises DemoFailed when something does not come true in time."""
        hospital, sent = self.hospital, self.hospital.sent
        hospital.start_visitors()
        hospital.start_modality(ASSOCIATIONS, STUDIES, RATE)
        say(f"a modality sends {STUDIES} studies over {ASSOCIATIONS} associations, 4 visitors look at the portal")
        self._acked(KILL_AT)
        victim = self._busier()
        self._kill(victim, "portal-1")
        self._acked(RESTART_AT)
        self._start(victim, "portal-1")
        self._acked(APPLY_AT)
        self._apply(PACS)
        self._control()
        self._changes()
        self._rest()
        hospital.stop_senders()
        result = balance(sent, hospital.folders, hospital.visits)
        kinds = ", ".join(sorted(set(sent.modality.values())))
        say(f"{len(set(sent.study.values()))} studies of {kinds}; {result.split_studies} split by the kill of {victim}")
        say(f"{sent.broken.total()} associations of the modality were broken{''.join(f', {n} × {why}' for why, n in sent.broken.items())}")
        visits = hospital.visits
        say(f"visitors: {dict(sorted(visits.members.items()))}, errors {dict(visits.why)}, p99 {visits.quantile(0.99)} ms")
        return result

    def _acked(self, share: float) -> None:
        """Until this share of all objects is acknowledged, and visitors have come since the last act."""
        sent, visits = self.hospital.sent, self.hospital.visits
        until(lambda: len(sent.acked) >= OBJECTS * share, BOUND, f"{share:.0%} of the objects are acknowledged")
        self._visited(visits.requests + SEEN)

    def _visited(self, count: int) -> None:
        until(lambda: self.hospital.visits.requests >= count, BOUND, "visitors go on")

    def _so_far(self) -> str:
        visits = self.hospital.visits
        return f"{len(self.hospital.sent.acked)} objects acknowledged, {visits.requests} requests, {visits.errors} errors"

    def _busier(self) -> str:
        """The archive (of the pool with two) that has taken more so far."""
        self.journals.read()
        return max(("archive-1", "archive-2"), key=lambda name: self.journals.each[name])

    def _kill(self, *names: str) -> None:
        for name in names:
            self.hospital.members[name].kill()
        say(f"{' and '.join(names)} killed (SIGKILL): {self._so_far()}")

    def _start(self, *names: str) -> None:
        for name in names:
            self.hospital.start_member(name)
        say(f"{' and '.join(names)} started again: {self._so_far()}")

    def _control(self) -> None:
        """The control process dies, traffic goes on without it, the next one takes over."""
        say(f"{self.hospital.kill('control')} (SIGKILL): {self._so_far()}")
        self._visited(self.hospital.visits.requests + SEEN)
        self.hospital.up()
        say(f"gurney up again: {self._so_far()}")

    def _apply(self, change: Change) -> None:
        self.hospital.apply(change.make(self.hospital.document))
        say(f"a changed document applied ({change.what}): {self._so_far()}")

    def _changes(self) -> None:
        """Five changes of the portal, one after the other, each of another kind."""
        hospital = self.hospital
        hospital.gurney.verb("drain", DRAINED, "--for", "3s", "--why", "the demo")
        say(f"{DRAINED} drained for 3 s: {self._so_far()}")
        for change in PORTAL:
            self._apply(change)
        until(lambda: listens(hospital.ports["further"]), 5, "the portal's second port is listened on")
        until(lambda: hospital.visits.members["portal-3"] > 0, 10, "the third member is visited")

    def _rest(self) -> None:
        sent = self.hospital.sent
        began = time.monotonic()
        last = threading.Event()
        while not sent.done and time.monotonic() - began < BOUND:
            last.wait(2)
            say(f"{self._so_far()}, {self.journals.lost(sent)} lost, {sent.broken.total()} broken associations")
        until(lambda: sent.done, 1, "the modality has sent everything")


def check(hospital: Hospital) -> Balance:
    """Runs the whole check on a hospital that is up; raises DemoFailed when something does not come true in time."""
    return Check(hospital).run()
