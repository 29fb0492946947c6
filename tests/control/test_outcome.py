"""What a refusal says of the document: the line of the path it names, else of the listener its words name."""

from __future__ import annotations

import pytest

from gurney.control.decide import decide
from gurney.control.draft import read
from gurney.control.outcome import Telling, placed
from gurney.errors import EngineRefused, GuardRefused

TEXT = """gurney: 1
applications:
  web:
    services:
      one: {protocol: http, listen: 80}
      two:
        protocol: http
        listen: ["10.0.0.1:8080", "[2001:db8::1]:81"]
        accept_from: [10.0.0.0/8]
    pools:
      portal: {members: {a: "10.0.2.1:8080"}}
"""
DECISION = decide(read(TEXT, "g.yaml"), (), {})


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("cannot listen on *:80: Address already in use", 5),
        ("cannot listen on 10.0.0.1:8080: Address already in use", 8),
        ("cannot listen on [2001:db8::1]:81: Cannot assign requested address", 8),
        ("cannot listen on *:8080: Address already in use", None),
        ("cannot listen on *:8: Address already in use", None),
        ("cannot listen on 110.0.0.1:8080", None),
        ("the disk: No space left on device", None),
    ],
)
def test_a_listener_in_the_words_is_found_in_the_document(message: str, line: int | None) -> None:
    said = placed(EngineRefused(message), DECISION).message
    assert said == message if line is None else (said.startswith(f"g.yaml:{line}:") and said.endswith(f": {message}"))


def test_a_path_is_the_nearest_line_there_is() -> None:
    path = "applications.web.pools.portal.members.a.weight"
    said = placed(EngineRefused("bad weight", hint="h", path=path), DECISION)
    assert said.message == "g.yaml:11:26: bad weight" and said.hint == "h"
    assert placed(EngineRefused("x", path="applications.nobody"), DECISION).message.startswith("g.yaml:2:1: ")
    assert placed(EngineRefused("x", path="elsewhere"), DECISION).message == "x"


def test_what_is_no_engines_refusal_stays_as_it_is() -> None:
    error = GuardRefused("cannot listen on *:80")
    assert placed(error, DECISION) is error


def test_what_is_said_is_passed_on_and_kept_once() -> None:
    heard: list[str] = []
    telling = Telling(heard.append)
    telling("one")
    telling("two")
    assert telling.taken() == ["one", "two"] == heard and telling.taken() == []
    for number in range(1000):
        telling(str(number))
    assert len(telling.taken()) == 100
