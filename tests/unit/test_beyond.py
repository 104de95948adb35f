"""Paths beyond the facts themselves: checked when a flow loads, read only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.errors import ConfigError
from connector.model import Channel, ConsentState, Money, Purpose
from flows.authoring.paths import Kind, path_type
from flows.guards import parse_guard
from flows.knowing.background import BLANK, Background, Companion, ProductFigures, Said, ShopFigures
from flows.knowing.beyond import is_counted
from flows.knowing.lifetime import Lifetime, RfmClass
from tests.engine.world import facts, line, order

AT = datetime(2026, 10, 1, tzinfo=UTC)


class Known(Background):
    """A background that counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def lifetime(self) -> Lifetime:
        self.asked.append("lifetime")
        return Lifetime(
            orders=5,
            spent=Money(Decimal(250), "EUR"),
            average=Money(Decimal(50), "EUR"),
            last_order_at=AT,
            recency_days=32,
            interval_days=20,
            overdue=Decimal("1.6"),
            favourites=("p1",),
            rfm=RfmClass.AT_RISK,
            rfm_scores="255",
        )

    def segments(self) -> tuple[str, ...]:
        self.asked.append("segments")
        return ("vip", "north")

    def fields(self) -> dict[str, object]:
        return {"size": "42"}

    def consent(self, channel: Channel, purpose: Purpose) -> Said:
        self.asked.append(f"{channel} {purpose}")
        states = {("email", "marketing"): ConsentState.GRANTED, ("email", "review"): ConsentState.WITHDRAWN}
        return Said(states.get((channel, purpose), ConsentState.UNKNOWN), AT, "form")

    def shop(self) -> ShopFigures:
        self.asked.append("shop")
        return ShopFigures(repeat_gap_days=40, buyers=900)

    def product(self, product_id: str) -> ProductFigures:
        raise AssertionError(product_id)

    def recommendable(self, product_ids: Sequence[str]) -> Sequence[str]:
        return product_ids


