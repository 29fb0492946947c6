"""What the guides say of their own documents is true: each is run on loopback under a real Gurney, against simulated members."""

from __future__ import annotations

from pathlib import Path

import pytest

from gurney.demo import cases
from gurney.demo.trial import Result, Trial
from tests.docs.pages import blocks
from tests.live.harness.counts import say

NAMES_AND_PATHS = """
cases:
  - {case: a name, send: {to: clinic/portal, host: www.example.org, count: 4}, expect: {answer: 200, pool: portal}}
  - {case: a name without that base, send: {to: clinic/portal, host: www.example.org, path: /api/x}, expect: {answer: 200, pool: portal}}
  - {case: the base path, send: {to: clinic/api, host: PORTAL.example.org, path: /api}, expect: {answer: 200, pool: api}}
  - {case: below it, send: {to: clinic/api, host: portal.example.org, path: /api/x}, expect: {answer: 200, pool: api}}
  - {case: beside it, send: {to: clinic/api, host: portal.example.org, path: /apix}, expect: {answer: 200, pool: portal}}
  - {case: a rule below it, send: {to: clinic/api, host: portal.example.org, path: /api/reports/7}, expect: {answer: 200, pool: reports}}
  - {case: any other name, send: {to: clinic/api, host: who.example.org, path: /api/reports/7}, expect: {answer: 200, pool: notice}}
"""
RULES = """
cases:
  - {case: method and path, send: {to: portal/web, method: POST, path: /upload/x}, expect: {answer: 200, pool: uploads}}
  - {case: path alone, send: {to: portal/web, path: /upload/x}, expect: {answer: 200, pool: servers}}
  - {case: testers, send: {to: portal/web, from: 10.7.1.1, headers: {X-Preview: "yes"}}, expect: {answer: 200, pool: preview}}
  - {case: no testers, send: {to: portal/web, from: 10.8.1.1, headers: {X-Preview: "yes"}}, expect: {answer: 200, pool: servers}}
  - {case: one file is one server's, send: {to: portal/web, path: /a/b.css}, expect: {answer: 200, pool: files, members: 1}}
"""
HEALTH = """
cases:
  - {case: two of three, first: {kill: servers/10.0.1.11:8080}, send: {to: portal/web}, expect: {answer: 200, pool: servers, members: 2}}
  - {case: none, first: {kill: servers/*}, send: {to: portal/web}, expect: {answer: 200, pool: notice}}
"""
DEVICES = """
cases:
  - {case: a ward's device, send: {to: devices/gateway, from: 10.20.0.1}, expect: {answer: answered, pool: wards, members: 1}}
  - {case: intensive care, send: {to: devices/gateway, from: 10.21.0.1}, expect: {answer: answered, pool: intensive-care, members: 1}}
  - {case: the spare, first: {kill: wards/ward-*}, send: {to: devices/gateway, from: 10.20.0.1}, expect: {answer: answered, pool: spare}}
  - {case: a stranger, send: {to: devices/gateway, from: 10.22.0.1}, expect: {answer: closed, members: 0}}
"""


def document(page: str, mark: str) -> str:
    """The one document of a page in which `mark` stands."""
    (found,) = [block.text for block in blocks("yaml") if block.page == f"docs/guides/{page}" and mark in block.text]
    return found


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("page", "mark", "promised"),
    [("web.md", "clinic:", NAMES_AND_PATHS), ("web.md", "X-Preview", RULES), ("web.md", "panic:", HEALTH), ("tcp.md", "ward-1", DEVICES)],
    ids=["names-and-paths", "rules", "health", "devices"],
)
def test_guide_says_what_is_so(folder: Path, monkeypatch: pytest.MonkeyPatch, page: str, mark: str, promised: str) -> None:
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    results: list[Result] = []
    with Trial(document(page, mark), page) as trial:
        trial.run(cases.read(promised, page), results.append)
    failed = [f"{one.case}: {one.why}" for one in results if one.why is not None]
    say(f"guide-{page}", mark=mark, cases=len(results), failed=len(failed))
    assert failed == [] and len(results) >= 2
