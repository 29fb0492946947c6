"""The one place for the simulated HTTP server: a small real one in a process of its own; every answer names the server that gave it.

`python -m gurney.demo.portal --name portal-1 --host 127.0.0.1 --port 21106` serves until SIGTERM, or until its standard input ends.
`GET /` is a page with the archives' counts (from `--archive NAME=FOLDER`), `/health` says `ok`, anything else is answered with a JSON
object of what arrived: {"member", "method", "path", "headers", "client"}. The answering server stands in `X-Answered-By`.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gurney.demo.account import Journals

ANSWERED_BY = "X-Answered-By"
BODY = 1024 * 1024  # bytes of a request's body that are read; more closes the connection

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>Demo portal</title>
<style>body{{font:16px sans-serif;margin:3em}}td,th{{padding:.2em 1.5em .2em 0;text-align:left}}</style>
<h1>Demo portal</h1>
<table><tr><th>archive<th>studies<th>objects</tr>{rows}</table>
<p>answered by <b>{name}</b></p>
</html>
"""


class Portal(ThreadingHTTPServer):
    """The server of one member; `think` seconds pass before each page, so that a killed one has requests in hand."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, name: str, address: tuple[str, int], archives: Mapping[str, Path], think: float) -> None:
        super().__init__(address, _Handler)
        self.name = name
        self.think = think
        self._journals = Journals(archives)
        self._lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """A peer that left in the middle is nothing to report."""

    def page(self) -> str:
        """The study list: how much lies on each archive."""
        with self._lock:
            self._journals.read()
            each = {name: (len(self._journals.studies[name]), count) for name, count in sorted(self._journals.each.items())}
        rows = "".join(f"<tr><td>{html.escape(name)}<td>{studies}<td>{objects}</tr>" for name, (studies, objects) in each.items())
        return PAGE.format(rows=rows, name=html.escape(self.name))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120  # seconds an idle connection is kept
    server: Portal

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY:
            self.close_connection = True
            self._write(413, "text/plain", b"too large\n")
            return
        self.rfile.read(length)
        if self.path == "/health":
            self._write(200, "text/plain", b"ok\n")
            return
        time.sleep(self.server.think)
        if self.path == "/":
            self._write(200, "text/html; charset=utf-8", self.server.page().encode())
            return
        arrived = {
            "member": self.server.name,
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "client": self.client_address[0],
        }
        self._write(200, "application/json", json.dumps(arrived).encode() + b"\n")

    def _write(self, status: int, kind: str, body: bytes) -> None:
        """Head and body in one write: a kill leaves a whole answer or none."""
        head = f"HTTP/1.1 {status} {self.responses[status][0]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        head += f"{ANSWERED_BY}: {self.server.name}\r\nCache-Control: no-store\r\n"
        head += "Connection: close\r\n\r\n" if self.close_connection else "\r\n"
        self.wfile.write(head.encode() + (b"" if self.command == "HEAD" else body))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer  # noqa: N815 the names http.server asks for

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged: the one who sent the request counts."""


def main() -> None:
    """The server's process."""
    parser = argparse.ArgumentParser(prog="python -m gurney.demo.portal", description="a web server of the demo")
    parser.add_argument("--name", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--archive", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--think", type=float, default=0.0, help="seconds before each answer")
    args = parser.parse_args()
    archives = {name: Path(folder) for name, _, folder in (one.partition("=") for one in args.archive)}
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = Portal(args.name, (args.host, args.port), archives, args.think)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
