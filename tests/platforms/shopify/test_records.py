"""What we write about orders, people, parcels and products in a shop that executes GraphQL by the real schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connector.clock import ManualClock
from connector.contracts import Access, ConsentRequest, MetaRequest, RatingRequest, ShipmentEventRequest
from connector.errors import Refused, Transient
from connector.model import Channel, ShipmentStatus
from connector.testing.fakes.people import AINO, MUG
from connector.testing.fakes.shopify import FakeShopify
from connector.testing.fakes.shopify.state import Json
from platforms.shopify import Shopify
from platforms.shopify.scopes import SCOPES
from tests.platforms.shopify.conftest import serving

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "shopify" / "required_access.json"
GRANTED = ("write_orders", "write_customers", "write_products", "write_fulfillments", "read_fulfillments")


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeShopify]:
    yield from serving(clock, GRANTED)


@pytest.fixture
def live(fake: FakeShopify, granted: Access) -> Access:
    return replace(granted, base_url=fake.url)


def written(fake: FakeShopify) -> list[str]:
    """The mutations that were sent."""
    reads = ("CustomerTags", "CustomerConsent", "Metafield", "Rating", "ShipmentEvents", "")
    return [call.operation for call in fake.calls if call.operation not in reads]


def told(fake: FakeShopify, topic: str) -> int:
    return sum(1 for one in fake.outbox.pending if one.topic == topic)


# -- tags and metafields -------------------------------------------------------------------------------------------


def test_a_customer_s_tag_is_written_once(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    customer = fake.create_customer(AINO)
    for tag in ("Gold", "gold", " GOLD "):
        shopify.tag_customer(live, str(customer["id"]), tag)
    assert (fake.customer_tags[customer["id"]], written(fake)) == (["Gold"], ["TagsAdd"])
    assert told(fake, "customer.tags_added") == 1


def test_a_customer_who_is_not_there_is_refused(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    with pytest.raises(Refused) as refused:
        shopify.tag_customer(live, "42", "gold")
    assert refused.value.provider_code == "NOT_FOUND"


@pytest.mark.parametrize("owner", ["order", "customer", "product"])
def test_a_metafield_is_in_our_own_namespace_and_written_once(
    fake: FakeShopify, shopify: Shopify, live: Access, owner: str
) -> None:
    order = fake.place_order([(MUG, 1)], AINO)
    ids = {"order": order["id"], "customer": order["customer"]["id"], "product": next(iter(fake.products))}
    request = MetaRequest(owner=owner, owner_id=str(ids[owner]), key="nps", value="9")
    shopify.write_meta(live, request)
    shopify.write_meta(live, request)
    shopify.write_meta(live, replace(request, value="10"))
    ((gid, namespace, key),) = fake.metafields
    assert (gid.rpartition("/")[2], namespace, key) == (str(ids[owner]), "app--77001", "nps")
    assert [row["value"] for row in fake.metafields.values()] == ["10"]
    assert written(fake) == ["MetafieldsSet", "MetafieldsSet"]


def test_a_metafield_that_changed_meanwhile_is_not_overwritten_unseen(
    fake: FakeShopify, shopify: Shopify, live: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = fake.place_order([(MUG, 1)], AINO)
    request = MetaRequest(owner="order", owner_id=str(order["id"]), key="nps", value="9")
    shopify.write_meta(live, request)
    real = shopify._client.query

    def then_somebody_writes(access: Access, name: str, variables: Json) -> Json:
        answer = real(access, name, variables)
        for row in fake.metafields.values():
            row["compare_digest"] = "another"
        return answer

    monkeypatch.setattr(shopify._client, "query", then_somebody_writes)
    with pytest.raises(Transient) as stale:
        shopify.write_meta(live, replace(request, value="3"))
    assert (stale.value.maybe_done, [row["value"] for row in fake.metafields.values()]) == (False, ["9"])


def test_a_metafield_of_something_else_is_refused(shopify: Shopify, access: Access) -> None:
    with pytest.raises(Refused):
        shopify.write_meta(access, MetaRequest(owner="shop", owner_id="1", key="nps", value="9"))


# -- ratings -------------------------------------------------------------------------------------------------------


def test_a_rating_is_two_standard_metafields(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    product = fake.product_of(MUG)
    request = RatingRequest(product_id=str(product["id"]), average=Decimal("4.25"), count=4)
    shopify.publish_rating(live, request)
    shopify.publish_rating(live, request)
    found = {(namespace, key): row for (_, namespace, key), row in fake.metafields.items()}
    rating, count = found["reviews", "rating"], found["reviews", "rating_count"]
    assert json.loads(rating["value"]) == {"scale_min": "1.0", "scale_max": "5.0", "value": "4.3"}
    assert (rating["type"], count["type"], count["value"]) == ("rating", "number_integer", "4")
    assert written(fake) == ["MetafieldsSet"]


def test_a_rating_needs_the_scope_for_products(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    product = fake.product_of(MUG)
    fake.scopes.discard("write_products")
    fake.scopes.add("read_products")
    with pytest.raises(Refused) as refused:
        shopify.publish_rating(live, RatingRequest(product_id=str(product["id"]), average=Decimal(5), count=1))
    assert refused.value.provider_code == "ACCESS_DENIED"


# -- consent -------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_more(fake: FakeShopify, clock: ManualClock) -> ConsentRequest:
    customer = fake.create_customer(AINO)
    fake.set_consent(customer, "subscribed")
    clock.advance(timedelta(days=1))
    return ConsentRequest(channel=Channel.EMAIL, granted=False, at=clock.now(), address=str(AINO.email))


def consent(fake: FakeShopify) -> Json:
    return next(iter(fake.consents.values()))


def test_a_withdrawal_reaches_the_customer_with_its_own_time(
    fake: FakeShopify, shopify: Shopify, live: Access, clock: ManualClock, no_more: ConsentRequest
) -> None:
    clock.advance(timedelta(hours=2))
    assert shopify.write_consent(live, no_more)
    assert consent(fake)["state"] == "unsubscribed"
    assert consent(fake)["consent_updated_at"] == fake.stamp(no_more.at)


def test_what_is_so_already_is_not_written(
    fake: FakeShopify, shopify: Shopify, live: Access, no_more: ConsentRequest
) -> None:
    assert shopify.write_consent(live, no_more)
    assert shopify.write_consent(live, no_more)
    assert written(fake) == ["EmailConsentUpdate"]


def test_a_newer_decision_of_the_person_stands(
    fake: FakeShopify, shopify: Shopify, live: Access, clock: ManualClock, no_more: ConsentRequest
) -> None:
    clock.advance(timedelta(hours=1))
    fake.set_consent(next(iter(fake.customers.values())), "subscribed")
    assert not shopify.write_consent(live, no_more)
    assert (consent(fake)["state"], written(fake)) == ("subscribed", [])


def test_a_guest_without_a_customer_has_nothing_to_write_to(
    fake: FakeShopify, shopify: Shopify, live: Access, no_more: ConsentRequest
) -> None:
    assert not shopify.write_consent(live, replace(no_more, address="guest@example.test"))
    assert written(fake) == []


def test_sms_consent_goes_by_the_number(
    fake: FakeShopify, shopify: Shopify, live: Access, no_more: ConsentRequest
) -> None:
    yes = replace(no_more, channel=Channel.SMS, granted=True, address=str(AINO.phone))
    assert shopify.write_consent(live, yes)
    assert shopify.write_consent(live, yes)
    ((_, row),) = fake.sms_consents.items()
    assert (row["state"], written(fake)) == ("subscribed", ["SmsConsentUpdate"])
    assert told(fake, "customers_marketing_consent/update") <= 1


def test_other_channels_are_refused(shopify: Shopify, access: Access, clock: ManualClock) -> None:
    with pytest.raises(Refused):
        shopify.write_consent(
            access, ConsentRequest(channel=Channel.PUSH, granted=False, at=clock.now(), address="device")
        )


# -- parcels -------------------------------------------------------------------------------------------------------


def test_a_parcel_s_event_is_written_once(
    fake: FakeShopify, shopify: Shopify, live: Access, clock: ManualClock
) -> None:
    parcel = fake.fulfill(fake.place_order([(MUG, 1)], AINO))
    at = clock.now()
    clock.advance(timedelta(hours=3))
    news = ShipmentEventRequest(shipment_id=str(parcel["id"]), status=ShipmentStatus.DELIVERED, at=at, message="Posti")
    first = shopify.write_shipment_event(live, news)
    assert shopify.write_shipment_event(live, news) == first
    (row,) = fake.fulfillment_events.values()
    assert (row["status"], row["happened_at"], row["message"]) == ("delivered", fake.stamp(at), "Posti")


@pytest.mark.parametrize("status", [ShipmentStatus.CANCELLED, ShipmentStatus.OTHER, ShipmentStatus.RETURNED])
def test_news_that_shopify_has_no_word_for_is_refused(
    shopify: Shopify, access: Access, clock: ManualClock, status: ShipmentStatus
) -> None:
    with pytest.raises(Refused):
        shopify.write_shipment_event(access, ShipmentEventRequest(shipment_id="1", status=status, at=clock.now()))


# -- scopes --------------------------------------------------------------------------------------------------------


def test_granted_scopes_include_what_they_imply(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    assert {"write_orders", "read_orders", "read_fulfillments"} <= set(shopify.granted_scopes(live))
    assert "write_discounts" not in shopify.granted_scopes(live)


@pytest.mark.skipif(not SHARED.exists(), reason="required_access.json is not on this machine")
@pytest.mark.parametrize(
    ("capability", "mutation"),
    [
        ("CreatesDiscounts", "discountCodeBasicCreate"),
        ("CreatesCodes", "discountRedeemCodeBulkAdd"),
        ("GrantsStoreCredit", "storeCreditAccountCredit"),
        ("IssuesGiftCards", "giftCardCreate"),
        ("WritesConsent", "customerEmailMarketingConsentUpdate"),
        ("WritesShipmentEvents", "fulfillmentEventCreate"),
        ("WritesOrders", "orderUpdate"),
    ],
)
def test_scopes_are_those_of_the_documentation(capability: str, mutation: str) -> None:
    sentence = json.loads(SHARED.read_text())["mutations"][mutation]["required_access"].partition("Also:")[0]
    ours = {scope for kind, groups in SCOPES.items() if kind.__name__ == capability for scope in groups[0]}
    assert ours
    assert ours <= set(re.findall(r"`(\w+)`", sentence))
