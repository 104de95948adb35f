"""Customers and products read over GraphQL, put into the words of their webhooks: both become the same events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connector.errors import MalformedPayload
from connector.model import Channel, Event, Shop
from platforms.shopify.customers import consent_event, customer_events
from platforms.shopify.fetched import customer_words
from platforms.shopify.payloads import common, people
from platforms.shopify.payloads import shop as raw_shop
from platforms.shopify.reading import UNKNOWN_TIME, convert, time
from platforms.shopify.shop_topics import product_event

CUSTOMER, PRODUCT = "fetch/customer", "fetch/product"

Node = Mapping[str, Any]

_NOBODYS_WORD = frozenset({"not_subscribed", "never_subscribed", "invalid", ""})


def listed_customer_events(node: Node) -> Sequence[Event]:
    """The customer, and what they said about marketing by e-mail and SMS. Raises `MalformedPayload`."""
    try:
        words = {**(customer_words(node) or {}), "state": str(node.get("state") or "").lower()}
        told = [
            _consent(node, Channel.EMAIL, node.get("defaultEmailAddress")),
            _consent(node, Channel.SMS, node.get("defaultPhoneNumber")),
        ]
    except (AttributeError, TypeError) as error:
        raise MalformedPayload("an answer of another shape than asked for", topic=CUSTOMER) from error
    payload = convert(words, common.Customer, CUSTOMER)
    at = time(payload.updated_at) or UNKNOWN_TIME
    return (*customer_events(payload, CUSTOMER, at), *(event for event in told if event is not None))


def _consent(node: Node, channel: Channel, place: Node | None) -> Event | None:
    """The state of an address; `None` where nobody ever decided anything."""
    if not place:
        return None
    if channel is Channel.EMAIL:
        said: Node = {
            "state": place.get("marketingState"),
            "optInLevel": place.get("marketingOptInLevel"),
            "updatedAt": place.get("marketingUpdatedAt"),
        }
        address = place.get("emailAddress")
    else:
        said = place.get("smsMarketingConsent") or {}
        address = place.get("phoneNumber")
    state = str(said.get("state") or "").lower()
    if state in _NOBODYS_WORD and not said.get("updatedAt"):
        return None
    consent = people.ConsentState(
        state=state,
        opt_in_level=str(said.get("optInLevel") or "").lower() or None,
        consent_updated_at=said.get("updatedAt"),
        consent_collected_from=str(said.get("collectedFrom") or "").lower() or None,
    )
    otherwise = time(node.get("updatedAt")) or UNKNOWN_TIME
    return consent_event(channel, str(node.get("id")), address, consent, CUSTOMER, otherwise)


def listed_product_events(node: Node, shop: Shop) -> Sequence[Event]:
    """The product. Raises `MalformedPayload`."""
    try:
        media = ((node.get("featuredMedia") or {}).get("preview") or {}).get("image") or {}
        words = {
            "id": node.get("id"),
            "title": node.get("title"),
            "updated_at": node.get("updatedAt"),
            "handle": node.get("handle"),
            "product_type": node.get("productType"),
            "vendor": node.get("vendor"),
            "status": str(node.get("status") or "").lower(),
            "tags": node.get("tags"),
            "image": {"src": media.get("url")} if media.get("url") else None,
        }
    except (AttributeError, TypeError) as error:
        raise MalformedPayload("an answer of another shape than asked for", topic=PRODUCT) from error
    return (product_event(convert(words, raw_shop.Product, PRODUCT), PRODUCT, UNKNOWN_TIME, shop),)
