"""What is written about orders, customers, parcels and products. Each looks first, so that nothing is written twice and
no write of ours comes back as news.
"""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connector.clock import to_text
from connector.contracts import (
    Access,
    ConsentRequest,
    MetaRequest,
    PublishesRatings,
    RatingRequest,
    ShipmentEventRequest,
    TagsCustomers,
    WritesConsent,
    WritesMeta,
    WritesOrders,
    WritesShipmentEvents,
)
from connector.errors import Refused, Transient
from connector.model import Channel, ShipmentStatus
from platforms.shopify.calls import Calls, digest, gid, made_id, told_at

NEWEST = "reviews"
"""The key of a product's list of its newest reviews, in the app's own namespace (`platforms.shopify.app_file`)."""
OWNERS = {"order": "Order", "customer": "Customer", "product": "Product"}
_EVENT_STATUS = {
    ShipmentStatus.LABEL: "LABEL_PRINTED",
    ShipmentStatus.SHIPPED: "CARRIER_PICKED_UP",
    ShipmentStatus.IN_TRANSIT: "IN_TRANSIT",
    ShipmentStatus.DELAYED: "DELAYED",
    ShipmentStatus.READY_FOR_PICKUP: "READY_FOR_PICKUP",
    ShipmentStatus.OUT_FOR_DELIVERY: "OUT_FOR_DELIVERY",
    ShipmentStatus.ATTEMPTED: "ATTEMPTED_DELIVERY",
    ShipmentStatus.DELIVERED: "DELIVERED",
    ShipmentStatus.FAILED: "FAILURE",
}


class OrderRecords(Calls, WritesOrders, TagsCustomers, WritesMeta, ABC):
    """Tags, notes and metafields: scopes of the owner (`write_orders`, `write_customers`, `write_products`)."""

    def add_tag(self, access: Access, order_id: str, tag: str) -> None:
        """tagsAdd: a tag that is there stays one tag."""
        self._client.mutate(access, "tags_add", {"id": gid("Order", order_id), "tags": [tag]})

    def tag_customer(self, access: Access, customer_id: str, tag: str) -> None:
        """tagsAdd, unless the customer has the tag: each tagsAdd sends customer.tags_added to every app."""
        customer = gid("Customer", customer_id)
        found = self._client.query(access, "customer_tags", {"id": customer}).get("customer")
        if not found:
            raise Refused("the customer to be tagged is not there", provider_code="NOT_FOUND")
        if tag.strip().lower() not in {str(each).lower() for each in found.get("tags") or ()}:
            self._client.mutate(access, "tags_add", {"id": customer, "tags": [tag]})

    def add_note(self, access: Access, order_id: str, note: str, *, key: str) -> None:
        """Append to the order's note, with a mark of `key` that says it was done.

        orderUpdate replaces the note, so it is read first; a note somebody types between the two calls is lost
        (Shopify offers no compare-and-set here).
        """
        order = gid("Order", order_id)
        found = self._client.query(access, "order_note", {"id": order}).get("order")
        if not found:
            raise Refused("the order to be noted is not there", provider_code="NOT_FOUND")
        mark = f"[kiitos {digest(key)}]"
        present = found.get("note") or ""
        if mark in present:
            return
        changed = f"{present}\n{note} {mark}" if present else f"{note} {mark}"
        self._client.mutate(access, "order_note_update", {"input": {"id": order, "note": changed}})

    def write_meta(self, access: Access, request: MetaRequest) -> None:
        """metafieldsSet in the app's own namespace (`$app`), where no other app can write. Compared by digest, so that
        two workers do not overwrite one another unseen."""
        kind = OWNERS.get(request.owner)
        if kind is None:
            raise Refused(f"Shopify keeps no metafields of a {request.owner}", provider_code="OWNER")
        owner = gid(kind, request.owner_id)
        node = self._client.query(access, "metafield", {"id": owner, "key": request.key}).get("node")
        if not node:
            raise Refused(f"the {request.owner} to be written to is not there", provider_code="NOT_FOUND")
        present = node.get("metafield") or {}
        if present.get("value") == request.value:
            return
        self._set(access, _metafield(owner, request.key, request.value, "single_line_text_field", present))

    def _set(self, access: Access, *metafields: Mapping[str, Any]) -> None:
        try:
            self._client.mutate(access, "metafields_set", {"metafields": list(metafields)})
        except Refused as error:
            if error.provider_code == "STALE_OBJECT":
                raise Transient("Shopify: a metafield changed while it was written", retry_after=1) from error
            raise


