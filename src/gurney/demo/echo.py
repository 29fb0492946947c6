"""The one place for the simulated TCP server: it answers each line with its own name and that line.

`python -m gurney.demo.echo --name device-1 --host 127.0.0.1 --port 6001` serves until SIGTERM, or until its standard input ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import socketserver
import sys
import threading

LINE = 4096  # bytes


class Echo(socketserver.ThreadingTCPServer):
    """The server of one member."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.name = name


class _Handler(socketserver.StreamRequestHandler):
    server: Echo
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            while line := self.rfile.readline(LINE):
                self.wfile.write(f"{self.server.name} ".encode() + line)
        except ConnectionError:
            return  # the peer is gone: nothing is owed to it


def main() -> None:
    """The server's process."""
    parser = argparse.ArgumentParser(prog="python -m gurney.demo.echo", description="a TCP server of the demo")
    parser.add_argument("--name", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = Echo(args.name, (args.host, args.port))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
