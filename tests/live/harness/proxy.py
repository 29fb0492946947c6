"""The one place for the user-space proxy: forwards TCP to a member and does something at byte n (kill, cut, hold)."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable


class Proxy:
    """Listens on `port` (0 = any) and forwards to `target`.

    `at(n, action)` calls `action(proxy)` once, when `n` bytes in all have been forwarded towards the target; the bytes up to n have
    been sent then. `cut()` resets every pair; `hold()` stops forwarding both ways until `go()`.
    """

    def __init__(self, target: int, port: int = 0) -> None:
        self.target = target
        self.forwarded = self.connections = 0
        self.lock = threading.Lock()
        self.free = threading.Event()
        self.free.set()
        self.plan: list[tuple[int, Callable[[Proxy], None]]] = []
        self.pairs: set[tuple[socket.socket, socket.socket]] = set()
        self.closed = False
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", port))
        self.sock.listen(128)
        self.port: int = self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def at(self, count: int, action: Callable[[Proxy], None]) -> None:
        with self.lock:
            self.plan = sorted([*self.plan, (self.forwarded + count, action)], key=lambda p: p[0])

    def hold(self) -> None:
        self.free.clear()

    def go(self) -> None:
        self.free.set()

    def cut(self) -> None:
        """RST to both sides of every pair."""
        for pair in list(self.pairs):
            for s in pair:
                try:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.close()
                except OSError:
                    pass
        self.pairs.clear()

    def close(self) -> None:
        self.closed = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.free.set()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        """Connects onwards and starts both directions; a target that is not there is felt as RST."""
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            far.settimeout(None)
            for s in (near, far):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            near.close()
            return
        pair = (near, far)
        self.pairs.add(pair)
        if self.closed:  # while it connected onwards
            self.cut()
            return
        threading.Thread(target=self._pump, args=(near, far, True, pair), daemon=True).start()
        threading.Thread(target=self._pump, args=(far, near, False, pair), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, up: bool, pair: tuple[socket.socket, socket.socket]) -> None:
        try:
            while data := source.recv(65536):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # a proxy that is felt as little as can be
                self.free.wait()
                if up:
                    self._forward(sink, data)
                else:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.pairs.discard(pair)

    def _forward(self, sink: socket.socket, data: bytes) -> None:
        while data:
            with self.lock:
                due = self.plan[0] if self.plan and self.plan[0][0] < self.forwarded + len(data) else None
                piece = data if due is None else data[: max(0, due[0] - self.forwarded)]
                self.forwarded += len(piece)
                if due is not None:
                    self.plan.pop(0)
            if piece:
                sink.sendall(piece)
            data = data[len(piece) :]
            if due is not None:
                due[1](self)
