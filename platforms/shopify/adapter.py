"""The pure half of the Shopify platform: deliveries in, events out. No network, no clock, no store.

Facts and their sources: facts/shopify.md. Topics without a meaning for us give no events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import ClassVar, TypeVar

from connector.contracts import Endpoint, Inbound, PlatformAdapter, Verified
from connector.model import Channel, Event, Shop
from platforms.shopify import customers, orders, returns, shipments, shop_topics
from platforms.shopify.payloads import common as raw_common
from platforms.shopify.payloads import orders as raw_orders
from platforms.shopify.payloads import people as raw_people
from platforms.shopify.payloads import shop as raw_shop
from platforms.shopify.reading import UNKNOWN_TIME, Till, currency, read, required_id
from platforms.shopify.signature import verify_delivery

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified body on its way to events."""

    topic: str
    body: bytes
    shop: Shop
    triggered: datetime | None

    @property
    def at(self) -> datetime:
        """When it was triggered: the time of what has none of its own."""
        return self.triggered or UNKNOWN_TIME

    def read(self, kind: type[P]) -> P:
        return read(self.body, kind, self.topic)


class ShopifyAdapter(PlatformAdapter):
    """Verifies and normalises; `platforms.shopify.Shopify` adds what talks to the Admin API."""

    name: ClassVar[str] = "shopify"

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified:
        return verify_delivery(inbound, endpoint)

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        handle = _TOPICS.get(verified.topic)
        if handle is None:
            return ()
        return tuple(handle(Delivery(verified.topic, body, shop, verified.triggered_at)))

    def quirks(self) -> Mapping[str, str]:
        return {
            "delivered": "Shopify tells of a delivery only where a carrier reports it; keep a fallback by time.",
            "consent": "Since 2025-01 customer webhooks carry no tags and no consent; those have their own topics.",
            "checkout_id": "Since 2026-04 checkouts have no id and orders no checkout_id; both are joined by token.",
            "paid_time": "Only orders/paid tells when an order was paid; for old orders no other webhook does.",
            "protected_data": "Names, addresses and e-mails are null until Shopify approved the app for customer data.",
            "discounts": "A code can be bound to a customer's id, not to an e-mail or to new customers.",
            "old_orders": "Without the scope read_all_orders the Admin API hides orders of more than 60 days.",
            "images": "Webhooks carry no pictures of the products; they come with the order read over the Admin API.",
        }


def _order(delivery: Delivery) -> list[Event]:
    return orders.order_events(delivery.read(raw_orders.Order), delivery.topic, delivery.shop)


def _order_deleted(delivery: Delivery) -> list[Event]:
    order_id = required_id(delivery.read(raw_orders.OnlyId).id, delivery.topic, "id")
    return [orders.order_deleted(order_id, delivery.at)]


def _order_edited(delivery: Delivery) -> list[Event]:
    edit = delivery.read(raw_orders.OrderEdited).order_edit
    return [orders.order_edited(edit, delivery.topic, delivery.at)]


def _link_requested(delivery: Delivery) -> list[Event]:
    return orders.link_requested(delivery.read(raw_orders.Order), delivery.topic, delivery.shop, delivery.at)


def _refund(delivery: Delivery) -> list[Event]:
    payload = delivery.read(raw_orders.Refund)
    order_id = required_id(payload.order_id, delivery.topic, "order_id")
    till = Till(delivery.topic, _refund_currency(payload, delivery), delivery.shop.currency)
    return [orders.refund_event(payload, order_id, till, delivery.at)]


def _refund_currency(payload: raw_orders.Refund, delivery: Delivery) -> str:
    """The currency the customer paid in, as the refunded lines tell it, else that of the transactions."""
    for line in payload.refund_line_items or ():
        shown = line.subtotal_set.presentment_money if line.subtotal_set else None
        if shown and shown.currency_code:
            return currency(shown.currency_code, "", delivery.topic, "refund_line_items.subtotal_set")
    for transaction in payload.transactions or ():
        if transaction.currency:
            return currency(transaction.currency, "", delivery.topic, "transactions.currency")
    return delivery.shop.currency


def _return(delivery: Delivery) -> list[Event]:
    digest = sha256(delivery.body).hexdigest()[:16]
    return [returns.return_event(delivery.read(raw_orders.Return), delivery.topic, delivery.at, digest)]


def _fulfillment(delivery: Delivery) -> list[Event]:
    payload = delivery.read(raw_orders.Fulfillment)
    order_id = required_id(payload.order_id, delivery.topic, "order_id")
    return list(shipments.shipment_events(payload, order_id, delivery.topic))


def _carrier_event(delivery: Delivery) -> list[Event]:
    payload = delivery.read(raw_orders.CarrierEvent)
    if delivery.topic.endswith("/delete"):
        return [shipments.carrier_event_removed(payload, delivery.at, delivery.topic)]
    return [shipments.carrier_event(payload, delivery.at, delivery.topic)]


def _customer(delivery: Delivery) -> list[Event]:
    return customers.customer_events(delivery.read(raw_common.Customer), delivery.topic, delivery.at)


def _customer_deleted(delivery: Delivery) -> list[Event]:
    return [customers.customer_deleted(delivery.read(raw_common.Customer), delivery.topic, delivery.at)]


