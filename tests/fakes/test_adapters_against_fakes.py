"""The two built-in adapters and the two fakes agree: signatures hold, bodies are read, calls do what they say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.contracts import Access, DiscountRequest, Endpoint, Handshake, Inbound, ReviewRequest, Verified
from connector.errors import WebhookRejected
from connector.model import Event, EventKind, Shop
from connector.testing.fakes.people import AINO, BEANS, EERO, MUG, NO_EMAIL, YUKI
from connector.testing.fakes.shopify import CheckoutRefused, FakeShopify, FakeUnavailable
from connector.testing.fakes.woocommerce import FakeWoo
from platforms.shopify import Shopify
from platforms.woocommerce import WooCommerce

SCOPES = ("write_orders", "write_discounts", "read_customers", "read_products", "write_metaobjects")


def shop(platform: str, domain: str) -> Shop:
    return Shop(
        id="s1",
        client_id="c1",
        platform=platform,
        domain=domain,
        name="Keksitty",
        timezone="Europe/Helsinki",
        url=f"https://{domain}",
    )


SHOPIFY, WOO = shop("shopify", "keksi.myshopify.com"), shop("woocommerce", "kauppa.example.com")


@pytest.fixture
def shopify(clock: ManualClock) -> Iterator[FakeShopify]:
    fake = FakeShopify(clock, SHOPIFY.domain, "id", "hush", SCOPES)
    try:
        fake.start()
    except FakeUnavailable as missing:
        pytest.skip(str(missing))
    yield fake
    fake.stop()


@pytest.fixture
def woo(clock: ManualClock) -> Iterator[FakeWoo]:
    with FakeWoo(clock, f"https://{WOO.domain}", "ck", "cs", "whsec") as fake:
        yield fake


def read(adapter: Shopify | WooCommerce, of: Shop, secret: str, receiver: Any) -> list[Event]:
    """Verify and normalise everything received; pings are skipped."""
    endpoint = Endpoint(key="k", platform=of.platform, secrets=[secret.encode()], shop=of)
    events: list[Event] = []
    for request in receiver.requests:
        inbound = Inbound({name: [value] for name, value in request.headers.items()}, request.body)
        verified = adapter.verify(inbound, endpoint)
        if isinstance(verified, Handshake):
            continue
        assert isinstance(verified, Verified)
        assert verified.quarantine == ""
        events += adapter.normalise(verified, request.body, of)
    return events


def test_shopify_deliveries_are_verified_and_read(clock: ManualClock, receiver: Any) -> None:
    fake = FakeShopify(clock, SHOPIFY.domain, "id", "hush", SCOPES, graphql=False)
    order = fake.place_order([(MUG, 2), (BEANS, 1)], YUKI, presentment="JPY", rate=Decimal("163.2"))
    parcel = fake.fulfill(order)
    fake.carrier_event(parcel, "delivered")
    fake.refund(order, [(order["line_items"][0], 1)])
    fake.set_consent(fake.create_customer(EERO), "unsubscribed")
    fake.cancel(fake.place_order([(MUG, 1)], NO_EMAIL))
    fake.redact_customer(next(iter(fake.customers.values())))
    fake.uninstall()
    fake.deliver(receiver.url)
    kinds = {event.kind for event in read(Shopify(), SHOPIFY, "hush", receiver)}
    assert {
        EventKind.ORDER_CREATED,
        EventKind.ORDER_PAID,
        EventKind.ORDER_CANCELLED,
        EventKind.CUSTOMER_REDACTED,
        EventKind.APP_UNINSTALLED,
    } <= kinds
    with pytest.raises(WebhookRejected):
        read(Shopify(), SHOPIFY, "another", receiver)


def test_woocommerce_deliveries_are_verified_and_read(woo: FakeWoo, receiver: Any) -> None:
    woo.connect(receiver.url)
    order = woo.place_order([(MUG, 2)], AINO, account=True)
    woo.deliver()
    woo.add_tracking(order, "JJFI1")
    woo.set_status(order, "completed")
    woo.deliver()
    woo.refund(order, "12.50")
    woo.trash(woo.place_order([(BEANS, 1)], NO_EMAIL))
    woo.trash_page()
    woo.deliver()
    kinds = {event.kind for event in read(WooCommerce(), WOO, "whsec", receiver)}
    assert {EventKind.ORDER_CREATED, EventKind.ORDER_PAID} <= kinds
    with pytest.raises(WebhookRejected):
        read(WooCommerce(), WOO, "another", receiver)


def test_a_staging_clone_is_quarantined(woo: FakeWoo, receiver: Any) -> None:
    woo.connect(receiver.url)
    receiver.requests.clear()
    woo.place_order([(MUG, 1)], AINO)
    woo.deliver(source="https://staging.example.com/")
    endpoint = Endpoint(key="k", platform="woocommerce", secrets=[b"whsec"], shop=WOO)
    for delivery in receiver.requests:
        inbound = Inbound({name: [value] for name, value in delivery.headers.items()}, delivery.body)
        verified = WooCommerce().verify(inbound, endpoint)
        assert isinstance(verified, Verified)
        assert "staging.example.com" in verified.quarantine
    assert len(receiver.requests) == 3


def access(of: Shop, clock: ManualClock, url: str, **secrets: str) -> Access:
    return Access(shop=of, secrets=secrets, clock=clock, base_url=url)


def request(clock: ManualClock, **changes: Any) -> DiscountRequest:
    values: dict[str, Any] = {"code": "KIITOS-ABC", "title": "Kiitos", "percent": Decimal(10), **changes}
    return DiscountRequest(starts_at=clock.now(), ends_at=clock.now() + timedelta(days=30), **values)


def act(adapter: Any, to: Access, order: dict[str, Any], clock: ManualClock) -> None:
    """Everything twice: the second time must change nothing."""
    review = ReviewRequest(
        key="review-1",
        order_id=str(order["id"]),
        product_id=str(order["line_items"][0]["product_id"]),
        rating=5,
        title="Hyvä",
        text="Hyvä muki ☕",
        author_name="雪",
        author_email="yuki@example.test",
        at=clock.now(),
    )
    assert [adapter.create_discount(to, request(clock)).adopted for _ in range(2)] == [False, True]
    for _ in range(2):
        adapter.add_tag(to, str(order["id"]), "kiitos")
        adapter.add_note(to, str(order["id"]), "Arvostelu saatu", key="note-1")
    assert adapter.publish_review(to, review) == adapter.publish_review(to, review)
    assert adapter.fetch_order(to, str(order["id"]))


def test_shopify_calls(shopify: FakeShopify, clock: ManualClock) -> None:
    order = shopify.place_order([(MUG, 2), (BEANS, 1)], YUKI)
    shopify.carrier_event(shopify.fulfill(order), "in_transit")
    act(Shopify(), access(SHOPIFY, clock, shopify.url, client_id="id", client_secret="hush"), order, clock)
    assert order["tags"] == "kiitos"
    assert order["note"].count("Arvostelu saatu") == 1
    assert len(shopify.metaobjects) == 1
    shopify.place_order([(MUG, 1)], AINO, discount_code="KIITOS-ABC")
    with pytest.raises(CheckoutRefused):
        shopify.place_order([(MUG, 1)], EERO, discount_code="KIITOS-ABC")
    assert shopify.gaps == []


def test_woocommerce_calls(woo: FakeWoo, clock: ManualClock) -> None:
    order = woo.place_order([(MUG, 2)], YUKI)
    act(WooCommerce(), access(WOO, clock, woo.url, consumer_key="ck", consumer_secret="cs"), order, clock)
    assert [note["note"] for note in woo.notes[order["id"]] if "Arvostelu saatu" in note["note"]]
    assert [review["status"] for review in woo.reviews.values()] == ["hold"]
    row = next(iter(woo.coupons.values()))
    assert row["date_expires_gmt"] is not None
    woo.place_order([(MUG, 1)], AINO, coupon="KIITOS-ABC")
    with pytest.raises(CheckoutRefused):
        woo.place_order([(MUG, 1)], EERO, coupon="KIITOS-ABC")
    assert woo.gaps == []
