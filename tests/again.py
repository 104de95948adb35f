"""What was run a second time is said at the end of the run, whichever process ran it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

AGAIN = "run again"
"""A property of a report whose test was run a second time; its value is the reason."""


def said(reports: Iterable[object]) -> list[str]:
    """A line for each such test."""
    kept = (report for report in reports if isinstance(report, pytest.TestReport) and report.when == "call")
    return [f"{report.nodeid}: {AGAIN} {why}" for report in kept if (why := dict(report.user_properties).get(AGAIN))]
