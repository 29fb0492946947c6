"""Whatever document is good compiles to a file that the judge passes and the real HAProxy takes without a warning."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from gurney.compile import haproxy
from gurney.compile.haproxy import bundle as bundles
from gurney.compile.target import Ground, Machine
from gurney.config import materials
from gurney.config.proxied import Material
from gurney.config.reader import read
from tests.compile.carried import lay
from tests.compile.made import document
from tests.golden.real import ENVIRONMENT, PROGRAM, stand_in

COUNT = 1_000 if os.environ.get("GURNEY_COUNTS") == "chaos" else 40


@pytest.mark.live
@pytest.mark.timeout(1_200)
def test_good_documents_are_taken_by_the_real_checker(tmp_path: Path) -> None:
    tried = taken = 0
    said: list[tuple[int, list[str]]] = []
    for seed in range(COUNT):
        chance = random.Random(seed)
        found = read(document(chance)).document
        if found is None:
            continue
        tried += 1
        held = {
            one.name: Material(one.kind, f"{at:064x}", ("a.example.org", "x.b.example.org"))
            for at, one in enumerate(materials.wanted(found))
        }
        content = haproxy.TARGET.compile(found, "web", Ground(Machine(uid=chance.choice((None, 65_534)), ipv6=chance.random() < 0.8), held))
        assert content is not None
        bundle = bundles.load(content)
        contents = {digest: stand_in(name.split("/")[1].split("_")[0]) for name, digest in bundle.materials.items()}
        lay(bundle, tmp_path / str(seed), contents)
        command = [PROGRAM, "-c", "-f", "current/haproxy.cfg"]
        done = subprocess.run(command, cwd=tmp_path / str(seed), env=ENVIRONMENT, capture_output=True, text=True, check=False)
        lines = [line for line in done.stderr.splitlines() if "[NOTICE]" not in line]
        taken += not lines and done.returncode == 0
        if lines or done.returncode:
            said.append((seed, lines))
    print(f"haproxy-documents tried={tried} taken={taken}")
    assert said == []
    assert tried > COUNT // 2
