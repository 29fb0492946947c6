"""The one place for the member that follows a script: one function for each association that carries an object."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence

from tests.live.harness import pdus
from tests.live.harness.pdus import Broken


class Line:
    """One accepted association as a script holds it."""

    def __init__(self, conn: socket.socket, rq: pdus.Request) -> None:
        self.conn, self.rq = conn, rq
        self.command: dict[int, bytes] = {}
        self.context = 0

    def take_command(self) -> None:
        """Read PDUs up to the end of a command set."""
        data = b""
        while True:
            kind, body = pdus.read_pdu(self.conn)
            if kind == pdus.RELEASE_RQ:
                self.conn.sendall(pdus.pdu(pdus.RELEASE_RP, bytes(4)))
                raise Broken("released")
            if kind != pdus.DATA:
                raise Broken(f"PDU {kind}")
            for self.context, control, piece in pdus.pdvs(body):
                data += piece
                if control == 3:
                    self.command = pdus.parse_command(data)
                    return

    def take_data(self) -> bytes:
        """Read PDUs up to the end of a data set."""
        data = b""
        while True:
            kind, body = pdus.read_pdu(self.conn)
            if kind != pdus.DATA:
                raise Broken(f"PDU {kind}")
            for _, control, piece in pdus.pdvs(body):
                data += piece
                if control == 2:
                    return data

    def take(self, count: int) -> bytes:
        """Read so many bytes of whatever comes."""
        return pdus.exactly(self.conn, count)

    def rest(self) -> bytes:
        """Whatever comes until the peer ends the connection."""
        data = b""
        with contextlib.suppress(OSError):
            while piece := self.conn.recv(65536):
                data += piece
        return data

    def say(self, status: int, **values: int) -> None:
        """A C-STORE-RSP; `values` are elements by number (`x120=7`)."""
        answer = {
            2: pdus.text(self.command, 2),
            0x100: 0x8001,
            0x120: pdus.number(self.command, 0x110),
            0x800: 0x0101,
            0x900: status,
            0x1000: pdus.text(self.command, 0x1000),
            **{int(name[1:], 16): value for name, value in values.items()},
        }
        self.conn.sendall(pdus.pdata(pdus.pdv(self.context, 3, pdus.command(answer))))

    def reset(self) -> None:
        """End the connection with RST."""
        self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.conn.close()


Act = Callable[[Line], None]


class Script:
    """A listener; association n is played by `acts[n]`, the last act again and again. `stored` keeps whole objects a `good` act took."""

    def __init__(self, *acts: Act, max_length: int = 16384) -> None:
        self.acts: Sequence[Act] = acts
        self.max_length = max_length
        self.associations = 0
        self.stored: list[tuple[str, bytes]] = []
        self.conns: list[socket.socket] = []
        self.sock = socket.create_server(("127.0.0.1", 0))
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
            threading.Thread(target=self._play, args=(conn,), daemon=True).start()

    def _play(self, conn: socket.socket) -> None:
        with contextlib.suppress(OSError, Broken):
            kind, body = pdus.read_pdu(conn)
            if kind != pdus.RQ:
                return
            rq = pdus.parse_rq(body)
            answers = [(o.id, 0, o.transfers[0]) for o in rq.offers]
            conn.sendall(pdus.associate_ac(rq.head, answers, self.max_length))
            if conn.recv(1, socket.MSG_PEEK) != bytes([pdus.DATA]):  # only asked for pairs, or checked
                Line(conn, rq).take_command()
            act = self.acts[min(self.associations, len(self.acts) - 1)]
            self.associations += 1
            act(Line(conn, rq))
        conn.close()

    def good(self, line: Line) -> None:
        """An act: every object is stored, every C-ECHO answered."""
        while True:
            line.take_command()
            if pdus.number(line.command, 0x100) == 0x0030:
                line.conn.sendall(pdus.pdata(pdus.pdv(line.context, 3, pdus.response(line.command, 0))))
                continue
            data = line.take_data()
            self.stored.append((pdus.text(line.command, 0x1000), data))
            line.say(0)

    def close(self) -> None:
        self.sock.close()
        for conn in self.conns:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
