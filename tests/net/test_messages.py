"""Messages between our processes: lines, descriptors, limits, deadlines, paths."""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gurney.errors import NotRunning, SocketsUnusable
from gurney.net import messages
from gurney.net.messages import Connection, MessageFault, Reader, Writer, accept, address, listen

Answer = Callable[[dict[str, Any], list[int]], tuple[dict[str, Any], list[int]] | None]


def pair() -> tuple[socket.socket, socket.socket]:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    left.setblocking(False)
    right.setblocking(False)
    return left, right


def serve(listener: socket.socket, answer: Answer) -> threading.Thread:
    """Answer the messages of one connection, in a thread that ends with the connection."""

    def run() -> None:
        listener.setblocking(True)
        sock, _ = listener.accept()
        sock.setblocking(False)
        reader, writer = Reader(sock), Writer(sock)
        with sock:
            while not reader.ended:
                select.select([sock], [], [], 5)
                for body, fds in reader.read():
                    said = answer(body, fds)
                    if said is None:
                        return
                    writer.put(*said)
                    while not writer.flush():
                        select.select([], [sock], [], 5)
                    for fd in said[1]:
                        os.close(fd)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_message_arrives_whole_at_every_split() -> None:
    line = messages.encode({"op": "run", "name": "päcs"}) + messages.encode({"op": "list"})
    for cut in range(len(line) + 1):
        left, right = pair()
        with left, right:
            reader = Reader(right)
            found = []
            for piece in (line[:cut], line[cut:]):
                left.sendall(piece)
                found += reader.read()
            assert [body["op"] for body, _ in found] == ["run", "list"]
            left.close()
            assert reader.read() == [] and reader.ended


def test_descriptors_stay_with_their_message() -> None:
    left, right = pair()
    with left, right:
        writer, reader = Writer(left), Reader(right)
        ends = [os.pipe() for _ in range(3)]
        writer.put({"op": "a"}, [ends[0][1]])
        writer.put({"op": "none"})
        writer.put({"op": "b"}, [ends[1][1], ends[2][1]])
        found = reader.read()
        assert [(body, len(fds)) for body, fds in found] == [({"op": "a"}, 1), ({"op": "none"}, 0), ({"op": "b"}, 2)]
        received = [fd for _, fds in found for fd in fds]
        for number, fd in enumerate(received):
            assert not os.get_inheritable(fd)
            os.write(fd, b"%d" % number)
            assert os.read(ends[number][0], 10) == b"%d" % number
        for fd in [*received, *(fd for end in ends for fd in end)]:
            os.close(fd)


def test_more_descriptors_than_one_send_takes() -> None:
    left, right = pair()
    with left, right:
        end = os.pipe()
        Writer(left).put({"op": "many"}, [end[0]] * 600)
        [(body, fds)] = Reader(right).read()
        assert body == {"op": "many"} and len(fds) == 600
        for fd in [*fds, *end]:
            os.close(fd)


def test_a_full_socket_keeps_descriptors_until_it_is_read() -> None:
    left, right = pair()
    with left, right:
        writer, reader = Writer(left), Reader(right)
        end = os.pipe()
        big = "x" * 3_000_000
        assert not writer.put({"big": big})
        assert not writer.put({"op": "fd"}, [end[1]])
        os.close(end[1])
        found = []
        while not writer.flush():
            found += reader.read()
        found += reader.read()
        assert [len(fds) for _, fds in found] == [0, 1] and found[0][0]["big"] == big
        os.close(found[1][1][0])
        assert os.read(end[0], 1) == b"", "the last writing end is closed: no duplicate is left over"
        os.close(end[0])


NO_MESSAGES = [b"no json\n", b"[1]\n", b'{"fds":1}\n', b'{"fds":-1}\n', b'{"fds":"x"}\n', b"[" * 100_000 + b"\n", b"\xff\n"]


@pytest.mark.parametrize("line", NO_MESSAGES)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    left, right = pair()
    with left, right:
        left.sendall(line)
        with pytest.raises(MessageFault):
            Reader(right).read()


def test_a_message_over_the_limit_is_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MESSAGE_LIMIT", 1000)
    left, right = pair()
    with left, right:
        with pytest.raises(MessageFault):
            Writer(left).put({"x": "y" * 1000})
        left.sendall(b"{" * 1000)
        with pytest.raises(MessageFault):
            Reader(right).read()


def test_descriptors_of_a_refused_message_are_closed() -> None:
    left, right = pair()
    with left, right:
        end = os.pipe()
        socket.send_fds(left, [b'{"fds":2}\n'], [end[1]])
        os.close(end[1])
        with pytest.raises(MessageFault):
            Reader(right).read()
        assert os.read(end[0], 1) == b""
        os.close(end[0])


def test_ask_and_answer_with_descriptors(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with listen(path) as listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        thread = serve(listener, lambda body, fds: ({"ok": True, "said": body["op"]}, fds))
        end = os.pipe()
        with Connection(path, 5) as connection:
            answer, fds = connection.ask({"op": "hello"}, [end[1]])
            assert answer == {"ok": True, "said": "hello"} and len(fds) == 1
            assert connection.ask({"op": "again"}) == ({"ok": True, "said": "again"}, [])
        thread.join(5)
        for fd in [*fds, *end]:
            os.close(fd)


def test_a_large_question_and_answer(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with listen(path) as listener:
        serve(listener, lambda body, fds: (body, fds))
        with Connection(path, 10) as connection:
            body = {"text": "x" * 5_000_000}
            assert connection.ask(body)[0] == body


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="nobody answers"):
        Connection(tmp_path / "none.sock", 0.2)
    path = tmp_path / "stale.sock"
    listen(path).close()
    with pytest.raises(NotRunning, match="nobody answers"):
        Connection(path, 0.2)
    with listen(path) as listener:
        assert accept(listener) is None


def test_no_answer_in_time_and_closed_without_one(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with listen(path) as listener:
        with Connection(path, 0.05) as connection, pytest.raises(NotRunning, match="within"):
            connection.ask({"op": "silence"})
        listener.accept()[0].close()
        serve(listener, lambda body, fds: None)
        with Connection(path, 5) as connection, pytest.raises(NotRunning, match="closed"):
            connection.ask({"op": "bye"})


def test_a_long_path_works_and_a_long_name_is_said(tmp_path: Path) -> None:
    folder = tmp_path / ("f" * 100) / ("g" * 100)
    folder.mkdir(parents=True)
    path = folder / "s.sock"
    with listen(path) as listener:
        serve(listener, lambda body, fds: ({"ok": True}, []))
        with Connection(path, 5) as connection:
            assert connection.ask({})[0] == {"ok": True}
    with pytest.raises(SocketsUnusable, match="too long"), address(folder / ("n" * 100)):
        pass


def test_listen_replaces_a_stale_socket_only(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    path.write_text("precious")
    with pytest.raises(SocketsUnusable):
        listen(path)
    assert path.read_text() == "precious"


def test_every_answer_is_one_line() -> None:
    line = messages.encode({"text": "a\nb\r\u2028"})
    assert line.count(b"\n") == 1 and json.loads(line) == {"text": "a\nb\r\u2028"}
