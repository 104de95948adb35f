"""The mutation roots. What Shopify refuses with a user error is refused with the same code; wordings are ours where
no real answer was at hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from graphql import GraphQLError

from connector.testing.fakes.shopify import bulk, scopes
from connector.testing.fakes.shopify.discount_rules import read_discount
from connector.testing.fakes.shopify.order_views import EventView, OrderView
from connector.testing.fakes.shopify.queries import number_of
from connector.testing.fakes.shopify.state import Discount, Json, Subscription, gid
from connector.testing.fakes.shopify.views import (
    CustomerView,
    DiscountNodeView,
    MetaobjectView,
    ProductView,
    SubscriptionView,
    View,
    topic_enum,
)

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify

MAX_ORDER_TAG = 40
SETTABLE_CONSENT = ("SUBSCRIBED", "UNSUBSCRIBED", "PENDING")


def user_error(message: str, *field: str, code: str | None = None) -> Json:
    return {"field": list(field) or None, "message": message, "code": code, "extra_info": None, "element_key": None}


def discount_code_basic_create(shop: FakeShopify, basic_code_discount: Json) -> Json:
    return _keep_discount(shop, *read_discount(shop, basic_code_discount))


def discount_code_free_shipping_create(shop: FakeShopify, free_shipping_code_discount: Json) -> Json:
    root = "freeShippingCodeDiscount"
    return _keep_discount(shop, *read_discount(shop, free_shipping_code_discount, root, free_delivery=True))


def _keep_discount(shop: FakeShopify, discount: Discount | None, errors: list[Json]) -> Json:
    if discount is None:
        return {"code_discount_node": None, "user_errors": errors}
    shop.discounts[discount.id] = discount
    redeem = {"id": gid("DiscountRedeemCode", discount.id), "code": discount.code}
    body = {"admin_graphql_api_id": gid("DiscountCodeNode", discount.id), "redeem_code": redeem}
    shop.announce(["discounts/redeemcode_added"], {**body, "updated_at": shop.stamp()})
    return {"code_discount_node": DiscountNodeView(shop, discount), "user_errors": []}


def discount_code_deactivate(shop: FakeShopify, id: str) -> Json:  # noqa: A002
    discount = shop.discounts.get(number_of(id, "DiscountCodeNode"))
    if discount is None:
        error = user_error("Code discount does not exist.", "id", code="INVALID")
        return {"code_discount_node": None, "user_errors": [error]}
    discount.ends_at = discount.updated_at = shop.clock.now()
    return {"code_discount_node": DiscountNodeView(shop, discount), "user_errors": []}


def tags_add(shop: FakeShopify, id: str, tags: list[str]) -> Json:  # noqa: A002
    """Tags that are there already stay once. Needs the scope that changing the owner needs."""
    kind = id.split("/")[3] if id.count("/") == 4 else ""
    _owner_scope(shop, kind, "tagsAdd")
    number = number_of(id, kind)
    wanted = [part.strip() for tag in tags for part in tag.split(",") if part.strip()]
    if any(len(tag) > MAX_ORDER_TAG for tag in wanted) and kind == "Order":
        return {"node": None, "user_errors": [user_error("Tags is too long (maximum is 40 characters)", "tags")]}
    node: View | None = None
    if kind == "Order" and number in shop.orders:
        order = shop.orders[number]
        shop.edit_order(order, tags=", ".join(_union([t for t in order["tags"].split(", ") if t], wanted)))
        node = OrderView(shop, order)
    elif kind == "Customer" and number in shop.customers:
        shop.customer_tags[number] = _union(shop.customer_tags[number], wanted)
        shop.announce(["customer.tags_added"], {"customerId": id, "tags": wanted, "occurredAt": shop.stamp()})
        node = CustomerView(shop, shop.customers[number])
    elif kind == "Product" and number in shop.products:
        shop.products[number]["tags"] = _union(shop.products[number]["tags"], wanted)
        node = ProductView(shop, shop.products[number])
    errors = [] if node else [user_error(f"{kind} does not exist", "id")]
    return {"node": node, "user_errors": errors}


def _union(have: list[str], more: list[str]) -> list[str]:
    known = {tag.lower() for tag in have}
    return have + [tag for tag in dict.fromkeys(more) if tag.lower() not in known]


def _owner_scope(shop: FakeShopify, kind: str, field: str) -> None:
    needed = scopes.OWNERS.get(kind)
    if needed is None:
        raise GraphQLError(f"the fake does not change a {kind or 'malformed id'}", extensions={"code": "FAKE_GAP"})
    shop.require_scope(needed, field)


def order_update(shop: FakeShopify, input: Json) -> Json:  # noqa: A002
    """`note`, `tags` and `customAttributes` replace what is there (shopify.md §3)."""
    order = shop.orders.get(number_of(input["id"], "Order"))
    if order is None:
        return {"order": None, "user_errors": [user_error("Order does not exist", "id")]}
    changes: Json = {key: input[key] for key in ("note", "email", "phone") if key in input}
    if "tags" in input:
        changes["tags"] = ", ".join(input["tags"])
    if "customAttributes" in input:
        changes["note_attributes"] = [{"name": a["key"], "value": a["value"]} for a in input["customAttributes"]]
    unknown = set(input) - {"id", "note", "email", "phone", "tags", "customAttributes"}
    if unknown:
        raise GraphQLError(f"the fake does not set {sorted(unknown)} of an order", extensions={"code": "FAKE_GAP"})
    shop.edit_order(order, **changes)
    return {"order": OrderView(shop, order), "user_errors": []}


def metaobject_upsert(
    shop: FakeShopify, handle: Json, metaobject: Json | None = None, values: Json | None = None
) -> Json:
    """Make or change the object with that handle; fields not named keep their value."""
    kind = handle["type"]
    known = shop.metaobject_types.get(kind)
    if known is None:
        error = user_error(f'No metaobject definition exists for type "{kind}"', "handle", code="UNDEFINED_OBJECT_TYPE")
        return {"metaobject": None, "user_errors": [error]}
    given = {entry["key"]: entry["value"] for entry in (metaobject or {}).get("fields") or []} | (values or {})
    foreign = [key for key in given if key not in known]
    if foreign:
        message = f'Field definition "{foreign[0]}" does not exist'
        error = {
            **user_error(message, "metaobject", "fields", code="UNDEFINED_OBJECT_FIELD"),
            "element_key": foreign[0],
        }
        return {"metaobject": None, "user_errors": [error]}
    row = shop.metaobject_by_handle(kind, handle["handle"])
    if row is None:
        number = shop.next_id("Metaobject")
        # `$app:x` is a short form: what is stored and answered names the app.
        stored = kind.replace("$app:", f"app--{shop.app_id}--")
        row = {"id": number, "type": stored, "short_type": kind, "handle": handle["handle"], "fields": {}}
        row.update(status=None, created_at=shop.stamp())
        shop.metaobjects[number] = row
    row["fields"].update(given)
    publishable = ((metaobject or {}).get("capabilities") or {}).get("publishable")
    row["status"] = publishable["status"] if publishable else row["status"]
    row["handle"] = (metaobject or {}).get("handle") or row["handle"]
    row["updated_at"] = shop.stamp()
    return {"metaobject": MetaobjectView(shop, row), "user_errors": []}


def metaobject_delete(shop: FakeShopify, id: str) -> Json:  # noqa: A002
    """Gone for good; one that is not there is an error with a code."""
    row = shop.metaobjects.pop(number_of(id, "Metaobject"), None)
    if row is None:
        error = user_error("Record not found", "id", code="RECORD_NOT_FOUND")
        return {"deleted_id": None, "user_errors": [{**error, "element_key": None, "element_index": None}]}
    return {"deleted_id": id, "user_errors": []}


def _wrong_list(shop: FakeShopify, entry: Json) -> str:
    """What is wrong with a list of references: it must be declared, and lead to objects that are there."""
    if (entry["ownerId"].split("/")[3], entry["key"]) not in shop.declared_lists:
        return "must have a metaobject definition"
    missing = [each for each in json.loads(entry["value"]) if number_of(each, "Metaobject") not in shop.metaobjects]
    return f"Value references non-existent metaobjects {missing}" if missing else ""


def metafields_set(shop: FakeShopify, metafields: list[Json]) -> Json:
    """At most 25, all or none."""
    if len(metafields) > 25:
        error = user_error(
            "Exceeded the maximum metafields input limit of 25.", "metafields", code="LESS_THAN_OR_EQUAL_TO"
        )
        return {"metafields": None, "user_errors": [error]}
    rows: list[tuple[tuple[str, str, str], Json]] = []
    for place, entry in enumerate(metafields):
        _owner_scope(shop, entry["ownerId"].split("/")[3], "metafieldsSet")
        slot = (entry["ownerId"], shop.app_namespace(entry.get("namespace")), entry["key"])
        present = shop.metafields.get(slot)
        given = entry.get("compareDigest")
        if given is not None and given != (present or {}).get("compare_digest"):
            message = (
                "The resource has been updated since it was loaded. Try again with an updated `compareDigest` value."
            )
            error = {**user_error(message, "metafields", str(place), code="STALE_OBJECT"), "element_index": None}
            return {"metafields": None, "user_errors": [error]}
        if not entry["value"]:
            error = user_error("Value can't be blank.", "metafields", str(place), "value", code="BLANK")
            return {"metafields": None, "user_errors": [{**error, "element_index": None}]}
        if entry.get("type") == "list.metaobject_reference" and (fault := _wrong_list(shop, entry)):
            error = user_error(fault, "metafields", str(place), "value", code="INVALID_VALUE")
            return {"metafields": None, "user_errors": [{**error, "element_index": None}]}
        number = present["id"] if present else gid("Metafield", shop.next_id("Metafield"))
        row: Json = {"id": number, "namespace": slot[1], "key": entry["key"], "value": entry["value"]}
        row["type"] = entry.get("type") or (present or {}).get("type") or "single_line_text_field"
        row["compare_digest"] = hashlib.sha256(f"{slot}{entry['value']}".encode()).hexdigest()
        rows.append((slot, row))
    shop.metafields.update(rows)
    return {"metafields": [row for _, row in rows], "user_errors": []}


def consent_update(shop: FakeShopify, input: Json) -> Json:  # noqa: A002
    customer = shop.customers.get(number_of(input["customerId"], "Customer"))
    consent = input["emailMarketingConsent"]
    if customer is None or not customer["email"]:
        what = "Customer not found" if customer is None else "Customer must have an email address"
        return {"customer": None, "user_errors": [user_error(what, "input", "customerId", code="INVALID")]}
    if consent["marketingState"] not in SETTABLE_CONSENT:
        message = f"Cannot specify {consent['marketingState']} as a marketing state input"
        path = ("input", "emailMarketingConsent", "marketingState")
        return {"customer": None, "user_errors": [user_error(message, *path, code="INCLUSION")]}
    level = (consent.get("marketingOptInLevel") or "SINGLE_OPT_IN").lower()
    at = _decided_at(consent)
    if at is not None and at > shop.clock.now():
        message, late = "Consent updated at must not be in the future", ("emailMarketingConsent", "consentUpdatedAt")
        return {"customer": None, "user_errors": [user_error(message, "input", *late, code="INVALID")]}
    shop.set_consent(customer, consent["marketingState"].lower(), opt_in_level=level, at=at)
    return {"customer": CustomerView(shop, customer), "user_errors": []}


def sms_consent_update(shop: FakeShopify, input: Json) -> Json:  # noqa: A002
    customer = shop.customers.get(number_of(input["customerId"], "Customer"))
    consent = input["smsMarketingConsent"]
    if customer is None or not customer["phone"]:
        what = "Customer not found" if customer is None else "A phone number is required to set the SMS consent state."
        return {"customer": None, "user_errors": [user_error(what, "input", "customerId", code="INVALID")]}
    if consent["marketingState"] not in SETTABLE_CONSENT:
        message = f"Cannot specify {consent['marketingState']} as a marketing state input"
        path = ("input", "smsMarketingConsent", "marketingState")
        return {"customer": None, "user_errors": [user_error(message, *path, code="INCLUSION")]}
    shop.set_sms_consent(customer, consent["marketingState"].lower(), _decided_at(consent))
    return {"customer": CustomerView(shop, customer), "user_errors": []}


def _decided_at(consent: Json) -> datetime | None:
    text = consent.get("consentUpdatedAt")
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def fulfillment_event_create(shop: FakeShopify, fulfillment_event: Json) -> Json:
    parcel = shop.fulfillments.get(number_of(fulfillment_event["fulfillmentId"], "Fulfillment"))
    if parcel is None:
        return {"fulfillment_event": None, "user_errors": [user_error("Fulfillment does not exist", "fulfillmentId")]}
    status, message = fulfillment_event["status"].lower(), fulfillment_event.get("message") or ""
    happened = fulfillment_event.get("happenedAt")
    at = datetime.fromisoformat(happened).astimezone(UTC) if happened else None
    row = shop.carrier_event(parcel, status, message=message, at=at)
    return {"fulfillment_event": EventView(shop, row), "user_errors": []}


def webhook_subscription_create(shop: FakeShopify, topic: str, webhook_subscription: Json) -> Json:
    """The URL must be https; loopback http is let through, or no test could run."""
    uri = webhook_subscription.get("uri") or webhook_subscription.get("callbackUrl") or ""
    parts = urlsplit(uri)
    fine = parts.scheme in ("https", "pubsub", "arn") or (parts.scheme == "http" and parts.hostname == "127.0.0.1")
    path = ("webhookSubscription", "uri")
    if not fine:
        error = user_error("Address must be a valid https URL", *path)
        return {"webhook_subscription": None, "user_errors": [error]}
    if any(topic_enum(s.topic) == topic and s.uri == uri for s in shop.subscriptions.values()):
        error = user_error("Address for this topic has already been taken", *path)
        return {"webhook_subscription": None, "user_errors": [error]}
    row = Subscription(
        id=shop.next_id("WebhookSubscription"),
        topic=shop.topic_named(topic),
        uri=uri,
        created_at=shop.clock.now(),
        updated_at=shop.clock.now(),
        name=webhook_subscription.get("name"),
        filter=webhook_subscription.get("filter"),
        include_fields=tuple(webhook_subscription.get("includeFields") or ()),
    )
    shop.subscriptions[row.id] = row
    return {"webhook_subscription": SubscriptionView(shop, row), "user_errors": []}


def webhook_subscription_delete(shop: FakeShopify, id: str) -> Json:  # noqa: A002
    row = shop.subscriptions.pop(number_of(id, "WebhookSubscription"), None)
    errors = [] if row else [user_error("Webhook subscription does not exist", "id")]
    return {"deleted_webhook_subscription_id": id if row else None, "user_errors": errors}


def webhook_subscription_update(shop: FakeShopify, id: str, webhook_subscription: Json) -> Json:  # noqa: A002
    row = shop.subscriptions.get(number_of(id, "WebhookSubscription"))
    if row is None:
        error = user_error("Webhook subscription does not exist", "id")
        return {"webhook_subscription": None, "user_errors": [error]}
    row.uri = webhook_subscription.get("uri") or row.uri
    row.filter = webhook_subscription.get("filter", row.filter)
    row.include_fields = tuple(webhook_subscription.get("includeFields") or row.include_fields)
    row.updated_at = shop.clock.now()
    return {"webhook_subscription": SubscriptionView(shop, row), "user_errors": []}


MUTATIONS: Mapping[str, Callable[..., Json]] = {
    "discount_code_basic_create": discount_code_basic_create,
    "discount_code_free_shipping_create": discount_code_free_shipping_create,
    "discount_code_deactivate": discount_code_deactivate,
    "tags_add": tags_add,
    "order_update": order_update,
    "metaobject_upsert": metaobject_upsert,
    "metaobject_delete": metaobject_delete,
    "metafields_set": metafields_set,
    "customer_email_marketing_consent_update": consent_update,
    "customer_sms_marketing_consent_update": sms_consent_update,
    "fulfillment_event_create": fulfillment_event_create,
    "webhook_subscription_create": webhook_subscription_create,
    "webhook_subscription_update": webhook_subscription_update,
    "webhook_subscription_delete": webhook_subscription_delete,
    "bulk_operation_run_query": bulk.run_query,
}