class Opinions(OrderRecords, PublishesRatings, WritesConsent, ABC):
    """Ratings (`write_products`) and consent (`write_customers`)."""

    def publish_rating(self, access: Access, request: RatingRequest) -> None:
        """The metafields `reviews.rating` and `reviews.rating_count` of the product, which themes and search engines'
        snippets read. Another review app that writes them too would be overwritten: use one of the two."""
        product = gid("Product", request.product_id)
        found = self._client.query(access, "rating", {"id": product}).get("product")
        if not found:
            raise Refused("the product to be rated is not there", provider_code="NOT_FOUND")
        value = request.average.quantize(Decimal("0.1"), ROUND_HALF_UP)
        rating = {"scale_min": "1.0", "scale_max": "5.0", "value": str(value)}
        wanted = [
            ("rating", "rating", json.dumps(rating), "rating"),
            ("count", "rating_count", str(request.count), "number_integer"),
        ]
        changed = []
        for alias, key, text, kind in wanted:
            present = found.get(alias) or {}
            if not _same(present.get("value"), text):
                changed.append({"namespace": "reviews", **_metafield(product, key, text, kind, present)})
        if changed:
            self._set(access, *changed)
        if request.newest is not None:
            self._list_newest(access, product, [gid("Metaobject", each) for each in request.listed])

    def _list_newest(self, access: Access, product: str, reviews: Sequence[str]) -> None:
        """The product's newest reviews, for the block of the theme: the app's own list of references, which Liquid
        reads. A theme can choose among all reviews of a shop by no other way but reading them all.

        The list is declared in the app's file. Where the app was deployed before it was, or a review was deleted by
        hand, the list is refused: the rating stands, which is what was asked for.
        """
        node = self._client.query(access, "metafield", {"id": product, "key": NEWEST}).get("node") or {}
        present = node.get("metafield") or {}
        text = json.dumps(list(reviews))
        if _same(present.get("value") or "[]", text):
            return
        with suppress(Refused):
            self._set(access, _metafield(product, NEWEST, text, "list.metaobject_reference", present))

    def write_consent(self, access: Access, request: ConsentRequest) -> bool:
        """customerEmailMarketingConsentUpdate or customerSmsMarketingConsentUpdate, with the time of the decision.

        The customer is found by the address itself: the one of `customer_id` may have another address by now.
        """
        email = request.channel is Channel.EMAIL
        if not email and request.channel is not Channel.SMS:
            raise Refused(
                f"Shopify keeps no consent for {request.channel} that we could write", provider_code="CHANNEL"
            )
        identifier = {"emailAddress" if email else "phoneNumber": request.address}
        customer = self._client.query(access, "customer_consent", {"identifier": identifier}).get(
            "customerByIdentifier"
        )
        state, since = _standing(customer or {}, email=email)
        wanted = "SUBSCRIBED" if request.granted else "UNSUBSCRIBED"
        if not customer or state is None:
            return False
        if state == wanted:
            return True
        if since is not None and told_at(since, "customer_consent") > request.at:
            return False
        consent = {
            "marketingState": wanted,
            "marketingOptInLevel": "SINGLE_OPT_IN",
            "consentUpdatedAt": to_text(request.at),
        }
        name, field = ("email_consent_update", "emailMarketingConsent") if email else _SMS
        self._client.mutate(access, name, {"input": {"customerId": customer.get("id"), field: consent}})
        return True


_SMS = ("sms_consent_update", "smsMarketingConsent")


class Parcels(Calls, WritesShipmentEvents, ABC):
    """Scope `write_fulfillments`."""

    def write_shipment_event(self, access: Access, request: ShipmentEventRequest) -> str:
        """fulfillmentEventCreate, unless the parcel has an event of that status within the same minute."""
        status = _EVENT_STATUS.get(request.status)
        if status is None:
            raise Refused(f"Shopify has no parcel event '{request.status}'", provider_code="STATUS")
        parcel = gid("Fulfillment", request.shipment_id)
        for page in self._pages(access, "shipment_events", {"id": parcel}, "fulfillment", "events"):
            if page is None:
                raise Refused("the parcel is not there", provider_code="NOT_FOUND")
            for row in page.get("nodes") or ():
                near = abs(told_at(row.get("happenedAt"), "shipment_events") - request.at) < timedelta(minutes=1)
                if row.get("status") == status and near:
                    return made_id(row, "shipment_events")
        event = {"fulfillmentId": parcel, "status": status, "happenedAt": to_text(request.at)}
        if request.message:
            event["message"] = request.message
        made = self._client.mutate(access, "shipment_event_create", {"event": event})
        return made_id(made.get("fulfillmentEvent"), "shipment_event_create")


def _metafield(owner: str, key: str, value: str, kind: str, present: Mapping[str, Any]) -> dict[str, Any]:
    field = {"ownerId": owner, "key": key, "value": value, "type": kind}
    if present.get("compareDigest"):
        field["compareDigest"] = present["compareDigest"]
    return field


def _same(present: object, wanted: str) -> bool:
    """Whether a metafield has the value already; JSON is compared as such, Shopify writes it in its own form."""
    if not isinstance(present, str):
        return False
    try:
        return bool(json.loads(present) == json.loads(wanted))
    except ValueError:
        return present == wanted


def _standing(customer: Mapping[str, Any], *, email: bool) -> tuple[str | None, str | None]:
    """The customer's present state and since when; `None` where the customer has no such address."""
    if email:
        address = customer.get("defaultEmailAddress") or {}
        return address.get("marketingState"), address.get("marketingUpdatedAt")
    consent = (customer.get("defaultPhoneNumber") or {}).get("smsMarketingConsent") or {}
    return consent.get("state"), consent.get("updatedAt")
