"""`kiitos loyalty backtest` over a store with a dozen people: the same as a recount by hand, and as the books of the
programme that lived through the same days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import loyalty
from connector.clock import ManualClock
from connector.loyalty import look_back
from connector.model import Event, EventKind, Ref
from connector.model.value import POINTS, FactKind, Place
from connector.store import Store, accounts, books, entities, wakeups
from flows.value import backtesting, earning
from flows.value.past import Bought
from flows.value.settling import balances
from tests.past.orders import PRODUCTS, order_of, refunds_of, table
from tests.past.recount import recount
from tests.past.shops import Past, Sale, generate
from tests.store.loyal import Loyal, delivered, told
from tests.store.trade import SHOP, START

PEOPLE = 12
BOOKED = ("earned", "back", "pending", "available", "expired", "tiers", "badges", "members")
"""What the books can tell, beside what a look back can."""


class Lived(Loyal):
    """A shop that takes in a generated past day by day, as its platform would tell of it."""

    def __init__(self, store: Store, folder: Path, past: Past) -> None:
        self.past = past
        self.begins = min(sale.day for sale in past.sales)
        super().__init__(store, folder, table(past))

    def configure(self, segments: dict[str, Any]) -> None:
        self.clock = ManualClock(self.past.moment(self.begins) - timedelta(days=1))
        super().configure(segments)
        for product in PRODUCTS.values():
            at = self.clock.now()
            stocked = replace(product, updated_at=at)
            self.take_in(
                Event(
                    kind=EventKind.PRODUCT_UPDATED,
                    key=product.id,
                    subject=Ref("product", product.id),
                    at=at,
                    product=stocked,
                )
            )

    def until(self, moment: datetime) -> None:
        self.live(moment - START)

    def day(self, day: int) -> None:
        """Live up to the day's hour, and take in what happens then."""
        self.until(self.past.moment(day))
        for sale in self.past.sales:
            if events := list(self.happens(sale, day)):
                self.take_in(*events)

    def happens(self, sale: Sale, day: int) -> Iterator[Event]:
        past = self.past
        over = sale.over if sale.over is not None and sale.over <= day else None
        then = replace(sale, backs=tuple(back for back in sale.backs if back.day <= day), over=over)
        if day == sale.day < sale.paid:
            yield told(order_of(past, then, paid=False), EventKind.ORDER_CREATED)
        if day == sale.paid:
            yield told(order_of(past, then), EventKind.ORDER_PAID)
        if day == sale.over:
            yield told(order_of(past, then), EventKind.ORDER_CANCELLED)
        for back, refund in zip(sale.backs, refunds_of(past, sale), strict=True):
            if day == back.day:
                yield told(order_of(past, then), EventKind.REFUND_CREATED, refund)
                yield told(order_of(past, then), EventKind.ORDER_UPDATED)
        if day == sale.parcel:
            yield delivered(order_of(past, then, paid=day >= sale.paid), past.moment(day))

    def books(self) -> dict[str, object]:
        """What the programme's own books and members say, in the recount's words."""
        sums: Counter[str] = Counter()
        badges: Counter[str] = Counter()
        with self.store.work.read() as tx:
            entries, members = list(books.all_entries(tx, SHOP)), accounts.members(tx, SHOP)
            facts = books.facts_of(tx, SHOP, [row.account for row in members])
        for fact in (fact for fact in facts if fact.unit == POINTS):
            sums["earned"] += int(fact.amount) if fact.kind is FactKind.GRANT else 0
            sums["back"] += int(fact.amount) if fact.kind is FactKind.TAKE_BACK else 0
        for unit in {entry.unit for entry in entries}:
            for places in balances(entry for entry in entries if entry.unit == unit).values():
                if unit == POINTS:
                    for place in (Place.PENDING, Place.AVAILABLE, Place.EXPIRED):
                        sums[place.value] += int(places.get(place, 0))
                elif unit.startswith("badge/") and places.get(Place.AVAILABLE):
                    badges[unit.removeprefix("badge/")] += 1
        tiers = Counter(str(row.state["tier"]) for row in members if row.state.get("tier"))
        named = {name: sums[name] for name in ("earned", "back", "pending", "available", "expired")}
        return {**named, "tiers": dict(tiers), "badges": dict(badges), "members": len(members)}

    def looked(self, since: int, until: int) -> dict[str, object]:
        found = look_back(self.kiitos, SHOP, self.past.moment(since), self.past.moment(until))
        return {
            "members": found.members,
            "orders": found.orders,
            "earned": found.earned,
            "back": found.taken_back,
            "pending": found.pending,
            "available": found.available,
            "expired": found.expired,
            "sales": found.sales * 100,
            "with_points": found.sales_with_points * 100,
            "tiers": found.tiers,
            "badges": found.badges,
        }


def lived(store: Store, folder: Path, seed: int) -> Lived:
    return Lived(store, folder, replace(generate(seed, PEOPLE), zone="Europe/Helsinki"))


def compare(life: Lived) -> None:
    """Live through it all, and compare look back, recount and books every twentieth day."""
    past = life.past
    for day in range(life.begins, past.until + 1):
        if day % 20 == 0 and day > life.begins:
            life.until(past.moment(day))
            then = replace(past.told_by(day), since=life.begins)
            found = life.looked(life.begins, day)
            assert found == recount(then).figures, f"day {day}"
            assert {name: found[name] for name in BOOKED} == life.books(), f"day {day}"
        life.day(day)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [32, 36, 40])
def test_the_look_back_over_a_store_is_the_recount_and_what_the_books_say(
    store: Store, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the beginning on, where the books can tell, and at the end from a later day too."""
    monkeypatch.setattr(loyalty, "_PAGE", 7)
    life = lived(store, tmp_path, seed)
    past = life.past
    assert len({sale.person for sale in past.sales}) == PEOPLE
    compare(life)
    told = recount(past.told_by(past.until)).figures
    assert life.looked(past.since, past.until) == told
    for planted in PLANTED:
        with monkeypatch.context() as patch:
            patch.setattr(*planted)
            assert life.looked(past.since, past.until) != told, planted


def test_a_programme_that_books_otherwise_is_found(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the running programme forgets that points wait for the last parcel."""
    monkeypatch.setattr(earning, "reopenings", lambda *given: [])
    with pytest.raises(AssertionError, match="day -"):
        compare(lived(store, tmp_path, 36))


def _by_address(bought: Iterable[Bought]) -> list[list[Bought]]:
    found: dict[str, list[Bought]] = {}
    for one in sorted(bought, key=lambda each: (each.at, each.order)):
        found.setdefault(one.buyer.name, []).append(one)
    return list(found.values())


PLANTED: list[tuple[object, str, object]] = [
    (backtesting, "people", _by_address),
    (loyalty, "COLLECTION", "nothing"),
    (entities, "refunds", lambda *given: ()),
    (wakeups, "page", lambda tx, source, shop_id, after, limit: _PAGED(tx, source, shop_id, after, limit)[:-1]),
]
"""What the look back over a store could get wrong: whose an order is, and what it does not read."""
_PAGED = wakeups.page
