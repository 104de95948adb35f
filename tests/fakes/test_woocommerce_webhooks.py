"""The fake WooCommerce's webhooks keep the measured habits (../shared/facts/woocommerce.md §0 and §1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.testing.fakes.people import AINO, BEANS, EBOOK, EERO, LAYLA, MUG, NO_EMAIL
from connector.testing.fakes.woocommerce import CheckoutRefused, FakeWoo

Json = dict[str, Any]
SECRET = "whsec &amp; ü"


@pytest.fixture
def woo(clock: ManualClock) -> Iterator[FakeWoo]:
    with FakeWoo(clock, "https://kauppa.example.com", "ck_1", "cs_1", SECRET) as running:
        yield running


@pytest.fixture
def connected(woo: FakeWoo, receiver: Any) -> FakeWoo:
    woo.connect(receiver.url)
    receiver.requests.clear()
    return woo


def topics(receiver: Any) -> list[str | None]:
    found: list[str | None] = receiver.header("x-wc-webhook-topic")
    receiver.requests.clear()
    return found


def test_the_ping_is_unsigned_and_form_encoded(woo: FakeWoo, receiver: Any) -> None:
    woo.create_webhooks(receiver.url, SECRET, ["order.created"])
    ping = receiver.requests[0]
    assert (ping.body, ping.headers["content-type"]) == (b"webhook_id=1", "application/x-www-form-urlencoded")
    assert [name for name in ping.headers if name.startswith("x-wc")] == []
    assert len(receiver.requests) == 1


def test_only_200_ends_the_pinging(woo: FakeWoo, receiver: Any) -> None:
    receiver.statuses = [204, 200, 204, 200, 200]
    woo.create_webhooks(receiver.url, SECRET, ["order.created"])
    for _ in range(3):
        woo.place_order([(EBOOK, 1)], AINO)
        woo.deliver()
    kinds = ["ping" if request.body.startswith(b"webhook_id") else "delivery" for request in receiver.requests]
    assert kinds == ["ping", "delivery", "ping", "delivery", "ping", "delivery"]


def test_signature_headers_and_bytes(connected: FakeWoo, receiver: Any) -> None:
    connected.place_order([(MUG, 1)], LAYLA)
    connected.deliver()
    request = receiver.requests[0]
    right = hmac.new("whsec & ü".encode(), request.body, hashlib.sha256).digest()
    raw = hmac.new(SECRET.encode(), request.body, hashlib.sha256).digest()
    assert request.headers["x-wc-webhook-signature"] == base64.b64encode(right).decode()
    assert request.headers["x-wc-webhook-signature"] != base64.b64encode(raw).decode()
    assert request.body.isascii()
    assert b"\\u0644\\u064a\\u0644\\u0649" in request.body
    assert b"https:\\/\\/kauppa.example.com" in request.body
    assert request.headers["x-wc-webhook-source"] == "https://kauppa.example.com/"
    assert request.headers["x-wc-webhook-resource"] == "order"
    assert request.headers["user-agent"].startswith("WooCommerce/11.0.1 Hookshot")
    assert len(request.headers["x-wc-webhook-delivery-id"]) == 32


def test_block_checkout_updates_before_it_creates_with_the_same_bytes(connected: FakeWoo, receiver: Any) -> None:
    connected.place_order([(EBOOK, 1)], AINO)
    connected.deliver()
    assert len({request.body for request in receiver.requests}) == 1
    assert topics(receiver) == ["order.updated", "order.created"]
    connected.place_order([(MUG, 1)], AINO, checkout="rest")
    connected.deliver()
    assert topics(receiver) == ["order.created", "order.updated", "product.updated"]


def test_updates_collapse_and_the_payload_is_made_when_sent(connected: FakeWoo, receiver: Any) -> None:
    order = connected.place_order([(EBOOK, 1)], AINO, status="pending")
    connected.deliver()
    receiver.requests.clear()
    for status in ("on-hold", "processing", "completed"):
        connected.set_status(order, status)
    connected.deliver()
    assert [json.loads(request.body)["status"] for request in receiver.requests] == ["completed"]
    connected.create_customer(AINO)
    connected.update_customer(next(iter(connected.customers.values())), first_name="Uusi")
    receiver.requests.clear()
    connected.deliver()
    assert topics(receiver) == ["customer.created", "customer.updated"]
    assert json.loads(connected.queue.sent[-2].body)["first_name"] == "Uusi"


def test_delivery_ids_repeat_within_a_second(connected: FakeWoo, receiver: Any, clock: ManualClock) -> None:
    for _ in range(2):
        connected.place_order([(EBOOK, 1)], AINO)
    connected.deliver()
    ids = {(s.hook_id, s.delivery_id) for s in connected.queue.sent}
    assert (len(connected.queue.sent), len(ids)) == (4, 2)
    clock.advance(timedelta(seconds=1))
    connected.place_order([(EBOOK, 1)], AINO)
    connected.deliver()
    assert len({(s.hook_id, s.delivery_id) for s in connected.queue.sent}) == 4


def test_nothing_is_retried(connected: FakeWoo, receiver: Any) -> None:
    receiver.statuses = [500]
    connected.place_order([(EBOOK, 1)], AINO)
    connected.deliver()
    assert connected.queue.pending == []
    assert connected.deliver() == []
    assert len(receiver.requests) == 2


def test_lost_on_the_way(connected: FakeWoo, receiver: Any) -> None:
    connected.place_order([(EBOOK, 1)], AINO)
    sent = connected.deliver(lose=["order.created"])
    assert [(s.topic, s.status) for s in sent] == [("order.updated", 200), ("order.created", None)]
    assert topics(receiver) == ["order.updated"]


def test_the_seventh_failure_disables_and_enabling_does_not_forgive(woo: FakeWoo, receiver: Any) -> None:
    hook = woo.create_webhooks(receiver.url, SECRET, ["order.updated"])[0]
    order = woo.place_order([(EBOOK, 1)], AINO)
    receiver.always = 500
    states = []
    for _ in range(8):
        woo.set_status(order, "processing")
        woo.deliver()
        states.append((hook.failures, hook.status))
    assert states[:6] == [(n, "active") for n in range(1, 7)]
    assert states[6:] == [(6, "disabled")] * 2
    hook.status = "active"
    woo.set_status(order, "processing")
    woo.deliver()
    assert hook.status == "disabled"
    hook.status, receiver.always = "active", 302
    woo.set_status(order, "processing")
    woo.deliver()
    assert (hook.failures, hook.status) == (0, "active")


def test_deleted_bodies_and_the_page_in_the_bin(connected: FakeWoo, receiver: Any) -> None:
    order = connected.place_order([(EBOOK, 1)], AINO)
    connected.queue.pending.clear()
    connected.trash(order)
    page = connected.trash_page()
    connected.deliver()
    assert [(s.topic, json.loads(s.body)) for s in connected.queue.sent] == [
        ("order.deleted", {"id": order["id"]}),
        ("product.deleted", {"id": page}),
    ]


def test_a_vanished_order_is_a_signed_error_body(connected: FakeWoo, receiver: Any, shared: Path) -> None:
    order = connected.place_order([(EBOOK, 1)], AINO, status="pending")
    connected.delete_permanently(order)
    connected.deliver()
    captured = next((shared / "woocommerce" / "webhooks").glob("0155_*.body"), None)
    expected = {"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 404}}
    assert json.loads(receiver.requests[0].body) == expected
    assert captured is None or json.loads(captured.read_bytes()) == expected
    assert receiver.requests[0].headers["x-wc-webhook-topic"] == "order.updated"


def test_a_demoted_owner_sends_signed_refusals(connected: FakeWoo, receiver: Any, shared: Path) -> None:
    for hook in connected.queue.hooks.values():
        hook.demoted = True
    connected.place_order([(EBOOK, 1)], AINO)
    connected.deliver()
    captured = (shared / "woocommerce" / "webhooks" / "0373_order.updated.body").read_bytes()
    assert receiver.requests[0].body == captured


def test_a_staging_clone_differs_only_in_its_source(connected: FakeWoo, receiver: Any) -> None:
    connected.place_order([(EBOOK, 1)], AINO)
    connected.deliver(source="https://staging.example.com/")
    assert set(receiver.header("x-wc-webhook-source")) == {"https://staging.example.com/"}


def test_what_says_nothing(connected: FakeWoo, receiver: Any) -> None:
    order = connected.place_order([(EBOOK, 1)], AINO)
    connected.deliver()
    receiver.requests.clear()
    connected.add_note(order["id"], "vain meille")
    connected.add_tracking(order, "JJFI1", silent=True)
    connected.delete_permanently(order)
    connected.deliver()
    assert topics(receiver) == []


def test_action_topics_carry_one_argument(woo: FakeWoo, receiver: Any) -> None:
    woo.create_webhooks(
        receiver.url, SECRET, ["action.woocommerce_order_status_changed", "action.woocommerce_new_customer_note"]
    )
    receiver.requests.clear()
    order = woo.place_order([(EBOOK, 1)], AINO)
    woo.add_note(order["id"], "Hei!", customer=True)
    woo.deliver()
    assert [json.loads(request.body) for request in receiver.requests] == [
        {"action": "woocommerce_order_status_changed", "arg": order["id"]},
        {"action": "woocommerce_new_customer_note", "arg": {"order_id": order["id"], "customer_note": "Hei!"}},
    ]


def test_body_has_the_keys_of_the_captured_one(connected: FakeWoo, receiver: Any, shared: Path) -> None:
    connected.place_order([(MUG, 2), (BEANS, 1)], AINO, meta={"_wc_order_attribution_utm_source": "kiitos"})
    connected.deliver()
    captured = json.loads((shared / "woocommerce" / "webhooks" / "0167_order.updated.body").read_bytes())
    body = json.loads(receiver.requests[0].body)
    assert list(body) == list(captured)
    for name in ("billing", "shipping", "_links"):
        assert list(body[name]) == list(captured[name])
    for name in ("line_items", "tax_lines", "shipping_lines", "meta_data"):
        assert list(body[name][0]) == list(captured[name][0]), name
    for key, value in captured.items():
        assert body[key] is None or value is None or type(body[key]) is type(value), key


def test_money_adds_up(woo: FakeWoo) -> None:
    order = woo.place_order([(MUG, 2), (BEANS, 1)], NO_EMAIL)
    assert (order["total"], order["shipping_total"], order["shipping_tax"]) == ("38.48", "4.90", "1.25")
    assert order["billing"]["email"] == ""
    lines = order["line_items"]
    assert sum(Decimal(line["total"]) + Decimal(line["total_tax"]) for line in lines) == Decimal("32.33")
    woo.refund(order, lines=[(lines[0], 1)], reason="Särkynyt")
    assert order["refunds"][0]["total"] == "-12.50"
    assert (order["status"], order["total"]) == ("processing", "38.48")
    woo.refund(order)
    assert order["status"] == "refunded"
    assert [entry["total"] for entry in order["refunds"]] == ["-25.98", "-12.50"]


def coupon(woo: FakeWoo, **changes: Any) -> Json:
    from connector.testing.fakes.woocommerce import coupons

    coupons.create(woo, {"code": "YSTÄVÄ-1", "amount": "20", "discount_type": "percent", **changes})
    return next(iter(woo.coupons.values()))


def test_a_coupon_is_used_once_and_given_back(woo: FakeWoo) -> None:
    row = coupon(woo, usage_limit=1)
    order = woo.place_order([(MUG, 2)], AINO, coupon="ystävä-1")
    assert order["coupon_lines"][0]["code"] == "ystävä-1"
    assert Decimal(order["discount_total"]) + Decimal(order["discount_tax"]) == Decimal("5.00")
    with pytest.raises(CheckoutRefused) as refused:
        woo.place_order([(MUG, 1)], EERO, coupon="YSTÄVÄ-1")
    assert (refused.value.reason, row["usage_count"]) == ("used_up", 1)
    woo.set_status(order, "cancelled")
    assert (row["usage_count"], row["used_by"]) == (0, [])
    assert woo.place_order([(MUG, 1)], EERO, coupon="YSTÄVÄ-1")["coupon_lines"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"code": "muu"}, "unknown_code"),
        ({"date_expires": "2026-11-23T09:59:59"}, "expired"),
        ({"email_restrictions": ["eero@example.test"]}, "not_yours"),
        ({"minimum_amount": "100"}, "minimum"),
    ],
)
def test_the_checkout_refuses_a_coupon(woo: FakeWoo, changes: Json, reason: str) -> None:
    coupon(woo, **changes)
    with pytest.raises(CheckoutRefused) as refused:
        woo.place_order([(MUG, 1)], AINO, coupon="ystävä-1")
    assert refused.value.reason == reason
    assert woo.orders == {}


def test_restrictions_take_patterns_and_dates_are_local(woo: FakeWoo) -> None:
    coupon(woo, email_restrictions=["*@example.test"], date_expires="2026-11-23T10:00:01")
    assert woo.place_order([(MUG, 1)], AINO, coupon="ystävä-1")["coupon_lines"]
