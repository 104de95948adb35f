"""An order read over GraphQL, put into the words of the webhooks, so that both become the same events.

What GraphQL knows better comes along: when it was paid (the transactions), product pictures and pages, the
carrier's own events. Not more than 10 parcels with 10 lines and 10 events each, and 10 refunds with 5 lines each are
read (a query may cost 1,000 points); of the order's own lines all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connector.errors import MalformedPayload
from connector.model import Event, Shop
from platforms.shopify.orders import order_events
from platforms.shopify.payloads import orders as raw
from platforms.shopify.reading import convert, time

TOPIC = "fetch/order"

_PAYING = frozenset({"SALE", "CAPTURE"})
_NO_NEWS = frozenset({"fulfilled", "marked_as_fulfilled", "canceled", ""})  # webhooks say null for them

Node = Mapping[str, Any]


def fetched_events(order: Node, lines: Sequence[Node], shop: Shop) -> Sequence[Event]:
    """The events of one `order` answer whose `lines` were collected over all pages. Raises `MalformedPayload`."""
    try:
        payload = _order(order, lines)
    except (AttributeError, TypeError) as error:
        raise _another_shape() from error
    return tuple(order_events(convert(payload, raw.Order, TOPIC), TOPIC, shop))


def lines_page(order: Node) -> tuple[Sequence[Node], str | None]:
    """The lines of one page and the cursor of the next, `None` after the last. Raises `MalformedPayload`."""
    try:
        page = order.get("lineItems") or {}
        info = page.get("pageInfo") or {}
        return page.get("nodes") or (), (info.get("endCursor") if info.get("hasNextPage") else None)
    except (AttributeError, TypeError) as error:
        raise _another_shape() from error


def _another_shape() -> MalformedPayload:
    return MalformedPayload("an answer of another shape than asked for", topic=TOPIC)


def _order(order: Node, lines: Sequence[Node]) -> dict[str, Any]:
    visit = _inner(order, "customerJourneySummary", "firstVisit")
    company = _inner(order, "purchasingEntity", "company")
    sets = ("totalPriceSet", "subtotalPriceSet", "totalShippingPriceSet", "totalTaxSet", "totalDiscountsSet")
    return {
        **{_snake(name): _money_set(order.get(name)) for name in sets},
        "id": order.get("id"),
        "name": order.get("name"),
        "created_at": order.get("createdAt"),
        "updated_at": order.get("updatedAt"),
        "processed_at": order.get("processedAt"),
        "cancelled_at": order.get("cancelledAt"),
        "closed_at": order.get("closedAt"),
        "paid_at": _paid_at(order.get("transactions")),
        "financial_status": _lower(order.get("displayFinancialStatus")),
        "fulfillment_status": _lower(order.get("displayFulfillmentStatus")),
        "currency": order.get("currencyCode"),
        "presentment_currency": order.get("presentmentCurrencyCode"),
        "total_price": _inner(order, "totalPriceSet", "shopMoney").get("amount"),
        "taxes_included": order.get("taxesIncluded"),
        "tax_lines": [_tax_line(line) for line in order.get("taxLines") or ()],
        "discount_codes": [{"code": code} for code in order.get("discountCodes") or ()],
        "discount_applications": [
            {"type": "automatic", "title": item.get("title")}
            for item in _nodes(order.get("discountApplications"))
            if item.get("__typename") == "AutomaticDiscountApplication"
        ],
        "customer": customer_words(order.get("customer")),
        "email": order.get("email"),
        "phone": order.get("phone"),
        "customer_locale": order.get("customerLocale"),
        "line_items": [_line(line) for line in lines],
        "shipping_address": _address(order.get("shippingAddress")),
        "billing_address": _address(order.get("billingAddress")),
        "fulfillments": [_fulfillment(item) for item in order.get("fulfillments") or ()],
        "refunds": [_refund(item) for item in order.get("refunds") or ()],
        "order_status_url": order.get("statusPageUrl"),
        "source_name": order.get("sourceName"),
        "landing_site": visit.get("landingPage"),
        "referring_site": visit.get("referrerUrl"),
        "checkout_token": order.get("checkoutToken"),
        "cart_token": order.get("cartToken"),
        "note_attributes": _attributes(order.get("customAttributes")),
        "tags": order.get("tags"),
        "note": order.get("note"),
        "company": {"id": company.get("id")} if company else None,
        "payment_gateway_names": order.get("paymentGatewayNames"),
        "test": order.get("test"),
    }


def _line(line: Node) -> dict[str, Any]:
    price = _money_set(line.get("originalUnitPriceSet"))
    return {
        "id": line.get("id"),
        "title": line.get("title"),
        "variant_title": line.get("variantTitle"),
        "quantity": line.get("quantity"),
        "current_quantity": line.get("currentQuantity"),
        "price_set": price,
        "price": _inner(line, "originalUnitPriceSet", "shopMoney").get("amount"),
        "discount_allocations": [
            {"amount_set": _money_set(item.get("allocatedAmountSet"))} for item in line.get("discountAllocations") or ()
        ],
        "sku": line.get("sku"),
        "requires_shipping": line.get("requiresShipping"),
        "gift_card": line.get("isGiftCard"),
        "product_id": _inner(line, "product").get("id"),
        "product_url": _inner(line, "product").get("onlineStoreUrl"),
        "variant_id": _inner(line, "variant").get("id"),
        "image_url": _inner(line, "image").get("url"),
        "selling_plan_id": _inner(line, "sellingPlan").get("sellingPlanId"),
        "properties": _attributes(line.get("customAttributes")),
    }


def _fulfillment(item: Node) -> dict[str, Any]:
    carrier = _lower(item.get("displayStatus"))
    tracking = item.get("trackingInfo") or ()
    return {
        "id": item.get("id"),
        "name": item.get("name"),
        "status": _lower(item.get("status")),
        "shipment_status": None if carrier in _NO_NEWS else carrier,
        "created_at": item.get("createdAt"),
        "updated_at": item.get("updatedAt"),
        "estimated_delivery_at": item.get("estimatedDeliveryAt"),
        "tracking_company": next((each.get("company") for each in tracking if each.get("company")), None),
        "tracking_numbers": [each.get("number") for each in tracking],
        "tracking_urls": [each.get("url") for each in tracking],
        "line_items": [_shipped(each) for each in _nodes(item.get("fulfillmentLineItems"))],
        "events": [
            {
                "id": each.get("id"),
                "status": _lower(each.get("status")),
                "happened_at": each.get("happenedAt"),
                "message": each.get("message"),
                "city": each.get("city"),
                "country": each.get("country"),
                "estimated_delivery_at": each.get("estimatedDeliveryAt"),
            }
            for each in _nodes(item.get("events"))
        ],
    }


def _refund(item: Node) -> dict[str, Any]:
    moved = _inner(item, "totalRefundedSet", "presentmentMoney")
    return {
        "id": item.get("id"),
        "created_at": item.get("createdAt"),
        "processed_at": item.get("processedAt"),
        "note": item.get("note"),
        "transactions": [
            {
                "kind": "refund",
                "status": "success",
                "amount": moved.get("amount"),
                "currency": moved.get("currencyCode"),
            }
        ],
        "refund_line_items": [
            {"line_item_id": line["id"], "quantity": line["quantity"], "line_item": line}
            for line in map(_shipped, _nodes(item.get("refundLineItems")))
        ],
    }


def _shipped(line: Node) -> dict[str, Any]:
    item = _inner(line, "lineItem")
    return {"id": item.get("id"), "title": item.get("title"), "quantity": line.get("quantity")}


def customer_words(customer: Node | None) -> dict[str, Any] | None:
    """A customer in the words of the webhooks. `birthday` is no word of theirs: Shopify's standard metafield for it,
    `facts.birth_date` (https://shopify.dev/docs/apps/build/custom-data/metafields/list-of-standard-definitions)."""
    if not customer:
        return None
    spent = _inner(customer, "amountSpent")
    count = customer.get("numberOfOrders")
    return {
        "id": customer.get("id"),
        "first_name": customer.get("firstName"),
        "last_name": customer.get("lastName"),
        "email": _inner(customer, "defaultEmailAddress").get("emailAddress"),
        "phone": _inner(customer, "defaultPhoneNumber").get("phoneNumber"),
        "locale": customer.get("locale"),
        "tags": customer.get("tags"),
        "orders_count": int(str(count)) if str(count).isdecimal() else None,
        "total_spent": spent.get("amount"),
        "currency": spent.get("currencyCode"),
        "created_at": customer.get("createdAt"),
        "updated_at": customer.get("updatedAt"),
        "birthday": _inner(customer, "birthday").get("value"),
    }


def _address(place: Node | None) -> dict[str, Any] | None:
    if not place:
        return None
    return {
        "first_name": place.get("firstName"),
        "last_name": place.get("lastName"),
        "company": place.get("company"),
        "address1": place.get("address1"),
        "address2": place.get("address2"),
        "city": place.get("city"),
        "province_code": place.get("provinceCode"),
        "zip": place.get("zip"),
        "country_code": place.get("countryCodeV2"),
        "phone": place.get("phone"),
    }


def _tax_line(line: Node) -> dict[str, Any]:
    return {"title": line.get("title"), "rate": line.get("rate"), "price_set": _money_set(line.get("priceSet"))}


def _paid_at(transactions: Sequence[Node] | None) -> str | None:
    """The time of the last payment that succeeded: with it the order was paid in full."""
    times = [
        at
        for each in transactions or ()
        if each.get("kind") in _PAYING and each.get("status") == "SUCCESS" and (at := time(each.get("processedAt")))
    ]
    return max(times).isoformat() if times else None


def _attributes(attributes: Sequence[Node] | None) -> list[dict[str, Any]]:
    return [{"name": each.get("key"), "value": each.get("value")} for each in attributes or ()]


def _money_set(bag: Node | None) -> dict[str, Any] | None:
    if not bag:
        return None
    return {
        _snake(name): {"amount": part.get("amount"), "currency_code": part.get("currencyCode")}
        for name in ("shopMoney", "presentmentMoney")
        if (part := bag.get(name))
    }


def _nodes(connection: Node | None) -> Sequence[Node]:
    return (connection or {}).get("nodes") or ()


def _inner(node: Node, *path: str) -> Node:
    """The object at `path`, empty where a step of it is null: personal data comes as null to an app without access."""
    for name in path:
        node = node.get(name) or {}
    return node


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _lower(value: str | None) -> str:
    return (value or "").lower()