def holds(text: str, background: Background) -> bool:
    return parse_guard(text).evaluate(replace(facts(), background=background)).passed


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("customer.lifetime.orders >= 5", True),
        ("customer.lifetime.orders == 1", False),
        ("customer.lifetime.spent > 200 EUR", True),
        ("customer.lifetime.spent > 200 SEK", False),
        ("customer.lifetime.average.amount <= 50", True),
        ("customer.lifetime.last_order_at within 90d", True),
        ("customer.lifetime.first_order_at == null", True),
        ("customer.lifetime.favourites contains 'p1'", True),
        ("customer.lifetime.rfm == 'at_risk'", True),
        ("customer.lifetime.rfm in ['champion', 'loyal']", False),
        ("customer.lifetime.overdue >= 1.5", True),
        ("customer.lifetime.interval < 30d", True),
        ("customer.lifetime.interval < '2w'", False),
        ("customer.segments contains 'vip'", True),
        ("customer.segments not contains 'vip'", False),
        ("customer.segments.count == 2", True),
        ("customer.fields.size == 42", True),
        ("customer.fields.colour == ''", True),
        ("consent.email.state == 'granted'", True),
        ("consent.email.marketing.state == 'granted'", True),
        ("consent.email.review.state == 'withdrawn'", True),
        ("consent.email.at within 30d", False),
        ("consent.email.source == 'form'", True),
        ("consent.sms.state == 'granted'", False),
        ("shop.repeat_gap_days == 40", True),
        ("shop.repeat_gap >= 40d", True),
        ("shop.late_gap == null", True),
        ("shop.country == 'FI'", True),
        ("now > '2020-01-01'", True),
        ("now < '2020-01-01'", False),
    ],
)
def test_guards_reach_it(text: str, passed: bool) -> None:
    assert holds(text, Known()) is passed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("customer.lifetime.order > 1", "did you mean 'orders'"),
        ("customer.lifetimes.orders > 1", "did you mean 'lifetime'"),
        ("customer.lifetime.rfm == 'champoin'", "did you mean 'champion'"),
        ("customer.lifetime.spent > 200", "an amount"),
        ("customer.lifetime.orders > 200 EUR", "is a number"),
        ("customer.lifetime.interval > 30", "is a span"),
        ("customer.fields.size.unit == 'eu'", "nothing lies below"),
        ("consent.mail.state == 'granted'", "did you mean 'email'"),
        ("consent.email.state == 'grant'", "is never 'grant'"),
        ("consent.email.reviews.state == 'granted'", "did you mean 'review'"),
        ("consents.email.state == 'granted'", "did you mean 'consent'"),
        ("shop.repeat_gap_day > 3", "did you mean 'repeat_gap_days'"),
        ("now.hour > 9", "nothing lies below"),
        ("now contains '2026'", "is a time"),
    ],
)
def test_a_slip_is_found_when_the_flow_loads(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as fault:
        parse_guard(text)
    assert said in fault.value.message


@pytest.mark.parametrize(
    "text", ["order.id != ''", "customer.email != ''", "shop.country == 'FI'", "progress.parcels > 0"]
)
def test_who_does_not_ask_is_not_told(text: str) -> None:
    known = Known()
    holds(text, known)
    assert known.asked == []


def test_one_thing_asked_is_one_thing_read() -> None:
    known = Known()
    holds("customer.segments contains 'vip'", known)
    holds("consent.sms.loyalty.state == 'granted'", known)
    assert known.asked == ["segments", "sms loyalty"]


def test_facts_without_a_background_know_of_nothing() -> None:
    assert holds("customer.lifetime.orders == 0", BLANK)
    assert holds("customer.segments == null", BLANK)
    assert holds("consent.email.state == 'unknown'", BLANK)
    assert holds("shop.repeat_gap == null", BLANK)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("customer.lifetime.interval", Kind.SPAN),
        ("customer.lifetime.first_order_at", Kind.TIME),
        ("customer.lifetime.spent", Kind.MONEY),
        ("customer.segments", Kind.LIST),
        ("now", Kind.TIME),
    ],
)
def test_types(path: str, kind: Kind) -> None:
    assert path_type(path).kind is kind


def test_which_paths_need_the_nightly_count() -> None:
    counted: dict[str, Any] = {
        "customer.lifetime.rfm": True,
        "customer.lifetime.rfm_scores": True,
        "customer.lifetime.orders": False,
        "shop.repeat_gap": True,
        "shop.country": False,
        "order.id": False,
    }
    assert {path: is_counted(path) for path in counted} == counted


def test_a_span_is_shown_as_it_is_written() -> None:
    result = parse_guard("customer.lifetime.interval < 30d").evaluate(replace(facts(), background=Known()))
    assert (result.saw, result.wanted) == ("20d", "30d")
    assert timedelta(days=20) == Known().lifetime().interval


class Neighbours(Known):
    """A shop whose history puts two products beside the mug; one of them is theirs already."""

    def lifetime(self) -> Lifetime:
        return replace(super().lifetime(), products=("p-owned",))

    def product(self, product_id: str) -> ProductFigures:
        assert product_id == "p-mug"
        pairs = ("p-owned", "p-new")
        return ProductFigures(companions=tuple(Companion(product_id=each, together=9, lift=2.0) for each in pairs))


@pytest.mark.parametrize(
    ("text", "background", "passed"),
    [
        ("customer.recommendations == 1", Neighbours(), True),
        ("customer.recommendations >= 2", Neighbours(), False),
        ("customer.recommendations == 0", BLANK, True),
    ],
)
def test_what_could_be_recommended_is_counted_without_what_they_have(
    text: str, background: Background, passed: bool
) -> None:
    bought = order(lines=(line(product_id="p-mug"),))
    assert parse_guard(text).evaluate(replace(facts(order=bought), background=background)).passed is passed
    assert is_counted("customer.recommendations")
