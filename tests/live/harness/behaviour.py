"""The one place for what a scripted member may be told to do wrong; the defaults are a well-behaved archive."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field


@dataclass
class Behaviour:
    """Counts are from the start of the member, bytes are data set bytes with their headers as received.

    `answer`: normal | never | wrong-id | early (before the last fragment) | twice | close (instead of an answer) | abort | garbage.
    `connect`: normal | silent (no AC) | close (FIN at accept) | reset. `over`: what a connection above `max_associations` gets:
    reject | ignore. `die_after_object` ends the process with SIGKILL behind the last fragment of that object, before its answer;
    `die_stored` says whether it was stored then. `statuses` maps a SOP Instance UID or "*" to a status. `moods` is how many objects of a
    thousand meet which fault the first time they come: full (A700), late (answered after `late` seconds), reset (RST in mid data set).
    """

    name: str = "M"
    host: str = "127.0.0.1"
    port: int = 0
    ae_title: str | None = None
    max_length: int = 16384
    transfers: list[str] | None = None
    refuse_abstracts: list[str] = field(default_factory=list)
    pairs: list[list[str]] | None = None  # when given, only these (abstract, transfer) pairs are accepted
    max_associations: int | None = None
    over: str = "reject"
    reject: list[int] | None = None
    connect: str = "normal"
    answer: str = "normal"
    answer_first: int = 0  # > 0: only that many objects are answered as `answer` says, the rest normally
    statuses: dict[str, int] = field(default_factory=dict)
    echo_status: int = 0
    echo_answer: str = "normal"
    delay: float = 0.0
    abort_at: int | None = None
    close_at: int | None = None
    die_at: int | None = None
    die_after_object: int | None = None
    die_stored: bool = True
    moods: dict[str, int] = field(default_factory=dict)
    late: float = 2.0
    keep: bool = False  # keep data set bytes in memory (in-process members only)

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    def mood(self, sop: str) -> str:
        """The fault this object meets here the first time, by its UID alone; "" for most."""
        number = int.from_bytes(hashlib.sha256(f"{self.name} {sop}".encode()).digest()[:4]) % 1000
        for word, share in self.moods.items():
            if number < share:
                return word
            number -= share
        return ""

    @classmethod
    def from_json(cls, text: str) -> Behaviour:
        return cls(**json.loads(text))
