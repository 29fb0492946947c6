"""The one place for answering on one of our own sockets in an asyncio loop: an operation a message, in order, errors as problems."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gurney.errors import GurneyError, InputRefused
from gurney.net import messages

Answer = Callable[[Mapping[str, Any], Sequence[int]], None]  # body, descriptors
Operation = Callable[[dict[str, Any], list[int], Answer], None]


class Answering:
    """A socket file of mode 0600: whoever may open it asks in lines of JSON and is answered, each message by the operation it names."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path, operations: Mapping[str, Operation]) -> None:
        self._loop = loop
        self._path = path
        self._operations = operations
        self._listener = messages.listen(path)
        self._open: dict[socket.socket, tuple[messages.Reader, messages.Writer]] = {}
        loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        sock = messages.accept(self._listener)
        if sock is not None:
            self._open[sock] = (messages.Reader(sock), messages.Writer(sock))
            self._loop.add_reader(sock, self._readable, sock)

    def _readable(self, sock: socket.socket) -> None:
        reader, _ = self._open[sock]
        try:
            asked = reader.read()
        except messages.MessageFault:
            self._drop(sock)
            return
        for message, fds in asked:
            self._serve(sock, message, fds)
        if reader.ended:
            self._drop(sock)

    def _serve(self, sock: socket.socket, message: dict[str, Any], fds: list[int]) -> None:
        def answer(body: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
            pair = self._open.get(sock)
            if pair is None:
                return
            try:
                if not pair[1].put(body, descriptors):
                    self._loop.add_writer(sock, self._writable, sock)
            except OSError:
                self._drop(sock)

        operation = self._operations.get(str(message.get("op")))
        try:
            if operation is None:
                raise InputRefused(f"unknown operation {str(message.get('op'))!r}")
            operation(message, fds, answer)
        except GurneyError as error:
            answer({"ok": False, "message": error.message, **error.problem()})
        except Exception as error:  # one request fails, the process goes on; whoever asked hears which kind of fault it was
            refused = InputRefused(f"this request cannot be served ({type(error).__name__})")
            answer({"ok": False, "message": refused.message, **refused.problem()})

    def _writable(self, sock: socket.socket) -> None:
        try:
            if self._open[sock][1].flush():
                self._loop.remove_writer(sock)
        except OSError:
            self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        pair = self._open.pop(sock, None)
        if pair is None:
            return
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)
        pair[0].close()
        pair[1].close()
        sock.close()

    def close(self) -> None:
        """Answer nobody any more."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for sock in list(self._open):
            self._drop(sock)
        messages.remove(self._path)
