"""Record the tapes of the built-in adapters from the fake shops: `.venv/bin/python scripts/tapes.py [FOLDER]`.

Run it again when a request changed on purpose, and read the diff: a tape is what the kit holds the adapters to.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from connector.clock import ManualClock
from connector.contracts import Access, PlatformAdapter
from connector.errors import KiitosError
from connector.model import Shop
from connector.testing.capabilities import call_by_name
from connector.testing.fakes.people import EERO, Article
from connector.testing.fakes.shopify import FakeShopify
from connector.testing.fakes.woocommerce import FakeWoo
from connector.testing.taping import Taping
from platforms.shopify import Shopify
from platforms.woocommerce import WooCommerce

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SCOPES = {f"{verb}_{what}" for verb in ("read", "write") for what in ("orders", "discounts", "metaobjects")} | {
    "read_all_orders",
    "read_customers",
    "read_products",
    "read_fulfillments",
}
MUG = Article(title="Muki ”Kiitos”", price=Decimal("24.90"), sku="M-1")
TAKEN = "MERCHANTS-OWN"
DISCOUNT = {
    "code": "KIITOS-7F3A",
    "title": "Kiitos arvostelusta (run 42)",
    "starts_at": "2026-11-22T08:00:00Z",
    "ends_at": "2026-12-22T08:00:00Z",
    "percent": "12.5",
}
REVIEW = {
    "key": "run-1",
    "rating": 5,
    "title": "Hyvä muki",
    "text": "Kestää pesun & käytön.",
    "author_name": "Eero V.",
    "author_email": "eero@example.test",
    "at": "2026-11-22T08:00:00Z",
}


@dataclass
class Session:
    """One adapter in front of one fake shop; tapes go below `root`."""

    root: Path
    adapter: PlatformAdapter
    access: Access
    taping: Taping

    def record(self, call: str, case: str, arguments: Mapping[str, Any], **rest: Any) -> None:
        """Make the call and keep what was said; an error of ours is kept as `raises`."""
        self.taping.take()
        try:
            rest["returns"] = call_by_name(self.adapter, call, self.access, arguments)
        except KiitosError as error:
            rest["raises"] = {"error": type(error).__name__, "provider_code": getattr(error, "provider_code", "")}
        self.taping.write(self.root / call / f"{case}.json", arguments=arguments, **rest)

    def twice(self, call: str, case: str, arguments: Mapping[str, Any]) -> None:
        self.record(call, case, arguments)
        self.record(call, f"{case}_again", arguments, again=case)

    def record_all(self, order_id: str, product_id: str, gone: str) -> None:
        self.twice("create_discount", "made", {"request": DISCOUNT})
        self.record("create_discount", "taken_by_another", {"request": {**DISCOUNT, "code": TAKEN}})
        self.twice("add_tag", "added", {"order_id": order_id, "tag": "kiitos"})
        self.twice("add_note", "added", {"order_id": order_id, "note": "Arvostelu pyydetty", "key": "run-1"})
        self.twice("publish_review", "held", {"request": {**REVIEW, "order_id": order_id, "product_id": product_id}})
        self.record("fetch_order", "delivered", {"order_id": order_id})
        self.record("fetch_order", "gone", {"order_id": gone})


def shopify(root: Path) -> None:
    clock = ManualClock(START, seed=1)
    secrets = {"client_id": "id-1", "client_secret": "kit-secret"}
    with (
        FakeShopify(clock, "tuoksu-demo.myshopify.com", *secrets.values(), frozenset(SCOPES), unchecked=True) as fake,
        Taping(fake.url) as taping,
    ):
        row = fake.place_order([(MUG, 2)], EERO, attributes={"ref": "ystava"})
        fake.carrier_event(fake.fulfill(row), "delivered")
        shop = Shop(id="shop-1", client_id="client-1", platform="shopify", domain=fake.domain, name="Tuoksu")
        access = Access(shop=shop, secrets=secrets, clock=clock, base_url=taping.url)
        session = Session(root, Shopify(), access, taping)
        # The first call takes the token, which belongs to no tape.
        call_by_name(
            session.adapter, "create_discount", access, {"request": {**DISCOUNT, "code": TAKEN, "title": "Sale"}}
        )
        session.record_all(str(row["id"]), str(row["line_items"][0]["product_id"]), "987654321")


def woocommerce(root: Path) -> None:
    clock = ManualClock(START, seed=1)
    keys = ("ck_kit", "cs_kit")
    home = "https://kauppa.example.test"
    with FakeWoo(clock, home, *keys, "hook-secret") as fake, Taping(fake.url) as taping:
        order = fake.place_order([(MUG, 2)], EERO)
        fake.fulfill(order)
        fake.set_status(order, "completed")
        coupons = f"{fake.url}/wp-json/wc/v3/coupons"
        requests.post(coupons, json={"code": TAKEN, "amount": "5"}, auth=keys, timeout=10).raise_for_status()
        shop = Shop(
            id="shop-1",
            client_id="demo",
            platform="woocommerce",
            domain="kauppa.example.test",
            name="Kauppa",
            url=home,
            timezone="Europe/Helsinki",
        )
        secrets = dict(zip(("consumer_key", "consumer_secret"), keys, strict=True))
        access = Access(shop=shop, secrets=secrets, clock=clock, base_url=taping.url)
        session = Session(root, WooCommerce(), access, taping)
        session.record_all(str(order["id"]), str(order["line_items"][0]["product_id"]), "987654")


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/exchanges")
    shopify(where / "shopify")
    woocommerce(where / "woocommerce")
    print(f"{len(list(where.rglob('*.json')))} tapes below {where}")
