"""The one place for the demo's accounts: what was sent, what was acknowledged, what lies on the archives' disks.

*acked*: 0000 or Bxxx seen by the modality (PS3.4 Table B.2-1). *stored*: distinct SOP Instance UIDs whose file on an archive's disk
has the sha256 of what was sent. *lost*: acked and on no disk. *changed*: acked, on a disk with other bytes.
*split*: a study on two archives. Of the portal: *web_requests* and *web_errors* as the visitors counted them (see `visitors`).
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Balance:
    """The line `gurney demo --check` ends with."""

    sent: int
    acked: int
    stored: int
    lost: int
    changed: int
    split_studies: int
    refused: int
    web_requests: int
    web_errors: int

    @property
    def good(self) -> bool:
        """Nothing acknowledged is missing or changed, nothing was refused, all that was sent was acknowledged, every visitor was served."""
        bad = self.lost or self.changed or self.refused or self.web_errors
        return not bad and self.sent == self.acked and self.web_requests > 0

    def as_json(self) -> str:
        """One JSON object on one line."""
        return json.dumps(asdict(self))


class Sent:
    """The modality's side, fed line by line by a reader thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sha256: dict[str, str] = {}
        self.study: dict[str, str] = {}
        self.modality: dict[str, str] = {}
        self.status: dict[str, int] = {}
        self.unsent: set[str] = set()
        self.broken: Counter[str] = Counter()  # associations, by why
        self.done = False

    def take(self, event: Mapping[str, Any]) -> None:
        """One event of the modality (see `modality`)."""
        word = event["event"]
        with self._lock:
            if word == "sending":
                self.sha256[event["sop"]] = event["sha256"]
                self.study[event["sop"]] = event["study"]
                self.modality[event["sop"]] = event["modality"]
            elif word == "answer":
                self.status[event["sop"]] = event["status"]
            elif word == "broken":
                self.broken.update([event["why"]])
            elif word == "unsent":
                self.unsent.add(event["sop"])
            elif word == "done":
                self.done = True

    @property
    def acked(self) -> set[str]:
        with self._lock:
            return {sop for sop, status in self.status.items() if status == 0 or status & 0xF000 == 0xB000}

    @property
    def refused(self) -> int:
        """Objects answered with a failure, and objects the modality gave up."""
        with self._lock:
            acked = sum(1 for s in self.status.values() if s == 0 or s & 0xF000 == 0xB000)
            return len(self.status) - acked + len(self.unsent)


class Visits:
    """The visitors' side, fed line by line by a reader thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.errors = 0
        self.why: Counter[str] = Counter()
        self.members: Counter[str] = Counter()
        self.done = False
        self._ms: deque[int] = deque(maxlen=400)

    def take(self, event: Mapping[str, Any]) -> None:
        """One event of the visitors (see `visitors`)."""
        with self._lock:
            if event["event"] == "done":
                self.done = True
                return
            self.requests += event["requests"]
            self.errors += event["errors"]
            self.why.update(event["why"])
            self.members.update(event["members"])
            self._ms.extend(event["ms"])

    def quantile(self, share: float) -> int | None:
        """Milliseconds within which `share` of the last 400 requests were answered; None before the first."""
        with self._lock:
            return quantile(self._ms, share)


def quantile(values: Iterable[int], share: float) -> int | None:
    """The smallest of `values` that at least `share` of them do not exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def journal(folder: Path) -> list[dict[str, Any]]:
    """The lines of one archive's journal; a line cut by SIGKILL is left out (its object was not acknowledged)."""
    try:
        text = (folder / "objects.jsonl").read_text()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def on_disk(folder: Path) -> dict[str, set[str]]:
    """SOP Instance UID -> sha256s of its files, hashed anew from the disk."""
    out: dict[str, set[str]] = {}
    for line in journal(folder):
        try:
            data = (folder / line["file"]).read_bytes()[line["offset"] :]
        except FileNotFoundError:
            continue
        out.setdefault(line["sop"], set()).add(hashlib.sha256(data).hexdigest())
    return out


def split_studies(folders: Mapping[str, Path]) -> int:
    """Studies with objects on more than one archive."""
    where: dict[str, set[str]] = {}
    for name, folder in folders.items():
        for line in journal(folder):
            where.setdefault(line["study"], set()).add(name)
    return sum(len(names) > 1 for names in where.values())


def balance(sent: Sent, folders: Mapping[str, Path], visits: Visits) -> Balance:
    """The final account over every archive's disk and every visitor."""
    disks: dict[str, set[str]] = {}
    for folder in folders.values():
        for sop, hashes in on_disk(folder).items():
            disks.setdefault(sop, set()).update(hashes)
    acked = sent.acked
    right = {sop for sop, hashes in disks.items() if sent.sha256.get(sop) in hashes}
    changed = {sop for sop in acked if disks.get(sop, set()) - {sent.sha256[sop]}}
    return Balance(
        sent=len(sent.sha256),
        acked=len(acked),
        stored=len(right),
        lost=len(acked - set(disks)),
        changed=len(changed),
        split_studies=split_studies(folders),
        refused=sent.refused,
        web_requests=visits.requests,
        web_errors=visits.errors,
    )


class Journals:
    """The archives' journals read as they grow, for a live display."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._offsets = dict.fromkeys(folders, 0)
        self.stored: set[str] = set()
        self.each: Counter[str] = Counter(dict.fromkeys(folders, 0))
        self.studies: dict[str, set[str]] = {name: set() for name in folders}

    def read(self) -> None:
        """Takes in what was appended since; a line without its end waits."""
        for name, folder in self._folders.items():
            try:
                with (folder / "objects.jsonl").open("rb") as f:
                    f.seek(self._offsets[name])
                    whole, _, _ = f.read().rpartition(b"\n")
            except FileNotFoundError:
                continue
            if whole:
                self._offsets[name] += len(whole) + 1
                lines = [json.loads(line) for line in whole.splitlines()]
                self.each[name] += len(lines)
                self.stored.update(line["sop"] for line in lines)
                self.studies[name].update(line["study"] for line in lines)

    def lost(self, sent: Sent) -> int:
        """Objects acknowledged and in no journal."""
        acked = sent.acked  # before the journals: what is acked now must stand in them
        self.read()
        return len(acked - self.stored)
