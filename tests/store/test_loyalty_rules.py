"""Rules and tiers over the running product: collections, birthdays, tiers by orders and by points, calendar years."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.model import Customer, Event, EventKind, Product, Ref
from connector.model.value import POINTS
from connector.store import Store, accounts, reviews
from connector.store.db import Tx
from connector.store.reviews import ReviewRow
from flows.reviews import reviewing
from flows.value.bookings import spend
from flows.value.settling import settle
from flows.value.standing import Deeds
from tests.store.loyal import AINO, DAY, Loyal, cancelled, faults, line, purchase, refund, told
from tests.store.test_loyalty_reviews import writes
from tests.store.trade import SHOP

PLAIN: dict[str, Any] = {"return_window": "14d", "rules": {"spend": {"kind": "spend", "points": 1, "per": "1 EUR"}}}


def stocked(life: Loyal, product: Product) -> None:
    life.take_in(
        Event(
            kind=EventKind.PRODUCT_UPDATED,
            key=f"product/{product.id}",
            subject=Ref("product", product.id),
            at=life.clock.now(),
            product=product,
        )
    )


def test_a_collection_by_tag_and_by_type_and_what_goes_back_of_it(store: Store, tmp_path: Path) -> None:
    rule = {"kind": "collection", "tags": ["coffee"], "types": ["Tea"], "points": 5}
    life = Loyal(store, tmp_path, {"return_window": "14d", "rules": {"warm": rule}})
    now = life.clock.now()
    stocked(life, Product(id="p1", title="Beans", tags=("coffee", "dark"), updated_at=now))
    stocked(life, Product(id="p2", title="Sencha", product_type="Tea", updated_at=now))
    stocked(life, Product(id="p3", title="Cup", tags=("cups",), updated_at=now))
    made = life.buys(
        line("a", "30", 2, product_id="p1"), line("b", "10", product_id="p2"), line("c", "9", 3, product_id="p3")
    )
    assert life.points() == (0, 15)
    life.clock.advance(DAY)
    life.take_in(refund(made, "r1", life.clock.now(), a=1))
    life.live(20 * DAY)
    assert life.points() == (10, 0)
    assert faults(life) == []


def test_a_birthday_once_a_year_and_none_that_is_heard_of_later(store: Store, tmp_path: Path) -> None:
    life = Loyal(store, tmp_path, {"rules": {"born": {"kind": "birthday", "points": 30}}})
    day = life.clock.now() + 10 * DAY
    who = Customer(id="c1", email=AINO, birthday=f"1990-{day:%m-%d}")
    made = purchase(line("a", "40"), order_id="1", email=AINO, at=life.clock.now())
    life.take_in(told(replace(made, customer=who), EventKind.ORDER_PAID))
    life.live(8 * DAY)
    assert life.points() == (0, 0)
    life.live(12 * DAY)
    assert life.points() == (30, 0)
    life.live(380 * DAY)
    assert life.points() == (60, 0)
    late = Customer(id="c2", email="b@example.test", birthday=f"--{life.clock.now() - 5 * DAY:%m-%d}")
    other = purchase(line("a", "40"), order_id="2", email="b@example.test", at=life.clock.now())
    life.take_in(told(replace(other, customer=late), EventKind.ORDER_PAID))
    life.live(390 * DAY)
    assert life.points("b@example.test") == (0, 0)


def test_tiers_by_orders_of_this_year_or_the_last(store: Store, tmp_path: Path) -> None:
    programme = {
        **PLAIN,
        "measure": "orders",
        "period": "calendar",
        "grace": "5d",
        "tiers": {"silver": {"at": 2}, "gold": {"at": 3}},
    }
    life = Loyal(store, tmp_path, programme)
    orders = []
    for number in range(3):
        orders.append(life.buys(line("a", "10"), order_id=str(number)))
        life.clock.advance(DAY)
    assert life.state()["tier"] == "gold"
    life.take_in(cancelled(orders[0], life.clock.now()))
    assert life.state()["tier"] == "gold", "in grace"
    life.live(10 * DAY)
    assert life.state()["tier"] == "silver"
    new_year_after_next = datetime(life.clock.now().year + 2, 1, 1, tzinfo=UTC)
    start = life.clock.now() - 10 * DAY
    life.live(new_year_after_next - start - 3 * DAY)
    assert life.state()["tier"] == "silver", "what was reached in one year counts until the end of the next"
    life.live(new_year_after_next - start + 8 * DAY)
    assert life.state()["tier"] == ""
    assert [data["direction"] for _, _, data in life.told("tier.changed")] == ["up", "up", "down", "down"]


def test_tiers_by_points_fall_with_what_is_taken_back(store: Store, tmp_path: Path) -> None:
    programme = {**PLAIN, "measure": "points", "grace": "5d", "tiers": {"silver": {"at": 50}, "gold": {"at": 100}}}
    life = Loyal(store, tmp_path, programme)
    made = life.buys(line("a", "120", 3))
    assert life.state()["tier"] == "gold"
    life.clock.advance(DAY)
    life.take_in(refund(made, "r1", life.clock.now(), a=1))
    life.live(8 * DAY)
    assert life.state()["tier"] == "silver"


# -- tiers by points ---------------------------------------------------------------------------------------------------

BY_POINTS: dict[str, Any] = {
    **PLAIN,
    "measure": "points",
    "grace": "5d",
    "expires": "20d",
    "tiers": {"silver": {"at": 50}, "gold": {"at": 100}},
}


@pytest.fixture
def ranked(store: Store, tmp_path: Path) -> Loyal:
    """A shop whose tiers are reached by points, which are good for 20 days."""
    return Loyal(store, tmp_path, BY_POINTS)


def moves(life: Loyal) -> list[tuple[int, str, str]]:
    """Day, direction and tier of what was told of tiers."""
    kinds = ("tier.changed", "tier.retained")
    return [(day, data.get("direction", kind), data["tier"]) for day, kind, data in life.told(*kinds)]


def test_points_count_when_they_are_given_and_say_how_near_the_next_tier_is(ranked: Loyal) -> None:
    ranked.buys(line("a", "60"))
    (_, _, first) = ranked.told("points.changed")[0]
    assert (first["tier"], first["next_tier"], first["missing"]) == ("Silver", "Gold", "40"), "pending ones count"
    ranked.clock.advance(DAY)
    ranked.buys(line("a", "15"), order_id="2")
    assert [data["missing"] for *_, data in ranked.told("points.changed")][-1] == "25"
    ranked.clock.advance(DAY)
    ranked.buys(line("a", "25"), order_id="3")
    assert moves(ranked) == [(0, "up", "Silver"), (2, "up", "Gold")]
    assert "missing" not in ranked.told("points.changed")[-1][2], "there is none above"


def test_points_that_lapse_or_are_used_were_earned_all_the_same(ranked: Loyal) -> None:
    ranked.buys(line("a", "120"))
    ranked.live(20 * DAY)
    with ranked.store.work.transaction() as tx:
        now = ranked.clock.now()
        holder = accounts.open_for(tx, SHOP, None, AINO, "x", now)
        assert spend(tx, SHOP, "s1", holder, Decimal(90), now, "order/9")
    ranked.live(60 * DAY)
    assert (ranked.points(), ranked.state()["tier"]) == ((0, 0), "gold")
    assert [entry.amount for entry in ranked.entries() if entry.kind in ("spend", "expire")] == [90, 30]
    ranked.live(380 * DAY)
    assert moves(ranked) == [(0, "up", "Gold"), (370, "down", "")], "a year, and the grace"


def test_points_taken_back_lose_the_tier_after_the_grace_and_new_ones_keep_it(ranked: Loyal) -> None:
    made = ranked.buys(line("a", "120", 3))
    ranked.clock.advance(DAY)
    ranked.take_in(refund(made, "r1", ranked.clock.now(), a=1))
    assert (ranked.state()["tier"], ranked.state()["falls_at"][:10]) == ("gold", "2026-03-08")
    ranked.clock.advance(DAY)
    ranked.buys(line("a", "20"), order_id="2")
    assert moves(ranked)[1:] == [(2, "retained", "Gold")]
    ranked.clock.advance(DAY)
    ranked.take_in(cancelled(made, ranked.clock.now()))
    ranked.live(7 * DAY)
    assert ranked.state()["tier"] == "gold", "in grace"
    ranked.live(9 * DAY)
    assert moves(ranked)[2:] == [(8, "down", "")]
    assert faults(ranked) == []


def test_a_tier_that_counted_what_is_left_of_points_would_fall_when_they_lapse(
    ranked: Loyal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the measure that the docs do not promise."""

    def left(self: Deeds, *_: object) -> Decimal:
        return settle([fact for fact in self.facts if fact.unit == POINTS], ranked.clock.now()).available

    monkeypatch.setattr(Deeds, "reached", left)
    ranked.buys(line("a", "120"))
    ranked.live(60 * DAY)
    assert [direction for _, direction, _ in moves(ranked)] == ["up", "down"]