def _customer_merged(delivery: Delivery) -> list[Event]:
    return customers.customer_merged(delivery.read(raw_people.CustomerMerge), delivery.topic, delivery.at)


def _customer_tags(delivery: Delivery) -> list[Event]:
    return [customers.tag_event(delivery.read(raw_people.TagChange), delivery.topic, delivery.at)]


def _purchasing_summary(delivery: Delivery) -> list[Event]:
    return [customers.purchasing_summary(delivery.read(raw_people.PurchasingSummary), delivery.topic, delivery.at)]


def _email_consent(delivery: Delivery) -> list[Event]:
    told = delivery.read(raw_people.EmailConsent)
    return [_consent(delivery, Channel.EMAIL, told.customer_id, told.email_address, told.email_marketing_consent)]


def _sms_consent(delivery: Delivery) -> list[Event]:
    told = delivery.read(raw_people.SmsConsent)
    return [_consent(delivery, Channel.SMS, told.id, told.phone, told.sms_marketing_consent)]


def _whatsapp_consent(delivery: Delivery) -> list[Event]:
    told = delivery.read(raw_people.WhatsAppConsent)
    return [_consent(delivery, Channel.WHATSAPP, told.customer_id, told.phone_number, told.whats_app_marketing_consent)]


def _consent(
    delivery: Delivery, channel: Channel, customer: raw_common.Id, address: str | None, state: raw_people.ConsentState
) -> Event:
    return customers.consent_event(channel, customer, address, state, delivery.topic, delivery.at)


def _compliance(delivery: Delivery) -> list[Event]:
    return [customers.compliance_event(delivery.read(raw_people.Compliance), delivery.topic, delivery.at)]


def _checkout(delivery: Delivery) -> list[Event]:
    return shop_topics.checkout_events(delivery.read(raw_shop.Checkout), delivery.topic, delivery.at, delivery.shop)


def _checkout_deleted(delivery: Delivery) -> list[Event]:
    return [shop_topics.checkout_deleted(delivery.read(raw_shop.Checkout), delivery.topic, delivery.at, delivery.shop)]


def _product(delivery: Delivery) -> list[Event]:
    return [shop_topics.product_event(delivery.read(raw_shop.Product), delivery.topic, delivery.at, delivery.shop)]


def _product_deleted(delivery: Delivery) -> list[Event]:
    product_id = required_id(delivery.read(raw_orders.OnlyId).id, delivery.topic, "id")
    return [shop_topics.product_deleted(product_id, delivery.at)]


def _redeem_code(delivery: Delivery) -> list[Event]:
    return [shop_topics.redeem_code_event(delivery.read(raw_shop.RedeemCodeChange), delivery.topic, delivery.at)]


def _shop(delivery: Delivery) -> list[Event]:
    details = delivery.read(raw_shop.ShopDetails)
    return [shop_topics.shop_event(details, delivery.topic, delivery.at, delivery.triggered)]


def _scopes(delivery: Delivery) -> list[Event]:
    return [shop_topics.scopes_event(delivery.read(raw_shop.Scopes), delivery.topic, delivery.at)]


_TOPICS: Mapping[str, Callable[[Delivery], list[Event]]] = {
    "orders/create": _order,
    "orders/paid": _order,
    "orders/updated": _order,
    "orders/fulfilled": _order,
    "orders/partially_fulfilled": _order,
    "orders/cancelled": _order,
    "orders/edited": _order_edited,
    "orders/delete": _order_deleted,
    "orders/link_requested": _link_requested,
    "refunds/create": _refund,
    **{f"returns/{verb}": _return for verb in ("request", "approve", "decline", "cancel", "close")},
    **{f"returns/{verb}": _return for verb in ("process", "update", "reopen")},
    "fulfillments/create": _fulfillment,
    "fulfillments/update": _fulfillment,
    "fulfillment_events/create": _carrier_event,
    "fulfillment_events/delete": _carrier_event,
    "customers/create": _customer,
    "customers/update": _customer,
    "customers/enable": _customer,
    "customers/disable": _customer,
    "customers/delete": _customer_deleted,
    "customers/merge": _customer_merged,
    "customers/purchasing_summary": _purchasing_summary,
    "customer.tags_added": _customer_tags,
    "customer.tags_removed": _customer_tags,
    "customers_email_marketing_consent/update": _email_consent,
    "customers_marketing_consent/update": _sms_consent,
    "customers_whats_app_marketing_consent/update": _whatsapp_consent,
    "checkouts/create": _checkout,
    "checkouts/update": _checkout,
    "checkouts/delete": _checkout_deleted,
    "products/create": _product,
    "products/update": _product,
    "products/delete": _product_deleted,
    "discounts/redeemcode_added": _redeem_code,
    "discounts/redeemcode_removed": _redeem_code,
    "shop/update": _shop,
    "app/uninstalled": _shop,
    "app/scopes_update": _scopes,
    "customers/data_request": _compliance,
    "customers/redact": _compliance,
    "shop/redact": _compliance,
}

TOPICS: tuple[str, ...] = tuple(_TOPICS)
"""Every topic that means something to us: what to subscribe to, compliance topics included."""
