"""The one place for the demo's visitors: steady GETs of the portal's page, some on kept connections, some on a new one each time.

`python -m gurney.demo.visitors --port 21104 --kept 2 --fresh 2 --rate 25` writes, every quarter of a second, one JSON line:
{"event": "answers", "requests", "errors", "why": {word: count}, "members": {name: count}, "ms": [whole milliseconds of each request]}, and
{"event": "done"} once standard input has ended and no request is in hand.

What counts as an error: a status other than 200, or a connection that breaks or stays silent for 10 s before the whole answer is there.
Nothing is ever sent a second time. A connection the other side has announced to close (`Connection: close`) is left, as RFC 9112 §9.6
asks.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import threading
import time
from collections import Counter

from gurney.demo.portal import ANSWERED_BY

SILENCE = 10.0  # seconds
TELL = 0.25  # seconds


class Visitors:
    """Worker threads that share one count."""

    def __init__(self, port: int, rate: float, path: str = "/") -> None:
        self.port, self.rate, self.path = port, rate, path
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._why: Counter[str] = Counter()
        self._members: Counter[str] = Counter()
        self._ms: list[int] = []

    def work(self, kept: bool) -> None:
        """One visitor: a request, a pause, the next; on one connection as long as it lasts (`kept`), or on a new one each time."""
        connection: http.client.HTTPConnection | None = None
        while not self.stop.is_set():
            began = time.monotonic()
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SILENCE)
                connection.auto_open = 0  # a connection is opened by us or not at all: no silent second try
            why, member = self._visit(connection, kept)
            if why is not None or not kept or connection.sock is None:
                connection.close()
                connection = None
            with self._lock:
                self._ms.append(round((time.monotonic() - began) * 1000))
                self._members.update([member] if member else [])
                self._why.update([why] if why else [])
            self.stop.wait(max(0.0, 1 / self.rate - (time.monotonic() - began)))
        if connection is not None:
            connection.close()

    def _visit(self, connection: http.client.HTTPConnection, kept: bool) -> tuple[str | None, str | None]:
        """(why it is an error or None, the member that answered)."""
        try:
            if connection.sock is None:
                connection.connect()
            connection.request("GET", self.path, headers={} if kept else {"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as e:
            return type(e).__name__, None
        return None if answer.status == 200 else f"status {answer.status}", answer.getheader(ANSWERED_BY)

    def tell(self) -> None:
        """What was counted since the last time, as one line."""
        with self._lock:
            why, members, ms = self._why, self._members, self._ms
            self._why, self._members, self._ms = Counter(), Counter(), []
        event = {"event": "answers", "requests": len(ms), "errors": sum(why.values()), "why": why, "members": members, "ms": ms}
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


def main() -> None:
    """The visitors' process."""
    parser = argparse.ArgumentParser(prog="python -m gurney.demo.visitors", description="the visitors of the demo's portal")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--kept", type=int, default=2, help="visitors that keep their connection")
    parser.add_argument("--fresh", type=int, default=2, help="visitors with a new connection for each request")
    parser.add_argument("--rate", type=float, default=25.0, help="requests a second and visitor")
    args = parser.parse_args()
    visitors = Visitors(args.port, args.rate)

    def watch_parent() -> None:
        sys.stdin.read()
        visitors.stop.set()

    threading.Thread(target=watch_parent, daemon=True).start()
    workers = [threading.Thread(target=visitors.work, args=(i < args.kept,)) for i in range(args.kept + args.fresh)]
    for worker in workers:
        worker.start()
    while not visitors.stop.wait(TELL):
        visitors.tell()
    for worker in workers:
        worker.join()
    visitors.tell()
    print(json.dumps({"event": "done"}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