# -- challenges --------------------------------------------------------------------------------------------------------


def test_a_challenge_of_two_reviews_is_completed_by_them_and_undone_with_one(store: Store, tmp_path: Path) -> None:
    critic = {"reviews": 2, "begins": "2026-03-01", "ends": "2026-05-31", "points": 40, "badge": "critic"}
    life = Loyal(store, tmp_path, {**PLAIN, "challenges": {"critic": critic}})
    first, second = (bought_and_reviewed(life, number) for number in ("1", "2"))
    assert [data["points"] for *_, data in life.told("challenge.completed")] == ["40"]
    assert (life.points(), life.position(unit="badge/critic").available) == ((0, 40), 1)

    moderates(
        life, first, lambda tx, row: reviewing.hide(tx, life.kiitos.runner, SHOP, row, "Sanna", "spam", now(life))
    )
    assert (life.points(), life.position(unit="badge/critic").available) == ((0, 0), 0)
    moderates(life, first, lambda tx, row: reviewing.show(tx, life.kiitos.runner, SHOP, row, "Sanna", now(life)))
    assert life.points() == (0, 40)
    moderates(life, second, lambda tx, row: reviewing.withdraw(tx, life.kiitos.runner, SHOP, row, now(life)))
    assert (life.points(), life.position(unit="done/review").available) == ((0, 0), 1)
    bought_and_reviewed(life, "3")
    assert (life.points(), life.position(unit="badge/critic").available) == ((0, 40), 1)
    assert faults(life) == []


def now(life: Loyal) -> datetime:
    return life.clock.now()


def bought_and_reviewed(life: Loyal, order_id: str) -> ReviewRow:
    made = purchase(line("a", "0.50", product_id="p1"), order_id=order_id, email=AINO, at=life.clock.now())
    life.take_in(told(made, EventKind.ORDER_PAID))
    return writes(life, made)


def moderates(life: Loyal, row: ReviewRow, deed: Callable[[Tx, ReviewRow], bool]) -> None:
    """What becomes of a review an hour later, as the pages and commands do it."""
    life.clock.advance(DAY / 24)
    with life.store.work.transaction() as tx:
        known = reviews.get(tx, SHOP, row.id)
        assert known is not None
        assert deed(tx, known)
