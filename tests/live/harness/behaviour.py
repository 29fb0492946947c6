"""The one place for what a scripted member may be told to do wrong; the defaults are a well-behaved archive."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass
class Behaviour:
    """Counts are from the start of the member, bytes are data set bytes with their headers as received.

    `answer`: normal | never | wrong-id | early (before the last fragment) | twice | close (instead of an answer) | abort | garbage.
    `connect`: normal | silent (no AC) | close (FIN at accept) | reset. `over`: what a connection above `max_associations` gets:
    reject | ignore. `die_after_object` ends the process with SIGKILL behind the last fragment of that object, before its answer;
    `die_stored` says whether it was stored then. `statuses` maps a SOP Instance UID or "*" to a status.
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
    keep: bool = False  # keep data set bytes in memory (in-process members only)

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Behaviour:
        return cls(**json.loads(text))
