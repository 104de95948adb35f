"""Whether a product can be had, as each platform tells it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from connector.model import Shop
from platforms.shopify import shop_topics
from platforms.shopify.payloads import shop as raw
from platforms.woocommerce.events import product_events
from platforms.woocommerce.payloads import ProductBody

NOW = datetime(2026, 11, 2, tzinfo=UTC)
SHOP = Shop(id="s", client_id="c", platform="shopify", domain="a.example", name="A")


def variant(quantity: object, policy: str = "deny", **more: Any) -> dict[str, Any]:
    return {"inventory_quantity": quantity, "inventory_policy": policy, **more}


@pytest.mark.parametrize(
    ("variants", "in_stock"),
    [
        ([variant(3)], True),
        ([variant(0)], False),
        ([variant(-2)], False),
        ([variant(0), variant(1)], True),
        ([variant(0, "continue")], True),
        ([variant(0, inventory_management=None)], True),
        ([variant(None)], None),
        ([variant("3")], None),
        ([], None),
        (None, None),
    ],
)
def test_shopify(variants: list[dict[str, Any]] | None, in_stock: bool | None) -> None:
    payload = msgspec.convert({"id": 1, "title": "Mug", "variants": variants}, raw.Product)
    product = shop_topics.product_event(payload, "products/update", NOW, SHOP).product
    assert product is not None
    assert product.in_stock is in_stock


@pytest.mark.parametrize(
    ("status", "in_stock"), [("instock", True), ("onbackorder", True), ("outofstock", False), (None, None)]
)
def test_woocommerce(status: str | None, in_stock: bool | None) -> None:
    (event,) = product_events(msgspec.convert({"id": 1, "name": "Mug", "stock_status": status}, ProductBody))
    assert event.product is not None
    assert event.product.in_stock is in_stock
