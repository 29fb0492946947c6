"""The one place for the member that reads only while its gate is open, with small buffers, so that the bytes stay with whoever sends."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.live.harness import pdus
from tests.live.harness.pdus import Broken


class Gate:
    """Accepts associations and takes their first command set; what follows is read while `open` is set. Keeps every whole object.

    `answers` are command sets sent per object, by default one success; a mapping's key is the SOP Instance UID.
    """

    def __init__(self, status: int = 0, max_length: int = 16384) -> None:
        self.status, self.max_length = status, max_length
        self.open = threading.Event()
        self.begun = threading.Event()
        self.data: list[tuple[str, bytes]] = []
        self.partial: list[bytes] = []
        self.conns: list[socket.socket] = []
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(128)
        self.port: int = self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):  # reset already: the next one is still to be taken
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.conns.append(conn)
            threading.Thread(target=self._run, args=(conn,), daemon=True).start()

    def _run(self, conn: socket.socket) -> None:
        data = bytearray()
        try:
            kind, body = pdus.read_pdu(conn)
            if kind != pdus.RQ:
                return
            rq = pdus.parse_rq(body)
            conn.sendall(pdus.associate_ac(rq.head, [(o.id, 0, o.transfers[0]) for o in rq.offers], self.max_length))
            command: dict[int, bytes] = {}
            while True:
                kind, body = pdus.read_pdu(conn)
                if kind == pdus.RELEASE_RQ:
                    conn.sendall(pdus.pdu(pdus.RELEASE_RP, bytes(4)))
                    return
                if kind != pdus.DATA:
                    return
                for context, control, piece in pdus.pdvs(body):
                    data += piece
                    if control == 3:
                        command = pdus.parse_command(bytes(data))
                        data.clear()
                        self.begun.set()
                        self.open.wait()
                    elif control & 2:
                        self.data.append((pdus.text(command, 0x1000), bytes(data)))
                        data.clear()
                        conn.sendall(pdus.pdata(pdus.pdv(context, 3, pdus.response(command, self.status))))
        except (OSError, Broken):
            pass
        finally:
            if data:
                self.partial.append(bytes(data))
            conn.close()

    def cut(self) -> None:
        """End every connection."""
        for conn in self.conns:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.open.set()
        self.sock.close()
        self.cut()
