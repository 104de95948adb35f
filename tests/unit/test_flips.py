"""The smallest change that would have flipped a decision: every comparison of guards, every rule of policy."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from flows import policy
from flows.authoring.flips import guard_flip, known_codes, policy_flip, rule_flip
from flows.guards import parse_guard
from tests.engine.world import facts, order

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("op", "wanted", "saw", "told"),
    [
        (">=", "40.00 EUR", "38.00 EUR", "x was 38.00 EUR; 40.00 EUR or more (2.00 EUR more) !"),
        (">=", "40.00 EUR", "38.00 SEK", "x was 38.00 SEK; 40.00 EUR or more !"),
        (">", "3", "3", "x was 3; more than 3 !"),
        ("<", "3", "7", "x was 7; less than 3 !"),
        ("<=", "3", "7", "x was 7; 3 or less (4 less) !"),
        ("==", "false", "true", "x was true; false !"),
        ("!=", "pos", "pos", "x was 'pos'; anything but 'pos' !"),
        ("in", "[FI, SE]", "NO", "x was 'NO'; one of FI, SE !"),
        ("not in", "[pos, draft]", "pos", "x was 'pos'; anything but pos, draft !"),
        ("contains", "vip", "[new]", "x was [new]; 'vip' among it !"),
        ("not contains", "vip", "[vip]", "x was [vip]; no 'vip' among it !"),
        ("==", "null", "abc", "x was 'abc'; nothing there !"),
        ("!=", "null", "null", "x was not known; anything there !"),
        (">=", "2026-11-01T00:00:00.000000Z", "null", "x was not known; 2026-11-01 00:00 UTC or later !"),
        ("within", "10d", "2026-11-01T09:00:00Z", "x was 2026-11-01 09:00 UTC; 2026-11-12 09:00 UTC or later !"),
        ("not within", "1d", "2026-11-22T08:00Z", "x was 2026-11-22 08:00 UTC; a time before 2026-11-21 09:00 UTC !"),
    ],
)  # fmt: skip
def test_a_guard(op: str, wanted: str, saw: str, told: str) -> None:
    assert guard_flip("x", op, wanted, saw, "started it", AT) == told.replace("!", "would have started it")


@pytest.mark.parametrize(
    "text",
    [
        "order.total >= 50 EUR",
        "order.total > 40.00 EUR",
        "order.is_test == true",
        "order.source in ['web', 'app']",
        "order.tags contains 'vip'",
        "order.placed_at not within 10d",
        "order.cancelled_at != null",
    ],
)
def test_what_a_real_guard_found_can_be_flipped_from_its_rule_alone(text: str) -> None:
    found = parse_guard(text).evaluate(facts(order=order()))
    assert not found.passed
    told = rule_flip(f"{found.path} {found.op} {found.wanted}", found.saw, "started it", AT)
    assert told.startswith(f"{found.path} was ")
    assert told.endswith("would have started it")
    assert told == guard_flip(found.path, found.op, found.wanted, found.saw, "started it", AT)


def test_an_events_age_and_entering_once() -> None:
    assert "one of at most 3 d" in rule_flip("event younger than 3 d", "5.2 d", "started it")
    assert "another customer" in rule_flip("once per customer", "entered before, completed", "started it")
    assert rule_flip("something nobody can read", "", "started it") == ""


def test_every_rule_of_policy_says_what_would_have_let_it_pass() -> None:
    rows = re.findall(r"^\| ([a-z_, ]+) \|", policy.__doc__ or "", re.MULTILINE)
    codes = {code.strip() for row in rows for code in row.split(",")} - {"code"}
    assert len(codes) >= 13
    assert codes <= known_codes(), f"no sentence in flows.authoring.flips for {codes - known_codes()}"


@pytest.mark.parametrize("code", sorted(known_codes()))
def test_a_sentence_never_breaks_and_never_guesses(code: str) -> None:
    told = policy_flip(code, {})
    assert told
    assert "{" not in told
    assert "None" not in told


def test_values_of_a_rule_are_shown() -> None:
    at = "2026-11-01T00:00:00.000000+00:00"
    assert "complaint of 2026-11-01 00:00 UTC" in policy_flip("suppressed", {"reason": "complaint", "at": at})
    asked = policy_flip("no_consent", {"purpose": "review", "consent": "pending"})
    never = policy_flip("no_consent", {"purpose": "review", "consent": "unknown"})
    assert "soft_opt_in" in never
    assert "soft_opt_in" not in asked
    assert policy_flip("a rule of tomorrow", {}) == ""
