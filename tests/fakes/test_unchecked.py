"""The demo's way without the schema gives the answers the real schema gives, for every operation of our client."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from connector.clock import ManualClock
from connector.testing.fakes.people import AINO, BEANS, MUG
from connector.testing.fakes.shopify import FakeShopify, FakeUnavailable
from connector.testing.fakes.shopify.state import gid
from connector.testing.fakes.shopify.unchecked import UncheckedEndpoint

OPERATIONS = Path(__file__).parents[2] / "platforms" / "shopify" / "operations"
SCOPES = ("read_orders", "write_orders", "read_customers", "read_products", "read_fulfillments", "write_discounts")


def request(name: str, **variables: object) -> bytes:
    query = (OPERATIONS / f"{name}.graphql").read_text(encoding="utf-8")
    return json.dumps({"query": query, "variables": variables}).encode()


def discount(code: str) -> dict[str, object]:
    return {
        "title": "Thanks",
        "code": code,
        "startsAt": "2026-11-02T08:00:00Z",
        "context": {"all": "ALL"},
        "customerGets": {"value": {"percentage": 0.1}, "items": {"all": True}},
        "usageLimit": 1,
        "appliesOncePerCustomer": True,
    }


def test_the_same_answers_as_with_the_schema() -> None:
    shop = FakeShopify(ManualClock(datetime(2026, 11, 2, 8, tzinfo=UTC)), "a.myshopify.com", "id", "hush", SCOPES)
    try:
        shop.start()
    except FakeUnavailable as missing:
        pytest.skip(str(missing))
    try:
        order = shop.place_order([(MUG, 2), (BEANS, 1)], AINO)
        parcel = shop.fulfill(order, [(order["line_items"][0], 2)])
        shop.carrier_event(parcel, "delivered")
        shop.refund(order, [(order["line_items"][0], 1)], Decimal("1.00"))
        checked, unchecked = shop._endpoint, UncheckedEndpoint(shop)
        assert checked is not None
        assert shop.checked
        for body in (
            request("discount_code_basic_create", discount=discount("ONE")),
            request("discount_by_code", code="ONE"),
            request("discount_by_code", code="NONE"),
            request("order", id=gid("Order", order["id"]), after=None),
            request("order", id=gid("Order", 1), after=None),
        ):
            wanted = checked.answer(body)[1]["data"]
            if b'"ONE"' in body and b"mutation" in body:  # the second time the code is taken
                assert wanted["discountCodeBasicCreate"]["userErrors"] == []
                wanted = checked.answer(body)[1]["data"]
            assert json.loads(json.dumps(unchecked.answer(body)[1]["data"])) == json.loads(json.dumps(wanted))
    finally:
        shop.stop()


def test_scopes_are_held_without_the_schema_too() -> None:
    shop = FakeShopify(ManualClock(datetime(2026, 11, 2, 8, tzinfo=UTC)), "a.myshopify.com", "id", "hush", ())
    answer = UncheckedEndpoint(shop).answer(request("discount_code_basic_create", discount=discount("ONE")))[1]
    assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert answer["data"] is None
