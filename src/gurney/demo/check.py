"""The one place for `gurney demo --check`: the demo by itself, with a kill and a changed document midway, and an account at the end."""

from __future__ import annotations

import sys
import threading
import time

from gurney.demo.account import Balance, Journals, balance
from gurney.demo.hospital import Hospital, until

ASSOCIATIONS = 4
STUDIES = 24
RATE = 15.0  # objects a second and association: the kill and the changed document come while studies are being sent
BOUND = 100.0  # seconds for all objects
KILL_AT, RESTART_AT, APPLY_AT = 0.25, 0.40, 0.55  # shares of all objects
OBJECTS = 624  # of 24 studies, studies.KINDS in turn


def say(text: str) -> None:
    """Progress: talk goes to stderr."""
    print(f"demo: {text}", file=sys.stderr, flush=True)


def changed(document: str) -> str:
    """The document that is applied midway: another weight and one more rule."""
    rule = "          - name: ultrasound\n            match: {modality: US}\n            pool: archive\n          - pool: archive\n"
    return document.replace("weight: 100", "weight: 50").replace("          - pool: archive\n", rule)


def check(hospital: Hospital) -> Balance:
    """Runs the whole check on a hospital that is up; raises DemoFailed when something does not come true in time."""
    sent = hospital.sent
    journals = Journals(hospital.folders)
    hospital.start_modality(ASSOCIATIONS, STUDIES, RATE)
    say(f"a modality sends {STUDIES} studies over {ASSOCIATIONS} associations")
    until(lambda: len(sent.acked) >= OBJECTS * KILL_AT, BOUND, "a quarter is acknowledged")
    victim = _busier(journals)
    hospital.kill_archive(victim)
    say(f"{victim} killed (SIGKILL) with {len(sent.acked)} objects acknowledged")
    until(lambda: len(sent.acked) >= OBJECTS * RESTART_AT, BOUND, "the other archive goes on")
    hospital.start_archive(victim)
    say(f"{victim} started again with {len(sent.acked)} objects acknowledged")
    until(lambda: len(sent.acked) >= OBJECTS * APPLY_AT, BOUND, "half is acknowledged")
    hospital.apply(changed(hospital.document))
    say(f"a changed document (weight, rule) applied with {len(sent.acked)} objects acknowledged")
    began = time.monotonic()
    last = threading.Event()
    while not sent.done and time.monotonic() - began < BOUND:
        last.wait(2)
        say(f"{len(sent.acked)} acknowledged, {journals.lost(sent)} lost, {sent.broken} broken associations")
    until(lambda: sent.done, 1, "the modality has sent everything")
    result = balance(sent, hospital.folders)
    kinds = ", ".join(sorted(set(sent.modality.values())))
    say(f"{len(set(sent.study.values()))} studies of {kinds}; {result.split_studies} split by the kill of {victim}")
    say(f"{sent.broken} associations of the modality were broken")
    return result


def _busier(journals: Journals) -> str:
    """The archive (of the pool with two) that has taken more so far."""
    journals.read()
    return max(("archive-1", "archive-2"), key=lambda name: journals.each[name])
