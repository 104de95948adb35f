"""WooCommerce deliveries in our words. Pure: no network, no clock, no store (facts/woocommerce.md section 1)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connector.contracts import Endpoint, Handshake, Inbound, PlatformAdapter, Verified
from connector.errors import MalformedPayload
from connector.model import Event, Shop
from platforms.woocommerce.echo import ECHO_META, not_ours
from platforms.woocommerce.events import (
    coupon_events,
    customer_deleted,
    customer_events,
    order_events,
    product_events,
    recheck,
)
from platforms.woocommerce.fields import ident, line
from platforms.woocommerce.payloads import CouponBody, CustomerBody, Glance, OrderBody, ProductBody, is_bare_id, read
from platforms.woocommerce.signature import (
    DELIVERY_ID,
    SOURCE,
    check_signature,
    is_ping,
    quarantine_reason,
    read_topic,
    read_version,
    site_key,
)

_DELIVERY_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,252})(?::[0-9]{1,5})?", re.ASCII)

_RESOURCES = frozenset({"order", "customer", "product", "coupon"})
_SNAPSHOTS = frozenset({"created", "updated", "restored", "published"})

# Hooks whose first argument is an order's id. They carry no order, but some say what no resource topic says.
_ORDER_HOOKS = frozenset(
    {
        "woocommerce_new_order",
        "woocommerce_update_order",
        "woocommerce_trash_order",
        "woocommerce_untrash_order",
        "woocommerce_delete_order",
        "woocommerce_payment_complete",
        "woocommerce_order_refunded",
        "woocommerce_order_fully_refunded",
        "woocommerce_order_partially_refunded",
        "woocommerce_new_customer_note",
        "woocommerce_fulfillment_created_notification",
        "woocommerce_fulfillment_updated_notification",
    }
)
_STATUS_HOOK = "woocommerce_order_status_"


class WooCommerceAdapter(PlatformAdapter):
    """Verifies and normalises. `WooCommerce` adds what it can do to a shop."""

    name: ClassVar[str] = "woocommerce"

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified | Handshake:
        """Check the signature; the unsigned ping is a handshake (answer it with exactly 200, or it comes for ever).

        Resource id and body are the identity; see `_dedup_key` for bodies that are the same every time.
        Raises only `WebhookRejected`.
        """
        if is_ping(inbound):
            return Handshake()
        check_signature(inbound, endpoint.secrets)
        topic = read_topic(inbound)
        resource_id = _resource_id(inbound.body)
        domain = site_key(inbound.one(SOURCE) or "").partition("/")[0]
        return Verified(
            topic=topic,
            dedup_key=_dedup_key(inbound, topic, resource_id),
            shop_domain=domain if _HOST.fullmatch(domain) else None,
            resource_id=resource_id,
            api_version=read_version(inbound),
            quarantine=quarantine_reason(inbound, endpoint.shop),
        )

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        """Events of one delivery; `()` for a topic that means nothing to us. Raises only `MalformedPayload`."""
        resource, _, happened = verified.topic.partition(".")
        try:
            if resource == "action":
                return _action_events(happened, body, verified)
            if resource not in _RESOURCES or happened not in (*_SNAPSHOTS, "deleted"):
                return ()
            return _resource_events(resource, happened, body, verified, shop)
        except MalformedPayload as error:
            if error.topic:
                raise
            reason = error.message.removeprefix(f"{error.path}: ")
            raise MalformedPayload(reason, topic=verified.topic, path=error.path) from error

    def quirks(self) -> Mapping[str, str]:
        """What merchants should know of WooCommerce."""
        return {
            "no_retries": "WooCommerce never repeats a lost delivery: only the object's next change makes it good.",
            "completed": "Completed does not mean delivered: that is known only from a plug-in's status or tracking.",
            "visitors": "A quiet shop sends its webhooks when a visitor comes: let the server's cron call wp-cron.php.",
            "new_customers": "A coupon cannot be limited to new customers: that is checked when the order comes in.",
            "coupon_start": "A coupon is valid from the moment it is made: WooCommerce knows no start date.",
            "refund_dates": "A refund is seen with the order's next change; its own date and lines are not sent.",
            "cancellations": "No date of cancellation is kept: each change of a cancelled order cancels it once more.",
            "tags": "Orders and customers have no tags: ours are kept in the meta field _kiitos_tags.",
            "consent": "There is no place for consent: what people tell us is noted in the account's meta field "
            "_kiitos_email_consent.",
            "echo": "Each value we write sends a webhook back; it is known by the meta field _kiitos_echo and starts "
            "nothing.",
        }


def _dedup_key(inbound: Inbound, topic: str, resource_id: str | None) -> str:
    """Resource id and sha256 of the body; where a body only names an id, the shop's delivery id as well.

    An order that goes into the bin a second time sends the very bytes of the first time, and an action topic always
    does. The delivery id is a digest of webhook and second: alone it repeats (facts/woocommerce.md section 0.2),
    with the body it tells the occasions apart and still keeps a repeated request out. It is not signed; a forged one
    makes us look at the object once more. A snapshot needs none: the same bytes are the same state.
    """
    key = f"{resource_id or '-'}:{hashlib.sha256(inbound.body).hexdigest()}"
    if not topic.startswith("action.") and not topic.endswith(".deleted"):
        return key
    delivery_id = inbound.one(DELIVERY_ID) or ""
    return f"{key}:{delivery_id}" if _DELIVERY_ID.fullmatch(delivery_id) else key


def _resource_id(body: bytes) -> str | None:
    """The id a body speaks of, for the delivery's identity. A body that cannot be read has none; that is no error
    here: it is stored first and understood later."""
    try:
        glance = read(body, Glance, "")
    except MalformedPayload:
        return None
    return ident(glance.id) or _argument_id(glance.arg)


def _argument_id(argument: Any) -> str | None:
    """The id in an action's first argument, which is a number, a text, or for notes an object naming the order."""
    found = ident(argument.get("order_id") if isinstance(argument, dict) else argument)
    return found if found and found.isdecimal() and found.isascii() else None


