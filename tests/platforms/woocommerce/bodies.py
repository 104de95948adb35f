"""Bodies for the WooCommerce tests: recorded ones, changed in one place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from connector.contracts import Verified
from connector.model import Event, Order, Shop
from platforms.woocommerce import WooCommerceAdapter

RECORDED = Path(__file__).parents[2] / "recordings" / "woocommerce"
SHOP = Shop(
    id="s1",
    client_id="c",
    platform="woocommerce",
    domain="kauppa.example.test",
    name="Kauppa",
    url="https://kauppa.example.test",
    timezone="Europe/Helsinki",
)


def recorded(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((RECORDED / name / "body.json").read_bytes()))


def order_body(**changed: Any) -> dict[str, Any]:
    return {**recorded("order.created/guest_paid"), **changed}


def with_meta(*entries: tuple[str, Any], **changed: Any) -> dict[str, Any]:
    return order_body(meta_data=[{"id": 1, "key": key, "value": value} for key, value in entries], **changed)


def normalise(body: Any, topic: str = "order.updated", dedup_key: str = "d") -> list[Event]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(WooCommerceAdapter().normalise(Verified(topic=topic, dedup_key=dedup_key), raw, SHOP))


def order_of(body: dict[str, Any]) -> Order:
    order = normalise(body)[0].order
    assert order is not None
    return order


def kinds(events: list[Event]) -> set[str]:
    return {str(event.kind) for event in events}
