"""A small program that the guard's tests keep alive: it speaks route.sock as a route process does and tells its pid to who connects.

`--dir FOLDER` as the route process; a file FOLDER/stubborn makes it ignore SIGTERM, FOLDER/broken makes it exit 3 at once.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from gurney.net.messages import Reader, Writer, accept, listen


class Child:
    """The program."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "route.sock"
        self.selector = selectors.DefaultSelector()
        self.listeners: dict[str, socket.socket] = {}
        self.talk = listen(self.path)
        self.selector.register(self.talk, selectors.EVENT_READ, self.talked)

    def run(self) -> None:
        """Until a signal."""
        while True:
            for key, _ in self.selector.select():
                key.data(key.fileobj)

    def talked(self, listener: socket.socket) -> None:
        sock = accept(listener)
        if sock is not None:
            reader, writer = Reader(sock), Writer(sock)
            self.selector.register(sock, selectors.EVENT_READ, lambda _: self.asked(reader, writer))

    def asked(self, reader: Reader, writer: Writer) -> None:
        for body, fds in reader.read():
            writer.put(*self.do(body, fds))
        if reader.ended:
            self.selector.unregister(reader.sock)
            reader.sock.close()

    def do(self, body: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        match body["op"]:
            case "listeners":
                for name, fd in zip(body["names"], fds, strict=True):
                    sock = self.listeners[name] = socket.socket(fileno=fd)
                    self.selector.register(sock, selectors.EVENT_READ, self.connected)
            case "close":
                for name in body["names"]:
                    sock = self.listeners.pop(name)
                    self.selector.unregister(sock)
                    sock.close()
            case "hand-back":
                names = sorted(self.listeners)
                return {"ok": True, "names": names}, [self.listeners[name].fileno() for name in names]
            case "environment":
                return {"ok": True, "environment": dict(os.environ), "sid": os.getsid(0), "stdin": os.readlink("/proc/self/fd/0")}, []
        return {"ok": True, "names": sorted(self.listeners)}, []

    def connected(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return
        with sock:
            sock.sendall(b"%d" % os.getpid())

    def end(self) -> None:
        self.path.unlink()
        os._exit(0)


def main() -> None:
    folder = Path(sys.argv[sys.argv.index("--dir") + 1])
    if (folder / "broken").exists():
        print("broken as asked", flush=True)
        os._exit(3)
    child = Child(folder)
    if (folder / "stubborn").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: child.end())
    child.run()


if __name__ == "__main__":
    main()
