"""Two shops whose worker keeps them complete, on a clock of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.store import entities, jobs
from connector.store.jobs import JobRow
from connector.testing.fakes.people import MUG, Buyer
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, WOO, World

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
STEP = timedelta(minutes=5)
CONFIRMATIONS = {"order-confirmation": {"file": "order_confirmation"}}


class Town(World):
    """A world with what these tests do in it: people who buy, time that passes, shops compared with the store."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.bought: Counter[str] = Counter()
        self.people = 0

    def buy(self, shop: str, **options: Any) -> dict[str, Any]:
        """A new person buys a mug."""
        self.people += 1
        buyer = Buyer(first_name="Ostaja", last_name=str(self.people), email=f"buyer{self.people}@example.test")
        self.bought[str(buyer.email)] += 1
        fake: Any = self.shopify if shop == SHOPIFY else self.woo
        order: dict[str, Any] = fake.place_order([(MUG, 1)], buyer, **options)
        return order

    def live(self, *, hours: float = 0, minutes: float = 0, orders_every: int = 0, shops: tuple[str, ...] = ()) -> None:
        """Let time pass in steps of five minutes (retries come due between); a purchase a shop each so many steps."""
        end, count = self.clock.now() + timedelta(hours=hours, minutes=minutes), 0
        while self.clock.now() < end:
            if orders_every and count % orders_every == 0:
                for shop in shops or (SHOPIFY, WOO):
                    self.buy(shop)
            count += 1
            self.until(min(end, self.clock.now() + STEP))

    def missing(self) -> list[str]:
        """Orders of the shops that the store does not have."""
        with self.kiitos.store.work.read() as tx:
            return [
                f"{shop}/{number}"
                for shop, orders in ((SHOPIFY, self.shopify.orders), (WOO, self.woo.orders))
                for number in list(orders)
                if entities.order(tx, shop, str(number)) is None
            ]

    def mailed(self) -> Counter[str]:
        return Counter(recipient for message in self.sink.messages for recipient in message.recipients)

    def job(self, shop: str, kind: str) -> JobRow:
        with self.kiitos.store.work.read() as tx:
            found = jobs.get(tx, shop, kind)
        assert found is not None
        return found

    def reports(self, shop: str, kind: str) -> list[dict[str, Any]]:
        with self.kiitos.store.work.read() as tx:
            return [report for _, report in jobs.reports(tx, shop, kind, 100)]


Towns = Callable[..., Town]


@pytest.fixture
def towns(tmp_path: Path) -> Iterator[Towns]:
    with ExitStack() as stack:

        def make(*, settled: bool = True, **options: Any) -> Town:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            settings = {"flows": CONFIRMATIONS}
            try:
                town = stack.enter_context(
                    Town(folder, START, **{"settings": settings, "reconciling": True, **options})
                )
            except FakeUnavailable as missing:
                pytest.skip(str(missing))
            if settled:
                town.worker.drain()
                town.wait(minutes=1)
            return town

        yield make


@pytest.fixture
def town(towns: Towns) -> Town:
    """Connected a minute ago: subscribed, its empty history read."""
    return towns()
