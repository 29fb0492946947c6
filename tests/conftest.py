"""What every test shares: the `live` marker by folder, hypothesis profiles, and what stands at the end: counts, and what is not proven."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

LIVE = Path(__file__).parent / "live"
COUNTS = re.compile(r"^\S+( [\w.]+=\S+)+$")  # `dicom-17 stored=1000 split=0 mismatched=0`

# No time is asserted (deadline), and the same commit runs the same examples (derandomize).
settings.register_profile("quick", max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.register_profile("test", max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.register_profile("chaos", max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile({"quick": "quick", "chaos": "chaos"}.get(os.environ.get("GURNEY_COUNTS", ""), "test"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything under tests/live is `live`; `chaos` tests run only with GURNEY_COUNTS=chaos."""
    for item in items:
        if LIVE in item.path.parents:
            item.add_marker(pytest.mark.live)
        if item.get_closest_marker("chaos") and os.environ.get("GURNEY_COUNTS") != "chaos":
            item.add_marker(pytest.mark.skip(reason="runs in make chaos"))


def counts(reports: Iterable[pytest.TestReport]) -> list[str]:
    """The lines of counts that passed tests printed, in the order they ran."""
    return [
        line.strip()
        for report in reports
        for title, text in report.sections
        if title == "Captured stdout call"
        for line in text.splitlines()
        if COUNTS.match(line.strip())
    ]


def unproven(reports: Iterable[pytest.TestReport]) -> list[str]:
    """What skipped tests could not prove on this machine, each reason once."""
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in reports if isinstance(report.longrepr, tuple)]
    return sorted({reason for reason in reasons if reason.startswith("not proven")})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of the scenarios, then what is not proven."""
    for title, lines in (
        ("counts", counts(terminalreporter.getreports("passed"))),
        ("not proven", unproven(terminalreporter.getreports("skipped"))),
    ):
        if lines:
            terminalreporter.section(title)
            for line in lines:
                terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What is not proven is red where CI is set."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter is not None and unproven(reporter.getreports("skipped")):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
