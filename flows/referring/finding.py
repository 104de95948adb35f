"""Whose friend an order is: by its code first, then by what the way to the shop left on it, then by an earlier visit.

A code works across devices and is said aloud, so it goes before everything. A reference is a cart attribute
(`kiitos_ref`, Shopify `note_attributes`) or a part of the landing address (`?kiitos_ref=`, `/discount/CODE`), as
Shopify's `landing_site` and WooCommerce's `_wc_order_attribution_session_entry` keep it. Last comes the journey: the
friend left an address on the friend's page. Each is good for `window` from the visit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qsl, unquote, urlsplit

from connector.model import Order
from connector.store import referral_visits, referrals
from connector.store.db import Tx
from connector.store.referral_visits import Visit
from connector.store.referrals import CodeRow

REFERENCE = "kiitos_ref"
"""The name of the reference in addresses and cart attributes: the token of a visit, or a code."""
BY_CODE, BY_ATTRIBUTE, BY_LANDING, BY_JOURNEY = "code", "attribute", "landing", "journey"
WAYS = {
    BY_CODE: "the order came with the code",
    BY_ATTRIBUTE: "the cart carried the reference of the friend's page",
    BY_LANDING: "the way to the shop began at the friend's page",
    BY_JOURNEY: "the friend had left this address on the friend's page",
}
"""Every way, as a sentence, in the order in which they are believed."""
_DISCOUNT = "/discount/"
_LONGEST = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The code that an order belongs to and the way it was found; `evidence` is what each way said. `visit` is the one
    the order goes back to, whichever way won."""

    code: CodeRow
    way: str
    evidence: dict[str, str] = field(default_factory=dict)
    visit: Visit | None = None


def find(tx: Tx, shop_id: str, order: Order, friend_hash: str, window: timedelta) -> Found | None:
    """The first way that leads to somebody's code; all of them are evidence."""
    evidence: dict[str, str] = {}
    first: tuple[CodeRow, str] | None = None
    visit: Visit | None = None
    for way, code, seen in _ways(tx, shop_id, order, friend_hash, window):
        if way not in evidence:
            evidence[way] = f"{code.code_key} (visit of {seen.at:%Y-%m-%d %H:%M})" if seen else code.code_key
        first = first or (code, way)
        visit = visit or seen
    return Found(code=first[0], way=first[1], evidence=evidence, visit=visit) if first else None


def _ways(
    tx: Tx, shop_id: str, order: Order, friend_hash: str, window: timedelta
) -> Iterator[tuple[str, CodeRow, Visit | None]]:
    for discount in order.discounts:
        code = referrals.code(tx, shop_id, discount.code) if discount.code else None
        if code is not None:
            yield BY_CODE, code, None
    for way, value in references(order):
        seen = referral_visits.get(tx, shop_id, value)
        if seen is not None and not timedelta() <= order.placed_at - seen.at + _SLACK <= window + _SLACK:
            continue
        code = referrals.code(tx, shop_id, seen.code if seen else value)
        if code is not None:
            yield way, code, seen
    since = order.placed_at - window
    for seen in referral_visits.of_friend(tx, shop_id, friend_hash, since, order.placed_at) if friend_hash else ():
        code = referrals.code(tx, shop_id, seen.code)
        if code is not None:
            yield BY_JOURNEY, code, seen


_SLACK = timedelta(minutes=5)
"""Two clocks: the shop's and ours."""


def references(order: Order) -> list[tuple[str, str]]:
    """(way, token of a visit or code) as the order carries them. Pure."""
    found = [(BY_ATTRIBUTE, value) for name, value in order.attributes if name.strip("_").lower() == REFERENCE]
    for address in (order.landing, order.referrer):
        found += [(BY_LANDING, value) for value in _of_address(address or "")]
    return [(way, value.strip()) for way, value in found if 0 < len(value.strip()) <= _LONGEST]


def _of_address(address: str) -> Iterator[str]:
    try:
        parts = urlsplit(address)
    except ValueError:
        return  # an order's landing page is whatever a browser sent
    pairs = parse_qsl(parts.query, max_num_fields=100) if len(parts.query) < 4000 else []
    for name, value in pairs:
        if name == REFERENCE:
            yield value
        elif name == "redirect":
            yield from (v for n, v in parse_qsl(value.partition("?")[2], max_num_fields=20) if n == REFERENCE)
    if parts.path.startswith(_DISCOUNT):
        yield unquote(parts.path.removeprefix(_DISCOUNT)).strip("/")


def refers(order: Order) -> bool:
    """Whether the order may have a referral by more than an earlier visit: what is asked before anything is read."""
    if order.discounts or _points(order.landing) or _points(order.referrer):
        return True
    return bool(order.attributes) and any(_points(name) for name, _ in order.attributes)


def _points(text: str | None) -> bool:
    return text is not None and (_DISCOUNT in text or REFERENCE in text.lower())
