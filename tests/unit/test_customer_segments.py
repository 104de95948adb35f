"""Segments: what may stand in them, and when time alone changes who is in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model import Channel, Money, Purchase, Purpose
from flows.facts import Facts
from flows.guards import parse_guard
from flows.knowing.background import Background, Blank, Said
from flows.knowing.lifetime import DAY, Lifetime, Quintiles, lifetime_of
from flows.people.segments import Segment, load_segments, next_look, unknown_segments
from tests.engine.world import SHOP

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
QUINTILES = Quintiles(
    recency=(5, 12, 30, 45), frequency=(1, 1, 2, 3), money={"EUR": tuple(map(Decimal, (10, 20, 40, 80)))}
)


class Bought(Blank, Background):
    """Somebody known by their purchases and one decision."""

    def __init__(self, purchases: Sequence[Purchase], now: datetime, said_at: datetime | None = None) -> None:
        super().__init__()
        object.__setattr__(self, "_found", lifetime_of(purchases, now, "EUR", QUINTILES))
        object.__setattr__(self, "_said_at", said_at)

    __slots__ = ("_found", "_said_at")

    def lifetime(self) -> Lifetime:
        found: Lifetime = self._found  # type: ignore[has-type]
        return found

    def consent(self, channel: Channel, purpose: Purpose) -> Said:
        del channel, purpose
        return Said(at=self._said_at)  # type: ignore[has-type]


def segment(*guards: str) -> Segment:
    return Segment("them", tuple(map(parse_guard, guards)))


def at(now: datetime, purchases: Sequence[Purchase], said_at: datetime | None = None) -> Facts:
    return Facts(now=now, shop=SHOP, background=Bought(purchases, now, said_at))


def bought(days_ago: float, amount: int = 30) -> Purchase:
    when = NOW - timedelta(days=days_ago)
    return Purchase(order_id=str(days_ago), placed_at=when, amount=Money(Decimal(amount), "EUR"))


def test_a_definition_is_read_with_every_fault_at_once() -> None:
    faults: list[str] = []
    found = load_segments(
        {
            "vip": ["customer.lifetime.orders >= 5", "customer.lifetime.spent >= 500 EUR"],
            "Bad": ["customer.lifetime.orders >= 5"],
            "empty": [],
            "slip": ["customer.lifetime.order >= 5", "customer.lifetime.rfm == 'loial'"],
            "beyond": ["order.total > 5 EUR"],
            "circle": ["customer.segments contains 'vip'"],
        },
        "segments",
        faults,
    )
    assert [one.name for one in found] == ["vip"]
    assert "\n".join(faults).count("segments.") == 6
    assert any("segments.Bad: write it in small letters" in fault for fault in faults)
    assert any("segments.empty.when: name at least one guard" in fault for fault in faults)
    assert any("segments.slip.when" in fault and "did you mean 'orders'" in fault for fault in faults)
    assert any("segments.slip.when" in fault and "did you mean 'loyal'" in fault for fault in faults)
    assert any("segments.beyond.when: a segment looks at customer, consent, shop, now" in fault for fault in faults)
    assert any("segments.circle.when: a segment cannot look at segments" in fault for fault in faults)


def test_another_guard_is_another_definition() -> None:
    assert segment("customer.lifetime.orders >= 5").digest != segment("customer.lifetime.orders >= 6").digest
    assert segment("customer.lifetime.rfm == 'loyal'").counted
    assert not segment("customer.lifetime.orders >= 5").counted


def test_a_guard_on_a_segment_that_is_not_there() -> None:
    guards = [parse_guard("customer.segments contains 'vips'"), parse_guard("customer.segments != null")]
    assert list(unknown_segments(guards, ["vip", "lost"])) == ["no segment 'vips'; did you mean 'vip'?"]
    assert list(unknown_segments(guards, ["vips"])) == []


@pytest.mark.parametrize(
    ("guard", "days"),
    [
        ("customer.lifetime.recency_days >= 60", 60),
        ("customer.lifetime.recency_days > 60", 60),
        ("customer.lifetime.recency_days == 60", 60),
        ("customer.lifetime.recency_days in [80, 60]", 60),
        ("customer.lifetime.orders >= 5", None),
        ("customer.lifetime.spent >= 5 EUR", None),
        ("customer.lifetime.rfm == 'lost'", 13),
    ],
)
def test_when_time_changes_it(guard: str, days: int | None) -> None:
    purchases = [bought(10)]
    expected = None if days is None else purchases[0].placed_at + days * DAY
    assert next_look([segment(guard)], at(NOW, purchases), QUINTILES) == expected


def test_the_first_of_several_moments_counts_and_past_ones_do_not() -> None:
    both = [segment("customer.lifetime.recency_days >= 60"), segment("now >= '2026-12-01'")]
    assert next_look(both, at(NOW, [bought(10)]), None) == datetime(2026, 12, 1, tzinfo=UTC)
    assert next_look(both, at(NOW, [bought(300)]), None) == datetime(2026, 12, 1, tzinfo=UTC)
    assert next_look(both[:1], at(NOW, [bought(300)]), None) is None
    assert next_look(both[:1], at(NOW, []), None) is None


GUARDS = st.sampled_from(
    [
        "customer.lifetime.recency_days >= 20",
        "customer.lifetime.recency_days < 7",
        "customer.lifetime.recency_days in [3, 9, 31]",
        "customer.lifetime.recency_days != 14",
        "customer.lifetime.overdue >= 1.5",
        "customer.lifetime.overdue < 2",
        "customer.lifetime.rfm in ['at_risk', 'lost']",
        "customer.lifetime.rfm_scores == '115'",
        "customer.lifetime.last_order_at within 25d",
        "customer.lifetime.first_order_at not within 40d",
        "consent.email.at within 15d",
        "customer.lifetime.orders >= 2",
        "now < '2026-12-10'",
    ]
)


@settings(max_examples=100, deadline=None)
@given(
    guards=st.lists(GUARDS, min_size=1, max_size=2),
    history=st.lists(st.integers(0, 24 * 60), max_size=4, unique=True),
    said=st.none() | st.integers(0, 24 * 30),
)
def test_looking_only_when_told_to_misses_nothing(guards: list[str], history: list[int], said: int | None) -> None:
    """Against somebody who looks every three hours for seventy days."""
    purchases = [bought(hours / 24) for hours in history]
    said_at = None if said is None else NOW - timedelta(hours=said)
    wanted = segment(*guards)
    known = wanted.holds(at(NOW, purchases, said_at))
    look_at = next_look([wanted], at(NOW, purchases, said_at), QUINTILES)
    for hours in range(0, 24 * 70, 3):
        now = NOW + timedelta(hours=hours)
        while look_at is not None and look_at <= now:
            then = at(look_at, purchases, said_at)
            known, look_at = wanted.holds(then), next_look([wanted], then, QUINTILES)
        assert known == wanted.holds(at(now, purchases, said_at)), f"{guards} at {now}"


def test_the_oracle_would_see_a_moment_that_is_missed() -> None:
    wanted = segment("customer.lifetime.recency_days >= 20")
    purchases = [bought(10)]
    before, after = at(NOW, purchases), at(NOW + timedelta(days=70), purchases)
    assert wanted.holds(before) != wanted.holds(after), "who never looks again would still say no"
