"""Whatever HAProxy might say: its readers end with a value or with a refusal, never with anything else."""

from __future__ import annotations

import os
import random

from gurney.engines.haproxy import certificates, commands, maps, running, servers, status
from gurney.errors import GurneyError
from tests.engines.haproxy.made import Member, bundle
from tests.engines.haproxy.test_running import RECORDED

MUTATIONS = int(os.environ.get("GURNEY_MUTATIONS", "300"))
SEED = 44
PIECES = [
    "",
    ",",
    "\n",
    '"',
    '""',
    "-1",
    "9" * 30,
    "٣",
    "\x00",
    "MAINT",
    "DOWN 1/2",
    "* L7OK",
    "# pxname",
    "[::1]:x",
    "é" * 50,
    ",,,,",
    "1e9",
    ":",
]


def mutated(rng: random.Random, text: str) -> str:
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(text) + 1)
        to = min(len(text), at + rng.choice([0, 1, 5, 40, 400]))
        text = text[:at] + rng.choice(PIECES) + text[to:]
    return text


def test_any_statistics() -> None:
    rng = random.Random(SEED)
    info, stat = (RECORDED / "info.txt").read_text(), (RECORDED / "stat.csv").read_text()
    made = bundle({name: Member(1) for name in ("up", "slow", "refused", "disabled", "hand", "full", "added", "left")})
    read = 0
    for _ in range(MUTATIONS):
        try:
            seen = running.read(mutated(rng, info), mutated(rng, stat))
        except GurneyError:
            continue
        read += 1
        status.status(made, seen, status.Totals(), {})
        servers.differences(seen, made)
        servers.leaving(seen, made)
    print(f"haproxy-fuzz statistics={MUTATIONS} read={read} undeclared=0")
    assert 0 < read < MUTATIONS


def test_any_answer() -> None:
    rng = random.Random(SEED)
    answers = [
        "New server registered.\n\n\n\n\n", "0x6a631c0 k1 v1\n0x6a63210 k2 v2\n\n",
        "Filename: c.pem\nStatus: Used\nSHA1 FingerPrint: 243E2E02C4E585190E66F7E2B00DFA3D10750725\nLast Update: x\nSerial Number: 4D\n\n",
    ]  # fmt: skip
    for _ in range(MUTATIONS):
        text = mutated(rng, rng.choice(answers))
        for count in (1, 2, 3):
            found = commands.answers(text, count)
            assert found is None or len(found) == count
        maps.dumped(text)
        maps.entries(text, rng.choice([maps.MAP, maps.ACL]))
        for kind in ("certificate", "authority", "revocation list"):
            certificates.of_answer(text, kind)
        for verb in commands.Verb:
            commands.Command(verb, ("1",) * verb.words.count("{}")).did(text)
