"""Record the tapes of the built-in adapters from the fake shops: `.venv/bin/python scripts/tapes.py [FOLDER]`.

Run it again when a request changed on purpose, and read the diff: a tape is what the kit holds the adapters to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
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
from connector.testing.fakes.shopify.grants import pay_with_credit, revert_credit
from connector.testing.fakes.woocommerce import FakeWoo
from connector.testing.taping import Taping
from platforms.shopify import Shopify
from platforms.woocommerce import WooCommerce

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
OWNED = ("orders", "discounts", "metaobjects", "customers", "products", "fulfillments", "gift_cards", "returns")
SCOPES = {f"{verb}_{what}" for verb in ("read", "write") for what in OWNED} | {
    "read_all_orders",
    "write_store_credit_account_transactions",
    "read_store_credit_accounts",
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

    def record(
        self, call: str, case: str, arguments: Mapping[str, Any], *, optional: Sequence[int] = (), **rest: Any
    ) -> None:
        """Make the call and keep what was said; an error of ours is kept as `raises`. `optional` are the numbers of
        requests whose refusal is got over."""
        self.taping.take()
        try:
            rest["returns"] = call_by_name(self.adapter, call, self.access, arguments)
        except KiitosError as error:
            rest["raises"] = {"error": type(error).__name__, "provider_code": getattr(error, "provider_code", "")}
        file = self.root / call / f"{case}.json"
        self.taping.write(file, arguments=arguments, **rest)
        if optional:
            tape = json.loads(file.read_text("utf-8"))
            for number in optional:
                tape["exchanges"][number]["optional"] = True
            file.write_text(json.dumps(tape, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def twice(self, call: str, case: str, arguments: Mapping[str, Any], again: Mapping[str, Any] | None = None) -> None:
        """The call, and its repetition after an unknown outcome; `again` where the arguments say that it is one."""
        self.record(call, case, arguments)
        self.record(call, f"{case}_again", again or arguments, again=case)

    def record_common(self, customer_id: str, order_id: str, address: str) -> None:
        """What both platforms can beyond discounts, notes on orders, reviews and reading."""
        rule = {**DISCOUNT, "code": "VIP-0", "title": "VIP"}
        self.twice("create_codes", "made", {"request": {"rule": rule, "codes": ["VIP-0", "VIP-1", "VIP-2"]}})
        self.twice("tag_customer", "tagged", {"customer_id": customer_id, "tag": "gold"})
        meta = {"owner": "order", "owner_id": order_id, "key": "nps", "value": "9"}
        self.twice("write_meta", "written", {"request": meta})
        decided = {"channel": "email", "granted": False, "at": "2026-11-22T08:00:00Z", "address": address}
        self.twice("write_consent", "withdrawn", {"request": decided})
        self.record("write_consent", "nobody", {"request": {**decided, "address": "guest@example.test"}})

    def record_shopify(self, customer_id: str, product_id: str, parcel: str) -> None:
        """What only Shopify has."""
        credit = {"key": "run-1", "customer_id": customer_id, "amount": {"amount": "5.00", "currency": "EUR"}}
        credit |= {"first_try_at": "2026-11-22T08:00:00Z", "expires_at": "2027-02-22T08:00:00Z"}
        self.twice("grant_store_credit", "granted", {"request": credit}, {"request": {**credit, "again": True}})
        card = {"code": "K7F3A2B9Q4D6", "amount": {"amount": "5.00", "currency": "EUR"}, "note": "Kiitos (run 42)"}
        self.twice("issue_gift_card", "issued", {"request": card})
        news = {"shipment_id": parcel, "status": "in_transit", "at": "2026-11-22T07:00:00Z", "message": "Posti"}
        self.twice("write_shipment_event", "written", {"request": news})
        rating = {"product_id": product_id, "average": "4.5", "count": 2}
        self.twice("publish_rating", "published", {"request": rating})
        self.record("granted_scopes", "told", {})

    def record_woocommerce(self, order_id: str, unpaid: str, line_id: str) -> None:
        """What only WooCommerce has."""
        self.twice("note_customer", "mailed", {"order_id": order_id, "note": "Kiitos & hei", "key": "run-1"})
        mail = {"order_id": order_id, "name": "order_details", "since": None}
        self.twice("resend_mail", "sent", mail, {**mail, "since": "2026-11-22T08:00:00Z"})
        self.record("resend_mail", "unknown_name", {**mail, "name": "customer_complete_order"})
        self.record("mail_names", "told", {"order_id": order_id})
        parcel = {"order_id": order_id, "lines": {line_id: 1}, "tracking_number": "JJFI66100000000000002"}
        self.twice("create_fulfillment", "told", {"request": parcel})
        self.record("payment_link", "unpaid", {"order_id": unpaid})
        self.record("payment_link", "paid", {"order_id": order_id})

    def record_all(self, order_id: str, product_id: str, gone: str) -> None:
        self.twice("create_discount", "made", {"request": DISCOUNT})
        self.record("create_discount", "taken_by_another", {"request": {**DISCOUNT, "code": TAKEN}})
        self.twice("add_tag", "added", {"order_id": order_id, "tag": "kiitos"})
        self.twice("add_note", "added", {"order_id": order_id, "note": "Arvostelu pyydetty", "key": "run-1"})
        self.twice("publish_review", "held", {"request": {**REVIEW, "order_id": order_id, "product_id": product_id}})
        self.record("fetch_order", "delivered", {"order_id": order_id})
        self.record("fetch_order", "gone", {"order_id": gone})
        self.record_catching_up(order_id, product_id)

    def record_reviews(self, order_id: str, product_id: str) -> None:
        """Shown, changed and taken away. Last of all: what is recorded before keeps its numbers."""
        written = {**REVIEW, "order_id": order_id, "product_id": product_id}
        told = {"approved": True, "disclosure": "Kirjoittaja sai palkkion.", "verified": True, "again": True}
        platform_id = call_by_name(self.adapter, "publish_review", self.access, {"request": written})
        revised = {**written, **told, "rating": 4, "text": "Kestää pesun.", "answer": "Kiitos!"}
        self.twice("revise_review", "shown", {"platform_id": platform_id, "request": revised})
        self.twice("remove_review", "taken_away", {"platform_id": platform_id})
        fresh = {**written, **told, "text": "Kestää hyvin.", "key": "run-2"}
        self.twice("publish_review", "shown", {"request": fresh})

    def record_returns(self, order_id: str, line_id: str) -> None:
        """Opened; and of a line that was never sent, refused."""
        asked = {"key": "shop-1/case/7K3M9P2Q", "order_id": order_id, "lines": {line_id: 1}, "reason": "damaged"}
        asked |= {"requested_at": "2026-11-22T07:30:00Z", "note": "Kiitos case 7K3M9P2Q"}
        self.twice("open_return", "opened", {"request": asked})
        self.record("open_return", "not_sent", {"request": {**asked, "key": "x", "lines": {"424242": 1}}})

    def record_credit(self, fake: FakeShopify, customer_id: str) -> None:
        """Spent by an order, by a person, and by an order that was undone."""
        credit = next(iter(fake.credit_accounts.values()))["transactions"][0]["id"]
        undone = fake.place_order([(MUG, 1)], EERO, pay=False)
        pay_with_credit(fake, undone, "1.00")
        revert_credit(fake, undone)
        pay_with_credit(fake, fake.place_order([(MUG, 1)], EERO, pay=False), "2.00")
        asked = {"customer_id": customer_id, "currency": "EUR", "credits": [str(credit)]}
        self.record("credit_use", "told", {"request": {**asked, "since": "2026-11-22T08:00:00Z"}})

    def record_catching_up(self, order_id: str, product_id: str) -> None:
        """Lists and reads. What they do with a list's traps is tested in tests/platforms and tests/reconciliation."""
        window = {"since": "2026-11-22T00:00:00Z", "until": "2026-11-23T00:00:00Z"}
        for kind in ("order", "product"):
            self.record("list_changes", f"{kind}s", {"kind": kind, "since": "2026-11-22T07:50:00Z"})
        self.record("list_orders", "of_a_day", window)
        apart = [1] if isinstance(self.adapter, WooCommerce) else [0]  # what tells of one order of several
        self.record("read_changed", "order", {"kind": "order", "ids": [order_id]}, optional=apart)
        self.record("read_changed", "product", {"kind": "product", "ids": [product_id]})
        self.record("read_unlisted", "still_there", {"order_id": order_id})
        self.record("count_history", "orders", {"kind": "order", **window})
        target = {"url": "https://app.example/hooks/shop/kit-key", "secret": "kit-hook-secret"}
        self.record("check_webhooks", "none", {"target": target})
        if isinstance(self.adapter, WooCommerce):
            for kind in ("order", "product", "customer"):
                parcels = [1] if kind == "order" else []
                self.record("read_history", f"{kind}s", {"kind": kind, **window}, optional=parcels)


