"""The client against a shop that executes GraphQL by the real schema, and the fetched order against its webhook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from connector.clock import ManualClock
from connector.contracts import Access, DiscountRequest, ReviewRequest, Verified
from connector.errors import Refused
from connector.model import Event, Order, Shop
from platforms.shopify import Shopify

from .conftest import DOMAIN

fakes = pytest.importorskip("connector.testing.fakes.shopify")
people = pytest.importorskip("connector.testing.fakes.people")

SCOPES = frozenset(
    {
        "read_orders",
        "write_orders",
        "read_all_orders",
        "read_customers",
        "read_products",
        "read_fulfillments",
        "read_discounts",
        "write_discounts",
        "read_metaobjects",
        "write_metaobjects",
    }
)
MUG = people.Article(title="Muki ”Kiitos”", price=Decimal("24.90"), sku="M-1")


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[fakes.FakeShopify]:
    shop = fakes.FakeShopify(clock, DOMAIN, "id-1", "secret-1", SCOPES)
    try:
        shop.start()
    except fakes.FakeUnavailable as error:
        pytest.skip(str(error))
    yield shop
    shop.stop()


@pytest.fixture
def live(fake: fakes.FakeShopify, granted: Access) -> Access:
    return replace(granted, base_url=fake.url)


def webhook(fake: fakes.FakeShopify, order: dict[str, object], shop: Shop) -> list[Event]:
    from connector.testing.fakes.shopify.deliveries import body_of

    return list(Shopify().normalise(Verified(topic="orders/updated", dedup_key="1"), body_of(order), shop))


def test_a_fetched_order_is_the_order_of_its_webhook(
    fake: fakes.FakeShopify, shopify: Shopify, live: Access, clock: ManualClock
) -> None:
    row = fake.place_order([(MUG, 2)], people.AINO, attributes={"ref": "ystava"})
    parcel = fake.fulfill(row)
    fake.carrier_event(parcel, "in_transit")
    fake.carrier_event(parcel, "delivered")
    told = {event.key: event for event in webhook(fake, row, live.shop)}
    fetched = {event.key: event for event in shopify.fetch_order(live, str(row["id"]))}
    assert told.keys() <= fetched.keys()
    one, two = (each[f"order/{row['id']}/created"].order for each in (told, fetched))
    assert isinstance(one, Order)
    assert isinstance(two, Order)
    same = (
        "id",
        "number",
        "status",
        "financial",
        "fulfillment",
        "total",
        "currency",
        "email",
        "placed_at",
        "attributes",
    )
    assert {name: getattr(one, name) for name in same} == {name: getattr(two, name) for name in same}
    assert [(line.id, line.total) for line in one.lines] == [(line.id, line.total) for line in two.lines]


def test_a_code_is_made_once(fake: fakes.FakeShopify, shopify: Shopify, live: Access, clock: ManualClock) -> None:
    request = DiscountRequest(code="KIITOS-1", title="run 1", starts_at=clock.now(), percent=Decimal(10))
    first = shopify.create_discount(live, request)
    again = shopify.create_discount(live, request)
    assert (first.adopted, again.adopted) == (False, True)
    assert first.platform_id == again.platform_id
    with pytest.raises(Refused) as caught:
        shopify.create_discount(live, replace(request, title="somebody else's"))
    assert caught.value.provider_code == "TAKEN"


def test_tags_and_notes_of_an_order(fake: fakes.FakeShopify, shopify: Shopify, live: Access) -> None:
    row = fake.place_order([(MUG, 1)], people.EERO)
    order_id = str(row["id"])
    for _ in range(2):
        shopify.add_tag(live, order_id, "kiitos")
        shopify.add_note(live, order_id, "Arvostelu pyydetty", key="run-1")
    order = shopify.fetch_order(live, order_id)[0].order
    assert order is not None
    assert order.tags.count("kiitos") == 1
    assert (order.note or "").count("Arvostelu pyydetty") == 1


def test_a_review_is_one_metaobject(
    fake: fakes.FakeShopify, shopify: Shopify, live: Access, clock: ManualClock
) -> None:
    row = fake.place_order([(MUG, 1)], people.EERO)
    product = str(row["line_items"][0]["product_id"])
    review = ReviewRequest(
        key="run-1",
        order_id=str(row["id"]),
        product_id=product,
        rating=5,
        title="Hyvä",
        text="Pidän",
        author_name="Eero",
        author_email="eero@example.test",
        at=clock.now(),
    )
    assert shopify.publish_review(live, review) == shopify.publish_review(live, review)
