"""Flows that look at figures and segments, tested in their own files as an author would."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from connector.rehearsal import Stage, read_tests

HEAD = """
id = "mine"
title = "Mine"
purpose = "transactional"
subject = "{subject}"
trigger = {trigger}
when = {when}
[[steps]]
id = "say"
do = "send"
template = "order_confirmation"
"""

CASES = {
    "the second purchase": (
        ("order", '"order.paid"', '["customer.lifetime.orders == 2"]'),
        """
        [[tests]]
        name = "the second, not the first, not the third"
        given = ["0d order", "3d order", "6d order"]
        expect = ["3d order_confirmation"]
        why = "customer.lifetime.orders == 2"
        [[tests]]
        name = "one that was taken back was none"
        given = ["0d order", "1d refunded", "3d order", "6d order"]
        expect = ["6d order_confirmation"]
        [[tests]]
        name = "unpaid is not bought"
        given = ["0d unpaid order", "3d order"]
        expect = []
        """,
    ),
    "entered by the flow's own test": (
        ("order", '"order.paid"', "[\"customer.segments contains 'vip'\"]"),
        """
        [[tests]]
        name = "only a member"
        given = ["0d order", "3d entered vip", "4d order", "5d left vip", "6d order"]
        expect = ["4d order_confirmation"]
        why = "customer.segments contains vip"
        """,
    ),
    "a segment that is kept": (
        ("order", '"order.paid"', "[\"customer.segments contains 'regular'\"]"),
        """
        [[tests]]
        name = "a member from the second on, until long away"
        segments = { regular = ["customer.lifetime.orders >= 2", "customer.lifetime.recency_days < 30"] }
        given = ["0d order", "1d order", "2d order", "60d order"]
        expect = ["2d order_confirmation"]
        """,
    ),
    "what they said": (
        ("order", '"order.paid"', "[\"consent.email.state == 'granted'\"]"),
        """
        [[tests]]
        name = "only who agreed"
        given = ["0d order", "1d consent given", "2d order", "3d consent withdrawn", "4d order"]
        expect = ["2d order_confirmation"]
        """,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_rehearsed(case: str, tmp_path: Path) -> None:
    (subject, trigger, when), tests = CASES[case]
    text = HEAD.format(subject=subject, trigger=trigger, when=when)
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    stage = Stage("./mine.toml", "mine", tmp_path)
    try:
        for test in read_tests(tomllib.loads(text + tests), case):
            outcome = stage.run(test)
            assert outcome.holds, (test.name, outcome.faults, outcome.silences)
    finally:
        stage.close()
