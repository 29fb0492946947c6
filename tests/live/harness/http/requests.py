"""The one place for reading HTTP/1 messages in the harness: heads, bodies by length or in chunks. Shares nothing with the product."""

from __future__ import annotations

from dataclasses import dataclass, field


class Malformed(ValueError):
    """Bytes that are no HTTP/1 message."""


@dataclass
class Head:
    """A start line and headers as they came, names in their own spelling."""

    start: str
    headers: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        """The last header of this name, whatever its case."""
        found = [v for n, v in self.headers if n.lower() == name]
        return found[-1] if found else None

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.headers if n.lower() == name]


def head(data: bytes) -> Head:
    """A head without its empty line."""
    first, *rest = data.decode("latin-1").split("\r\n")
    headers = []
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon:
            raise Malformed(line)
        headers.append((name, value.strip(" \t")))
    return Head(first, headers)


@dataclass
class Body:
    """A body that is read piece by piece: `length` bytes, chunks (`length` None), or up to the end of the stream (`until_end`)."""

    length: int | None
    until_end: bool = False
    whole: bytearray = field(default_factory=bytearray)
    done: bool = False
    _left: int = 0
    _state: str = "size"

    def __post_init__(self) -> None:
        self.done = self.length == 0 and not self.until_end

    def feed(self, data: bytearray) -> None:
        """Takes what belongs to the body from the front of `data`."""
        if self.until_end:
            self.whole += data
            data.clear()
        elif self.length is not None:
            take = min(self.length - len(self.whole), len(data))
            self.whole += data[:take]
            del data[:take]
            self.done = len(self.whole) >= self.length
        else:
            while not self.done and self._chunk(data):
                pass

    def _chunk(self, data: bytearray) -> bool:
        """One step through chunked coding; False when more bytes are needed."""
        if self._state == "data":
            take = min(self._left, len(data))
            self.whole += data[:take]
            del data[:take]
            self._left -= take
            if self._left:
                return False
            self._state = "end"
        end = data.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(data[:end])
        del data[: end + 2]
        if self._state == "end":
            if line:
                raise Malformed("a chunk without its end")
            self._state = "size"
        elif self._state == "trailer":
            self.done = not line
        else:
            self._left = int(line.split(b";")[0], 16)
            self._state = "data" if self._left else "trailer"
        return True


def body_of_request(request: Head) -> Body:
    if "chunked" in (request.get("transfer-encoding") or "").lower():
        return Body(None)
    return Body(int(request.get("content-length") or 0))


def body_of_answer(answer: Head, method: str = "GET") -> Body:
    status = int(answer.start.split()[1])
    if method == "HEAD" or status < 200 or status in (204, 304):
        return Body(0)
    if "chunked" in (answer.get("transfer-encoding") or "").lower():
        return Body(None)
    length = answer.get("content-length")
    return Body(0, until_end=True) if length is None else Body(int(length))