def shopify(root: Path) -> None:
    clock = ManualClock(START, seed=1)
    secrets = {"client_id": "id-1", "client_secret": "kit-secret"}
    with (
        FakeShopify(clock, "tuoksu-demo.myshopify.com", *secrets.values(), frozenset(SCOPES), unchecked=True) as fake,
        Taping(fake.url) as taping,
    ):
        row = fake.place_order([(MUG, 2)], EERO, attributes={"ref": "ystava"})
        fake.carrier_event(fake.fulfill(row), "delivered")
        shop = Shop(
            id="shop-1",
            client_id="client-1",
            platform="shopify",
            domain=fake.domain,
            name="Tuoksu",
            url="https://tuoksu.example",
        )
        access = Access(shop=shop, secrets=secrets, clock=clock, base_url=taping.url)
        session = Session(root, Shopify(), access, taping)
        # The first call takes the token, which belongs to no tape.
        call_by_name(
            session.adapter, "create_discount", access, {"request": {**DISCOUNT, "code": TAKEN, "title": "Sale"}}
        )
        order_id, product_id = str(row["id"]), str(row["line_items"][0]["product_id"])
        session.record_all(order_id, product_id, "987654321")
        customer_id = str(row["customer"]["id"])
        session.record_common(customer_id, order_id, str(EERO.email))
        session.record_shopify(customer_id, product_id, str(next(iter(fake.fulfillments))))
        session.record_reviews(order_id, product_id)
        session.record_returns(order_id, str(row["line_items"][0]["id"]))
        session.record_credit(fake, customer_id)


def woocommerce(root: Path) -> None:
    clock = ManualClock(START, seed=1)
    keys = ("ck_kit", "cs_kit")
    home = "https://kauppa.example.test"
    with FakeWoo(clock, home, *keys, "hook-secret") as fake, Taping(fake.url) as taping:
        order = fake.place_order([(MUG, 2)], EERO, account=True)
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
        order_id, line = str(order["id"]), order["line_items"][0]
        session.record_all(order_id, str(line["product_id"]), "987654")
        session.record_common(str(order["customer_id"]), order_id, str(EERO.email))
        unpaid = fake.place_order([(MUG, 1)], EERO, status="pending")
        fake.features.append("fulfillments")
        session.record_woocommerce(order_id, str(unpaid["id"]), str(line["id"]))
        session.record_reviews(order_id, str(line["product_id"]))


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/exchanges")
    shopify(where / "shopify")
    woocommerce(where / "woocommerce")
    print(f"{len(list(where.rglob('*.json')))} tapes below {where}")
