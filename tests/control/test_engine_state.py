"""What an engine says of itself is read without trust: whatever JSON it is, status and conditions come out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gurney.control.report import status
from gurney.control.sessions import open_sessions
from gurney.control.standing import of_engines
from gurney.engines.engine import Observed
from tests.control.world import World, document

WORDS = st.sampled_from(
    ["services", "pools", "members", "archive", "archive-1", "store", "operational", "why", "override", "associations", "conditions",
     "since", "code", "reason", "object", "down", "up", "checked", "listen", "outcomes"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(WORDS, JSON, max_size=6))
def test_conditions_and_sessions_come_out_of_anything(told: dict[str, Any]) -> None:
    for condition in of_engines({("pacs", "route"): Observed(True, "x", told)}, lambda key: key[0]):
        assert isinstance(condition.reason, str)
    assert all(isinstance(count, int) for count in open_sessions(told).values())


def test_a_status_comes_out_of_anything(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.apply(document())

    @given(st.dictionaries(WORDS, JSON, max_size=6))
    def shown(told: dict[str, Any]) -> None:
        answer = status(world.control, {("pacs", "route"): Observed(True, "x", told)}, ())
        member = answer["applications"]["pacs"]["pools"]["archive"]["members"]["archive-1"]
        assert member["configured"] == "enabled" and member["override"] is None
        assert {"operational", "why"} <= member.keys()
        assert all(set(one) == {"code", "reason", "since", "object"} for one in answer["conditions"])
        json.dumps(answer, allow_nan=False)

    shown()
    world.close()
