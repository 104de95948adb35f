"""Absent is not empty, on both platforms: only what a body says of tags is believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connector.contracts import Verified
from connector.model import Shop
from platforms.shopify.adapter import ShopifyAdapter
from platforms.woocommerce import WooCommerceAdapter

RECORDINGS = Path(__file__).parents[1] / "recordings"
SHOPIFY = (ShopifyAdapter(), "customers/update", "shopify/customers_update/no_personal_data")
WOO = (WooCommerceAdapter(), "customer.updated", "woocommerce/customer.updated/wholesale_with_locale")
Case = tuple[ShopifyAdapter | WooCommerceAdapter, str, str]


def tags(case: Case, changes: Mapping[str, Any], *absent: str) -> tuple[str, ...] | None:
    adapter, topic, name = case
    body = json.loads((RECORDINGS / name / "body.json").read_bytes()) | changes
    for key in absent:
        body.pop(key, None)
    shop = Shop(id="s", client_id="c", platform=adapter.name, domain="tuoksu-demo.myshopify.com", name="Tuoksu")
    events = adapter.normalise(Verified(topic=topic, dedup_key="d"), json.dumps(body).encode(), shop)
    (customer,) = {event.customer for event in events}
    assert customer is not None
    return customer.tags


@pytest.mark.parametrize(
    ("case", "changes", "absent", "wanted"),
    [
        (SHOPIFY, {}, "tags", None),
        (SHOPIFY, {"tags": None}, "", None),
        (SHOPIFY, {"tags": ""}, "", ()),
        (SHOPIFY, {"tags": "vip, b2b"}, "", ("vip", "b2b")),
        (WOO, {}, "role", None),
        (WOO, {"role": "customer"}, "", ()),
        (WOO, {}, "", ("wholesale_customer",)),
    ],
)
def test_what_is_known_of_tags(
    case: Case, changes: Mapping[str, Any], absent: str, wanted: tuple[str, ...] | None
) -> None:
    assert tags(case, changes, absent) == wanted
