"""The fake Shopify's deliveries: full payloads, independent signatures, retries, knobs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.testing.fakes.people import AINO, BEANS, EBOOK, EERO, MUG, NO_EMAIL, SHIRT, YUKI
from connector.testing.fakes.shopify import CheckoutRefused, FakeShopify
from connector.testing.fakes.shopify.state import Discount

Json = dict[str, Any]


@pytest.fixture
def shop(clock: ManualClock) -> Iterator[FakeShopify]:
    with FakeShopify(clock, "keksi.myshopify.com", "client", "hush", (), graphql=False) as running:
        yield running


def topics(shop: FakeShopify) -> list[str]:
    found = [delivery.topic for delivery in shop.outbox.pending]
    shop.outbox.pending.clear()
    return found


def week(shop: FakeShopify) -> dict[str, list[Json]]:
    """One of everything; the bodies by topic."""
    order = shop.place_order([(MUG, 2), (BEANS, 1)], AINO, attributes={"ref": "abc"}, note="Oven eteen")
    parcel = shop.fulfill(order, [(order["line_items"][0], 2)])
    shop.carrier_event(parcel, "delivered")
    shop.fulfill(order, tracking=None)
    shop.refund(order, [(order["line_items"][0], 1)])
    shop.cancel(shop.place_order([(SHIRT, 1)], YUKI, presentment="JPY", rate=Decimal("163.2")))
    shop.set_consent(shop.create_customer(EERO), "unsubscribed")
    shop.request_data(shop.customers[order["customer"]["id"]])
    shop.redact_customer(shop.customers[order["customer"]["id"]])
    shop.redact_shop()
    shop.uninstall()
    found: dict[str, list[Json]] = {}
    for delivery in shop.outbox.pending:
        found.setdefault(delivery.topic, []).append(json.loads(delivery.body))
    return found


SAMPLES = {
    "orders/create": "orders_create",
    "orders/paid": "orders_paid",
    "orders/cancelled": "orders_cancelled",
    "orders/fulfilled": "orders_fulfilled",
    "orders/partially_fulfilled": "orders_partially_fulfilled",
    "fulfillments/create": "fulfillments_create",
    "fulfillments/update": "fulfillments_update",
    "refunds/create": "refunds_create",
    "customers/create": "customers_create",
    "customers_email_marketing_consent/update": "customers_email_marketing_consent_update",
    "customers/data_request": "customers_data_request",
    "customers/redact": "customers_redact",
    "shop/redact": "shop_redact",
    "app/uninstalled": "app_uninstalled",
}
ADDED_IN_2026_10 = {"selling_plan_id"}
LISTS = ("line_items", "shipping_lines", "refund_line_items", "transactions")


@pytest.mark.parametrize(("topic", "stem"), SAMPLES.items())
def test_payloads_have_the_keys_of_shopifys_examples(shop: FakeShopify, shared: Path, topic: str, stem: str) -> None:
    sample = json.loads((shared / "shopify" / "webhooks" / f"{stem}__shopify-docs-2026-07.json").read_text())
    for body in week(shop)[topic]:
        assert set(body) == set(sample)
        for name in LISTS:
            for row in body.get(name) or []:
                if sample.get(name):
                    assert set(row) - ADDED_IN_2026_10 == set(sample[name][0]), name
        for entry in body.get("refund_line_items", []):
            assert set(entry["line_item"]) == set(sample["refund_line_items"][0]["line_item"])


def test_event_payload_has_the_keys_of_the_example(shop: FakeShopify, shared: Path) -> None:
    name = "fulfillment_events_create__shopify-docs-2026-07.json"
    sample = json.loads((shared / "shopify" / "webhooks" / name).read_text())
    assert [set(body) for body in week(shop)["fulfillment_events/create"]] == [set(sample)]


def test_nested_customer_and_addresses_have_the_keys_of_the_example(shop: FakeShopify, shared: Path) -> None:
    name = "orders_create__shopify-docs-2026-07.json"
    sample = json.loads((shared / "shopify" / "webhooks" / name).read_text())
    order = week(shop)["orders/create"][0]
    for key in ("customer", "billing_address", "shipping_address"):
        assert set(order[key]) == set(sample[key])
    assert set(order["customer"]["default_address"]) == set(sample["customer"]["default_address"])


def test_signature_headers_and_bytes(shop: FakeShopify, receiver: Any) -> None:
    shop.place_order([(MUG, 1)], AINO)
    shop.deliver(receiver.url)
    for request in receiver.requests:
        given = request.headers["x-shopify-hmac-sha256"]
        assert given == base64.b64encode(hmac.new(b"hush", request.body, hashlib.sha256).digest()).decode()
        assert given != base64.b64encode(hmac.new(b"other", request.body, hashlib.sha256).digest()).decode()
        assert re.fullmatch(r"2026-11-23T08:00:00\.\d{9}Z", request.headers["x-shopify-triggered-at"])
        assert request.headers["x-shopify-shop-domain"] == "keksi.myshopify.com"
        assert request.headers["x-shopify-api-version"] == "2026-10"
    assert b"gid:\\/\\/shopify\\/Order" in receiver.requests[1].body
    assert "Äiti \\u0026 Isä".encode() in receiver.requests[1].body


def test_one_action_shares_an_event_id_and_each_delivery_has_its_own(shop: FakeShopify, receiver: Any) -> None:
    shop.place_order([(MUG, 1)], NO_EMAIL)
    shop.deliver(receiver.url)
    assert receiver.header("x-shopify-topic") == ["orders/create", "orders/paid", "orders/updated"]
    assert len(set(receiver.header("x-shopify-event-id"))) == 1
    assert len(set(receiver.header("x-shopify-webhook-id"))) == 3


def test_what_each_action_announces(shop: FakeShopify) -> None:
    order = shop.place_order([(MUG, 2), (BEANS, 1)], EERO, pay=False)
    assert topics(shop) == ["customers/create", "customers_email_marketing_consent/update", "orders/create"]
    shop.pay(order)
    assert topics(shop) == ["orders/paid", "orders/updated"]
    parcel = shop.fulfill(order, [(order["line_items"][0], 2)])
    assert topics(shop) == ["fulfillments/create", "orders/partially_fulfilled", "orders/updated"]
    shop.fulfill(order)
    assert topics(shop) == ["fulfillments/create", "orders/fulfilled", "orders/updated"]
    shop.carrier_event(parcel, "delivered")
    assert topics(shop) == ["fulfillment_events/create", "fulfillments/update"]
    shop.refund(order, amount="5.00")
    assert topics(shop) == ["refunds/create", "orders/updated"]
    shop.cancel(order)
    assert topics(shop) == ["refunds/create", "orders/updated", "orders/cancelled", "orders/updated"]
    shop.delete_order(order)
    assert topics(shop) == ["orders/delete"]


def test_money_adds_up_and_yen_has_no_decimals(shop: FakeShopify) -> None:
    order = shop.place_order([(MUG, 2), (BEANS, 1)], YUKI, presentment="JPY", rate=Decimal("163.2"))
    assert (order["subtotal_price"], order["total_price"]) == ("32.33", "37.23")
    assert order["total_price_set"]["presentment_money"] == {"amount": "6076", "currency_code": "JPY"}
    refund = shop.refund(order, [(order["line_items"][0], 1)])
    assert refund["refund_line_items"][0]["subtotal"] == 12.5
    assert (order["current_total_price"], order["financial_status"]) == ("24.73", "partially_refunded")
    shop.refund(order, amount=order["current_total_price"])
    assert (order["current_total_price"], order["financial_status"]) == ("0.00", "refunded")


def test_a_guest_without_email_and_a_digital_order(shop: FakeShopify) -> None:
    order = shop.place_order([(EBOOK, 1)], NO_EMAIL)
    assert (order["email"], order["contact_email"], order["customer"]) == ("", None, None)
    assert (order["shipping_address"], order["shipping_lines"]) == (None, [])


def test_payload_is_that_of_the_moment_and_kept_for_retries(
    shop: FakeShopify, receiver: Any, clock: ManualClock
) -> None:
    receiver.statuses = [500, 500, 500]
    order = shop.place_order([(MUG, 1)], NO_EMAIL)
    shop.deliver(receiver.url)
    shop.edit_order(order, note="myöhemmin")
    clock.advance(timedelta(seconds=9))
    shop.deliver(receiver.url, hold=["orders/updated"])
    assert len(receiver.requests) == 3
    clock.advance(timedelta(seconds=1))
    shop.deliver(receiver.url)
    first, again = receiver.requests[0], receiver.requests[3]
    assert (first.body, first.headers["x-shopify-webhook-id"]) == (again.body, again.headers["x-shopify-webhook-id"])
    assert json.loads(receiver.requests[-1].body)["note"] == "myöhemmin"


def test_gives_up_after_eight_retries_in_four_hours(shop: FakeShopify, receiver: Any, clock: ManualClock) -> None:
    receiver.always = 503
    shop.redact_shop()
    started = clock.now()
    while shop.outbox.pending:
        clock.set(shop.outbox.pending[0].next_at)
        shop.deliver(receiver.url)
    assert len(receiver.requests) == 9
    assert clock.now() - started == timedelta(hours=4)
    assert [d.statuses for d in shop.outbox.dead] == [[503] * 9]


def test_duplicate_and_out_of_order_and_hold(shop: FakeShopify, receiver: Any) -> None:
    shop.place_order([(MUG, 1)], NO_EMAIL)
    shop.deliver(receiver.url, duplicate=["orders/paid"], out_of_order=True, hold=["orders/create"])
    assert receiver.header("x-shopify-topic") == ["orders/updated", "orders/paid", "orders/paid"]
    assert len(set(receiver.header("x-shopify-webhook-id"))) == 2
    assert [d.topic for d in shop.outbox.pending] == ["orders/create"]
    shop.deliver(receiver.url)
    assert receiver.header("x-shopify-topic")[-1] == "orders/create"


def discount(shop: FakeShopify, **changes: Any) -> Discount:
    now = shop.clock.now()
    values: Json = {"id": 1, "code": "YSTÄVÄ-1", "title": "t", "starts_at": now, "created_at": now, "updated_at": now}
    made = Discount(**{**values, "percentage": Decimal("0.2"), "usage_limit": 1, **changes})
    shop.discounts[made.id] = made
    return made


def test_the_checkout_takes_a_code_once(shop: FakeShopify) -> None:
    made = discount(shop)
    order = shop.place_order([(MUG, 2), (BEANS, 1)], AINO, discount_code="ystävä-1")
    assert order["discount_codes"] == [{"code": "YSTÄVÄ-1", "amount": "6.47", "type": "percentage"}]
    shares = [Decimal(a["amount"]) for line in order["line_items"] for a in line["discount_allocations"]]
    assert sum(shares) == Decimal("6.47")
    assert len(made.used_by) == 1
    with pytest.raises(CheckoutRefused) as refused:
        shop.place_order([(MUG, 1)], EERO, discount_code="YSTÄVÄ-1")
    assert refused.value.reason == "used_up"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"code": "MUU"}, "unknown_code"),
        ({"ends_at": "now"}, "expired"),
        ({"starts_at": "later"}, "expired"),
        ({"customer_ids": frozenset({7})}, "not_yours"),
        ({"minimum": Decimal(100)}, "minimum"),
    ],
)
def test_the_checkout_refuses_a_code(shop: FakeShopify, changes: Json, reason: str) -> None:
    times = {"now": shop.clock.now(), "later": shop.clock.now() + timedelta(days=1)}
    discount(
        shop, **{key: times.get(value, value) if isinstance(value, str) else value for key, value in changes.items()}
    )
    with pytest.raises(CheckoutRefused) as refused:
        shop.place_order([(MUG, 1)], AINO, discount_code="YSTÄVÄ-1")
    assert refused.value.reason == reason
    assert shop.orders == {}


def test_once_per_customer(shop: FakeShopify) -> None:
    discount(shop, usage_limit=None, once_per_customer=True)
    shop.place_order([(MUG, 1)], AINO, discount_code="YSTÄVÄ-1")
    with pytest.raises(CheckoutRefused) as refused:
        shop.place_order([(MUG, 1)], AINO, discount_code="YSTÄVÄ-1")
    assert refused.value.reason == "once"
    assert shop.place_order([(MUG, 1)], EERO, discount_code="YSTÄVÄ-1")["discount_codes"]
