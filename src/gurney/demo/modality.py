"""The one place for the demo's modality: it sends studies over several associations at once and repeats what got no answer.

`python -m gurney.demo.modality --port 21100 --folder DIR --associations 4 --studies 24 --rate 15` writes one JSON line an event:
{"event": "sending", "sop", "study", "modality", "sha256"}, {"event": "answer", "sop", "status"}, {"event": "broken", "why"},
{"event": "unsent", "sop"} (given up), {"event": "done"}. `--studies 0` sends until standard input ends.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pynetdicom import AE, _config, build_context

from gurney.demo.studies import KINDS, Image, images

PATIENCE = 60.0  # seconds without any answer after which an object is given up, as a scanner's queue would
PAUSE = 0.5  # seconds between two attempts to associate


class Modality:
    """Worker threads over one stream of studies."""

    def __init__(self, port: int, folder: Path, studies: int, rate: float) -> None:
        self.port, self.folder, self.rate = port, folder, rate
        self._studies: Iterator[int] = iter(range(studies)) if studies else itertools.count()
        self._lock = threading.Lock()
        self.stop = threading.Event()
        self._in_hand: set[str] = set()  # sent, and not yet answered
        self.ae = AE(ae_title="CT1")
        self.ae.connection_timeout = 5
        self.ae.acse_timeout = 20
        self.ae.dimse_timeout = 120
        self.ae.network_timeout = 120

    def say(self, event: str, **values: Any) -> None:
        """One event as a line of JSON."""
        with self._lock:
            sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
            sys.stdout.flush()

    def work(self) -> None:
        """One association after another, a study each, until there are no more."""
        while not self.stop.is_set():
            with self._lock:
                number = next(self._studies, None)
            if number is None:
                return
            self._study(list(images(KINDS[number % len(KINDS)], number, self.folder)))

    def _study(self, todo: list[Image]) -> None:
        """Until every object of a study is answered; told to stop, at least until none is in hand without its answer."""
        last = time.monotonic()
        while todo and (not self.stop.is_set() or todo[0].sop in self._in_hand):
            before = len(todo)
            self._associate(todo)
            now = time.monotonic()
            if len(todo) < before:
                last = now
            elif now - last > PATIENCE:
                break
            else:
                threading.Event().wait(PAUSE)
        if not self.stop.is_set():
            for image in todo:
                self.say("unsent", sop=image.sop)

    def _associate(self, todo: list[Image]) -> None:
        """One association: removes from the front of `todo` what was answered."""
        contexts = dict.fromkeys((i.sop_class, i.transfer_syntax) for i in todo)
        ae = self.ae
        assoc = ae.associate("127.0.0.1", self.port, contexts=[build_context(a, t) for a, t in contexts], ae_title="PACS", max_pdu=131072)
        if not assoc.is_established:
            self.say("broken", why="rejected" if assoc.is_rejected else "no association")
            return
        while todo and (not self.stop.is_set() or todo[0].sop in self._in_hand):
            began = time.monotonic()
            if not self._send(assoc, todo[0]):
                return
            todo.pop(0).file.unlink()
            if self.rate:
                self.stop.wait(max(0.0, 1 / self.rate - (time.monotonic() - began)))
        assoc.release()

    def _send(self, assoc: Any, image: Image) -> bool:
        self._in_hand.add(image.sop)
        self.say("sending", sop=image.sop, study=image.study, modality=image.modality, sha256=image.sha256)
        try:
            answer = assoc.send_c_store(image.file)
        except (RuntimeError, ValueError) as e:  # the association ended between two objects, or the pair was not accepted
            self.say("broken", why=str(e)[:200])
            if assoc.is_established:
                assoc.abort()
            return False
        if "Status" not in answer:
            self.say("broken", why="no answer")
            return False
        self._in_hand.discard(image.sop)
        self.say("answer", sop=image.sop, status=int(answer.Status))
        return True


def main() -> None:
    """The modality's process."""
    parser = argparse.ArgumentParser(prog="python -m gurney.demo.modality", description="the modality of the demo")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--associations", type=int, default=4)
    parser.add_argument("--studies", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0, help="objects a second and association, 0 = as fast as it goes")
    args = parser.parse_args()
    _config.STORE_SEND_CHUNKED_DATASET = True  # the file's bytes as they are, never encoded anew
    args.folder.mkdir(parents=True, exist_ok=True)
    modality = Modality(args.port, args.folder, args.studies, args.rate)

    def watch_parent() -> None:
        sys.stdin.read()
        modality.stop.set()

    threading.Thread(target=watch_parent, daemon=True).start()
    workers = [threading.Thread(target=modality.work) for _ in range(args.associations)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    modality.say("done")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
