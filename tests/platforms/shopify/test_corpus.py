"""Every collected Shopify payload (official, captured, derived) is read, and means what its topic says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector import codec
from connector.contracts import Verified
from connector.errors import MalformedPayload
from connector.model import Event, Shop
from platforms.shopify.adapter import TOPICS, ShopifyAdapter

CORPUS = Path(__file__).parents[3].parent / "shared" / "data" / "shopify" / "webhooks"
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the collected payloads are not on this machine")

FILES = sorted(CORPUS.glob("*.json")) if CORPUS.exists() else []
SHOP = Shop(id="s", client_id="c", platform="shopify", domain="shop.myshopify.com", name="S", currency="USD")
ORDER = {"order.created", "order.updated"}
EXPECTED: dict[str, set[str]] = {
    "app/scopes_update": {"app.scopes_updated"},
    "app/uninstalled": {"app.uninstalled"},
    "bulk_operations/finish": set(),
    "checkouts/create": {"checkout.started", "checkout.updated"},
    "checkouts/delete": {"checkout.deleted"},
    "checkouts/update": {"checkout.started", "checkout.updated"},
    "customer.joined_segment": set(),
    "customer.tags_added": {"customer.tagged"},
    "customers/create": {"customer.created", "customer.updated"},
    "customers/data_request": {"compliance.data_requested"},
    "customers/delete": {"customer.deleted"},
    "customers/disable": {"customer.created", "customer.updated"},
    "customers/enable": {"customer.created", "customer.updated"},
    "customers/purchasing_summary": {"customer.updated"},
    "customers/redact": {"compliance.customer_redacted"},
    "customers/update": {"customer.created", "customer.updated"},
    "customers_email_marketing_consent/update": set(),  # by state, see below
    "customers_marketing_consent/update": {"consent.changed"},
    "customers_whats_app_marketing_consent/update": {"consent.changed"},
    "discounts/redeemcode_added": {"discount.added"},
    "fulfillment_events/create": set(),  # by status, see below
    "fulfillment_events/delete": {"shipment.updated"},
    "fulfillments/create": {"shipment.created", "shipment.updated"},
    "fulfillments/update": {"shipment.updated"},
    "order_transactions/create": set(),
    "orders/cancelled": ORDER | {"order.cancelled"},
    "orders/create": ORDER,
    "orders/delete": {"order.deleted"},
    "orders/fulfilled": ORDER,
    "orders/paid": ORDER,
    "orders/partially_fulfilled": ORDER,
    "orders/risk_assessment_changed": set(),
    "orders/updated": ORDER,
    "products/delete": {"product.deleted"},
    "products/update": {"product.updated"},
    "refunds/create": {"refund.created"},
    "returns/close": {"return.closed"},
    "returns/request": {"return.requested"},
    "shop/redact": {"compliance.shop_redacted"},
    "shop/update": {"shop.updated"},
    "subscription_contracts/create": set(),
}
CONSENT = {"subscribed": "consent.granted", "unsubscribed": "consent.withdrawn"}
CARRIER = {
    "delivered": "shipment.delivered",
    "failure": "shipment.failed",
    "in_transit": "shipment.in_transit",
    "out_for_delivery": "shipment.out_for_delivery",
    "label_printed": "shipment.updated",
}
WIPED = "example string"


def topic_of(path: Path) -> str:
    row = re.search(rf"^\| {re.escape(path.name)} \| (\S+) \|", (CORPUS / "index.md").read_text("utf-8"), re.MULTILINE)
    assert row, f"{path.name} is not in the index"
    return row[1]


def body_of(path: Path) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(path.read_bytes())
    return whole["body"] if "headers" in whole and "body" in whole else whole


def refilled(value: Any, key: str = "") -> Any:
    """A shape whose publisher overwrote every text: currencies and amounts get readable values again."""
    if isinstance(value, dict):
        return {name: refilled(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [refilled(item, key) for item in value]
    if value != WIPED:
        return value
    if "currency" in key:
        return "USD"
    return "1.00" if re.search(r"price|amount|discount|tax|total|subtotal|spent", key) else value


def normalise(topic: str, body: dict[str, Any]) -> list[Event]:
    verified = Verified(topic=topic, dedup_key="1", triggered_at=datetime(2026, 11, 22, tzinfo=UTC))
    return list(ShopifyAdapter().normalise(verified, json.dumps(body).encode(), SHOP))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_payload_means_what_its_topic_says(path: Path) -> None:
    topic, body = topic_of(path), refilled(body_of(path))
    events = normalise(topic, body)
    kinds = {str(event.kind) for event in events}
    expected = EXPECTED[topic]
    if topic == "customers_email_marketing_consent/update":
        expected = {CONSENT.get(body["email_marketing_consent"]["state"], "consent.changed")}
    if topic == "fulfillment_events/create":
        expected = {CARRIER[body["status"]]}
    assert expected <= kinds
    assert bool(kinds) == (topic in TOPICS)
    if body.get("cancelled_at"):
        assert "order.cancelled" in kinds
    if body.get("financial_status") == "paid" and topic in ("orders/create", "orders/paid"):
        assert "order.paid" in kinds
    assert [str(event.kind) for event in events].count("refund.created") == len(body.get("refunds") or ()) + (
        topic == "refunds/create"
    )
    assert len({event.key for event in events}) == len(events)
    for event in events:
        assert codec.decode(codec.encode(event), Event) == event


def test_a_wiped_shape_is_malformed_and_nothing_worse() -> None:
    wiped = [path for path in FILES if "gadget" in path.name and "orders" in path.name]
    assert wiped
    for path in wiped:
        with pytest.raises(MalformedPayload):
            normalise(topic_of(path), body_of(path))


def test_the_presentment_currency_is_the_orders() -> None:
    path = CORPUS / "orders_paid__captured-usd-eur-presentment.json"
    order = normalise("orders/paid", body_of(path))[0].order
    assert order is not None
    assert (order.currency, order.shop_currency, str(order.total.amount)) == ("EUR", "USD", "115.90")
    assert {line.unit_price.currency for line in order.lines} == {"EUR"}
    assert order.email != (order.customer.email if order.customer else None)
