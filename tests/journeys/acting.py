"""A Shopify shop and the product around it without sockets of its own, for flows that act on the store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.model import Effect
from connector.store import effects
from connector.store.store import Store
from connector.testing.fakes.people import AINO, MUG
from connector.testing.fakes.shopify import FakeShopify, FakeUnavailable
from connector.testing.fakes.shopify.state import Json
from connector.testing.world import SCOPES, SHOPIFY, SHOPIFY_DOMAIN, document
from connector.worker import Worker
from flows.channels.memory import Memory
from tests.journeys.bare import ENVIRON, RENDERER

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ALL_SCOPES = (
    *SCOPES,
    "write_customers",
    "read_all_orders",
    "write_gift_cards",
    "write_store_credit_account_transactions",
    "read_store_credit_accounts",
)
GOODWILL = """
id = "goodwill"
title = "Money for waiting"
trigger = "order.created"
purpose = "loyalty"
subject = "order"
reentry = "once"

[[steps]]
id = "later"
do = "wait"
span = "2d"

[[steps]]
id = "credit"
do = "issue_store_credit"
amount = "5 EUR"
expires = "90d"

[[steps]]
id = "card"
do = "issue_gift_card"
amount = "10 EUR"

[[steps]]
id = "tag"
do = "tag_customer"
tag = "goodwill"

[[steps]]
id = "note"
do = "set_meta"
key = "goodwill_card"
value = "{steps.card.code}"
"""


@dataclass
class Goodwill:
    """One life of one order. `kiitos` and `worker` are replaced when a worker dies."""

    clock: ManualClock
    shopify: FakeShopify
    store: Store
    folder: Path
    kiitos: Kiitos
    worker: Worker

    def order(self) -> Json:
        """Aino's order, known to the product as a webhook would tell it."""
        row = self.shopify.place_order([(MUG, 1)], AINO)
        self.hear(str(row["id"]))
        return row

    def hear(self, order_id: str) -> None:
        adapter: Any = self.kiitos.registry.platform("shopify")
        settings = self.kiitos.catalog.settings(SHOPIFY)
        told = adapter.fetch_order(self.kiitos.access(settings), order_id)
        with self.store.work.transaction() as tx:
            self.kiitos.runner.ingest(tx, SHOPIFY, told, self.clock.now())

    def until(self, **span: float) -> None:
        end = self.clock.now() + timedelta(**span)
        self.worker.drain()
        while (due := self.worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(microseconds=1)))
            self.worker.drain()
        self.clock.advance(max(end - self.clock.now(), timedelta()))

    def effects(self, order: Json) -> dict[str, Effect]:
        """What the order's run asked for, by step."""
        with self.store.work.read() as tx:
            return {effect.step_id: effect for effect in effects.of_order(tx, SHOPIFY, str(order["id"]))}

    def given(self) -> tuple[int, int]:
        """Store credits and gift cards that exist."""
        credited = sum(len(account["transactions"]) for account in self.shopify.credit_accounts.values())
        return credited, len(self.shopify.gift_cards)


def build_goodwill(clock: ManualClock, store: Store, shopify: FakeShopify, folder: Path, **settings: Any) -> Kiitos:
    found = document(flows={}, **settings)
    found["app"]["base_url"] = "http://localhost"
    shops = found["clients"]["demo"]["shops"]
    shops["aurora"] |= {"api_url": shopify.url, "flows": {"goodwill": {"file": "goodwill.toml"}}}
    kiitos = build(parse_config(found, folder / "app.toml", ENVIRON), clock=clock, store=store)
    kiitos.renderer = RENDERER
    kiitos.use_channel("mail", Memory())
    return kiitos


@contextlib.contextmanager
def goodwill(folder: Path, flow: str = GOODWILL, **settings: Any) -> Iterator[Goodwill]:
    clock = ManualClock(START)
    (folder / "goodwill.toml").write_text(flow)
    store = Store.open("sqlite://:memory:")
    client = (ENVIRON["SHOPIFY_CLIENT_ID"], ENVIRON["SHOPIFY_CLIENT_SECRET"])
    shopify = FakeShopify(clock, SHOPIFY_DOMAIN, *client, ALL_SCOPES)
    try:
        shopify.start()
    except FakeUnavailable as missing:
        pytest.skip(str(missing))
    kiitos = build_goodwill(clock, store, shopify, folder, **settings)
    try:
        yield Goodwill(clock, shopify, store, folder, kiitos, Worker(kiitos))
    finally:
        shopify.stop()
        kiitos.close()
