"""Rules and tiers over the running product: collections, birthdays, tiers by orders and by points, calendar years."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.model import Customer, Event, EventKind, Product, Ref
from connector.store import Store
from tests.store.loyal import AINO, DAY, Loyal, cancelled, faults, line, purchase, refund, told

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