def _resource_events(resource: str, happened: str, body: bytes, verified: Verified, shop: Shop) -> Sequence[Event]:
    """A full object is a fact; an error body, a bare id or a deletion is a reason to look again.

    `product.deleted` and `coupon.deleted` are also sent with the id of any page, post or (without HPOS) order that
    was put into the trash, and restoring them gives a signed error body (facts/woocommerce.md section 0.6). Accounts
    know no trash and share no ids with posts: `customer.deleted` is a fact (section 1.5), if its body is that of a
    deletion and not an account's under an unsigned topic.
    """
    topic = verified.topic
    glance = read(body, Glance, topic)
    resource_id = ident(glance.id)
    if resource_id is None:
        if line(glance.code) is None:
            raise MalformedPayload("neither an id nor an error code", topic=topic, path="$.id")
        reason = f"signed error body: {(line(glance.code) or '')[:80]}"
        return (recheck(resource, None, happened, verified.dedup_key, reason),)
    if happened == "deleted":
        if resource == "customer" and is_bare_id(body):
            return (customer_deleted(resource_id),)
        reason = f"{topic}: see whether it is really gone"
        return (recheck(resource, resource_id, happened, verified.dedup_key, reason),)
    if resource == "order" and glance.status is None:
        return (recheck(resource, resource_id, happened, verified.dedup_key, f"{topic}: the body holds no order"),)
    return _snapshot_events(resource, body, topic, shop)


def _snapshot_events(resource: str, body: bytes, topic: str, shop: Shop) -> Sequence[Event]:
    match resource:
        case "order":
            return _heard(order_events(read(body, OrderBody, topic), shop), body)
        case "customer":
            return _heard(customer_events(read(body, CustomerBody, topic)), body)
        case "product":
            return product_events(read(body, ProductBody, topic))
        case _:
            return coupon_events(read(body, CouponBody, topic))


def _heard(events: Sequence[Event], body: bytes) -> Sequence[Event]:
    """Without what is only the echo of a write of ours. The body was read once already, so it is JSON."""
    return not_ours(events, json.loads(body)) if ECHO_META.encode() in body else events


def _action_events(hook: str, body: bytes, verified: Verified) -> Sequence[Event]:
    """An action topic carries only a hook's first argument: enough to know which order to look at."""
    if hook not in _ORDER_HOOKS and not hook.startswith(_STATUS_HOOK):
        return ()
    order_id = _argument_id(read(body, Glance, verified.topic).arg)
    return (recheck("order", order_id, hook, verified.dedup_key, hook),) if order_id else ()
