"""The one place for a visitor and a page in one small program, for machines that the harness's other programs do not reach.

`visitor.py page PORT` serves a page; `visitor.py visit PORT FILE` asks for it until FILE is there, a new connection each time and no second
try, then prints its counts as JSON.
"""

from __future__ import annotations

import http.client
import http.server
import json
import sys
from pathlib import Path


class Page(http.server.BaseHTTPRequestHandler):
    """One page."""

    def do_GET(self) -> None:
        try:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        except ConnectionError:
            pass  # a check that has seen enough

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


def visit(port: int, end: Path) -> dict[str, int]:
    """Requests and errors until `end` is there."""
    counts = {"requests": 0, "errors": 0}
    while not end.exists():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            counts["errors"] += connection.getresponse().read() != b"ok"
        except (OSError, http.client.HTTPException):
            counts["errors"] += 1
        finally:
            connection.close()
        counts["requests"] += 1
    return counts


if __name__ == "__main__":
    if sys.argv[1] == "page":
        http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Page).serve_forever()
    print(json.dumps(visit(int(sys.argv[2]), Path(sys.argv[3]))), flush=True)
