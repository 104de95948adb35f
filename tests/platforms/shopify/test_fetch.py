"""An order read over GraphQL becomes the same events as its webhooks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import responses

from connector import codec
from connector.contracts import Access
from connector.errors import MalformedPayload, Refused
from connector.model import Event, EventKind
from connector.testing.mutation import SENTINEL, damaged
from platforms.shopify import Shopify
from platforms.shopify.fetched import fetched_events, lines_page

from .conftest import GRAPHQL


def both(shop: str, shown: str) -> dict[str, Any]:
    return {
        "shopMoney": {"amount": shop, "currencyCode": "USD"},
        "presentmentMoney": {"amount": shown, "currencyCode": "EUR"},
    }


def line(number: int) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/LineItem/{number}",
        "title": "Kynttilä",
        "variantTitle": None,
        "quantity": 2,
        "currentQuantity": 2,
        "sku": "S-1",
        "requiresShipping": True,
        "isGiftCard": False,
        "product": {"id": "gid://shopify/Product/81", "onlineStoreUrl": "https://tuoksu.example/products/kynttila"},
        "variant": {"id": "gid://shopify/ProductVariant/91"},
        "image": {"url": "https://cdn.example/k.jpg"},
        "sellingPlan": None,
        "originalUnitPriceSet": both("27.00", "25.00"),
        "discountAllocations": [{"allocatedAmountSet": both("5.40", "5.00")}],
        "customAttributes": [{"key": "Kaiverrus", "value": "A"}],
    }


def carrier_event(number: int, status: str, at: str) -> dict[str, Any]:
    return {"id": f"gid://shopify/FulfillmentEvent/{number}", "status": status, "happenedAt": at}


ORDER: dict[str, Any] = {
    "id": "gid://shopify/Order/6100000000001",
    "name": "#1001",
    "createdAt": "2026-10-01T07:00:00Z",
    "updatedAt": "2026-11-20T10:00:00Z",
    "processedAt": "2026-10-01T07:00:00Z",
    "cancelledAt": None,
    "closedAt": None,
    "displayFinancialStatus": "PARTIALLY_REFUNDED",
    "displayFulfillmentStatus": "FULFILLED",
    "currencyCode": "USD",
    "presentmentCurrencyCode": "EUR",
    "totalPriceSet": both("48.60", "45.00"),
    "subtotalPriceSet": both("48.60", "45.00"),
    "totalShippingPriceSet": both("0.0", "0.0"),
    "totalTaxSet": both("9.88", "9.15"),
    "totalDiscountsSet": both("5.40", "5.00"),
    "taxesIncluded": True,
    "taxLines": [{"title": "ALV", "rate": 0.255, "priceSet": both("9.88", "9.15")}],
    "discountCodes": ["YSTÄVÄ"],
    "discountApplications": {"nodes": [{"__typename": "AutomaticDiscountApplication", "title": "Syysale"}]},
    "email": "aino@example.test",
    "phone": None,
    "customerLocale": "fi-FI",
    "statusPageUrl": "https://tuoksu.example/o/1",
    "sourceName": "web",
    "cartToken": None,
    "checkoutToken": "c1",
    "customerJourneySummary": {"firstVisit": {"landingPage": "https://tuoksu.example/?ref=x", "referrerUrl": None}},
    "customAttributes": [{"key": "ref", "value": "x"}],
    "tags": ["VIP"],
    "note": None,
    "test": False,
    "paymentGatewayNames": ["shopify_payments"],
    "purchasingEntity": {"__typename": "PurchasingCompany", "company": {"id": "gid://shopify/Company/5"}},
    "customer": {
        "id": "gid://shopify/Customer/73",
        "firstName": "Aino",
        "lastName": "Mäkelä",
        "locale": "fi",
        "tags": [],
        "numberOfOrders": "3",
        "amountSpent": {"amount": "180.1", "currencyCode": "USD"},
        "createdAt": "2026-02-03T08:15:00Z",
        "updatedAt": "2026-11-20T07:12:44Z",
        "defaultEmailAddress": {"emailAddress": "aino@example.test"},
        "defaultPhoneNumber": None,
    },
    "shippingAddress": {"firstName": "Aino", "city": "Helsinki", "countryCodeV2": "FI", "address1": "Katu 1"},
    "billingAddress": None,
    "transactions": [
        {"kind": "AUTHORIZATION", "status": "SUCCESS", "processedAt": "2026-10-01T07:00:01Z"},
        {"kind": "CAPTURE", "status": "SUCCESS", "processedAt": "2026-10-14T12:00:00Z"},
        {"kind": "CAPTURE", "status": "FAILURE", "processedAt": "2026-10-20T12:00:00Z"},
    ],
    "lineItems": {"nodes": [line(151)], "pageInfo": {"hasNextPage": False, "endCursor": None}},
    "fulfillments": [
        {
            "id": "gid://shopify/Fulfillment/55",
            "name": "#1001.1",
            "status": "SUCCESS",
            "displayStatus": "DELIVERED",
            "createdAt": "2026-10-15T08:00:00Z",
            "updatedAt": "2026-10-17T12:00:00Z",
            "estimatedDeliveryAt": None,
            "trackingInfo": [{"company": "Posti", "number": "JJ1", "url": "https://posti.example/JJ1"}],
            "fulfillmentLineItems": {
                "nodes": [{"quantity": 2, "lineItem": {"id": "gid://shopify/LineItem/151", "title": "Kynttilä"}}]
            },
            "events": {
                "nodes": [
                    {
                        "id": "gid://shopify/FulfillmentEvent/2",
                        "status": "DELIVERED",
                        "happenedAt": "2026-10-17T11:44:00Z",
                    },
                    {
                        "id": "gid://shopify/FulfillmentEvent/1",
                        "status": "IN_TRANSIT",
                        "happenedAt": "2026-10-15T16:00:00Z",
                    },
                ]
            },
        }
    ],
    "refunds": [
        {
            "id": "gid://shopify/Refund/95",
            "createdAt": "2026-11-20T10:00:00Z",
            "processedAt": "2026-11-20T10:00:00Z",
            "note": None,
            "totalRefundedSet": both("10.80", "10.00"),
            "refundLineItems": {"nodes": []},
        }
    ],
}


def answer(order: Any, *scopes: str) -> dict[str, Any]:
    installation = {"accessScopes": [{"handle": scope} for scope in scopes]}
    return {"data": {"currentAppInstallation": installation, "order": order}}


def test_the_order_as_its_webhooks_would_tell_it(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    api.post(GRAPHQL, json=answer(ORDER))
    events = {event.key: event for event in shopify.fetch_order(access, "6100000000001")}
    assert {key: event.at.isoformat() for key, event in events.items()} == {
        "order/6100000000001/updated/2026-11-20T10:00:00.000000Z": "2026-11-20T10:00:00+00:00",
        "order/6100000000001/created": "2026-10-01T07:00:00+00:00",
        "order/6100000000001/paid": "2026-10-14T12:00:00+00:00",
        "order/6100000000001/fulfilled": "2026-10-15T08:00:00+00:00",
        "shipment/55/updated/2026-10-17T12:00:00.000000Z": "2026-10-17T12:00:00+00:00",
        "shipment/55/created": "2026-10-15T08:00:00+00:00",
        "shipment/55/in_transit": "2026-10-15T16:00:00+00:00",
        "shipment/55/delivered": "2026-10-17T11:44:00+00:00",
        "refund/95": "2026-11-20T10:00:00+00:00",
    }
    order = events["order/6100000000001/created"].order
    assert order is not None
    assert (str(order.total.amount), order.currency, order.shop_currency) == ("45.00", "EUR", "USD")
    assert str(order.refunded.amount if order.refunded else "") == "10.00"
    assert [(d.code, d.title) for d in order.discounts] == [("YSTÄVÄ", None), ("", "Syysale")]
    assert str(order.lines[0].total.amount) == "45.00"
    assert order.lines[0].image_url == "https://cdn.example/k.jpg"
    assert order.company == "5"
    assert order.customer is not None
    assert (order.customer.id, order.customer.orders_count) == ("73", 3)
    assert all(codec.decode(codec.encode(event), Event) == event for event in events.values())


def test_lines_come_over_several_pages(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    for number, more in ((151, True), (152, False)):
        page = copy.deepcopy(ORDER)
        page["lineItems"] = {"nodes": [line(number)], "pageInfo": {"hasNextPage": more, "endCursor": f"c{number}"}}
        api.post(GRAPHQL, json=answer(page))
    first = shopify.fetch_order(access, "6100000000001")[0].order
    assert first is not None
    assert [item.id for item in first.lines] == ["151", "152"]


def test_an_order_that_is_gone(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    api.post(GRAPHQL, json=answer(None, "read_orders", "read_all_orders"))
    (event,) = shopify.fetch_order(access, "6100000000001")
    assert (event.kind, event.key) == (EventKind.ORDER_DELETED, "order/6100000000001/deleted")
    assert event.at == access.clock.now()


def test_an_order_that_may_only_be_too_old_is_not_called_deleted(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    api.post(GRAPHQL, json=answer(None, "read_orders"))
    with pytest.raises(Refused, match="read_all_orders") as caught:
        shopify.fetch_order(access, "6100000000001")
    assert caught.value.provider_code == "NOT_VISIBLE"


def test_every_field_dropped_nulled_or_retyped_is_events_or_malformed(access: Access) -> None:
    outcomes = {"read": 0, "malformed": 0}
    for what, body in damaged(codec.encode(ORDER)):
        order = codec.decode(body, dict)
        try:
            lines, _ = lines_page(order)
            events = fetched_events(order, lines, access.shop)
        except MalformedPayload as error:
            outcomes["malformed"] += 1
            if SENTINEL in str(error):
                raise AssertionError(f"{what}: the error quotes a value") from None
            continue
        outcomes["read"] += 1
        assert all(codec.decode(codec.encode(event), Event) == event for event in events), what
    assert min(outcomes.values()) > 100
