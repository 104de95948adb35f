"""Whom a message reaches, in which language, with which links: everything a template needs beyond the facts."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from connector.model import Address, Channel, Customer, Order, Purpose, Shop, email_key
from connector.model.changing import quick
from connector.store import entities, links, preferences, referrals
from connector.store.db import Tx
from flows.knowing.situation import Situation

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for second in _ALPHABET for first in _ALPHABET]  # ten bits at once, the lower five first


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The person behind `to = "customer" | "friend" | "advocate"`. `address` is as they typed it, `None` if unknown;
    for another `medium` than e-mail a number in E.164. `of_order`: who ordered, and not an advocate. `postal`:
    where a letter goes."""

    address: str | None = None
    name: str = ""
    locale: str | None = None
    customer_id: str | None = None
    medium: str = "email"
    of_order: bool = False
    postal: Address | None = None

    @property
    def email_key(self) -> str | None:
        return email_key(self.address)

    @property
    def key(self) -> str | None:
        """The address in the form consent and suppressions know it."""
        return self.email_key if Channel.of(self.medium).by_email else self.address


def derive_token(salt: bytes, *parts: str, length: int = 26) -> str:
    """An unguessable base-32 text that is the same for the same parts (5 bits a character, 26 = 130 bits)."""
    digest = hmac.digest(salt, "|".join(parts).encode(), hashlib.sha256)
    number = int.from_bytes(digest, "big")
    return "".join([_PAIRS[(number >> at) & 1023] for at in range(0, 5 * length, 10)])[:length]


def recipient_of(tx: Tx, shop: Shop, to: str, situation: Situation) -> Recipient:
    """Find the person. The advocate of a referral is found through the friend's order. The language they chose on the
    preference page goes before the order's."""
    found = _recipient(tx, shop, to, situation)
    chosen = preferences.get(tx, shop.id, found.email_key).locale
    return replace(found, locale=chosen) if chosen else found


def _recipient(tx: Tx, shop: Shop, to: str, situation: Situation) -> Recipient:
    return _advocate(tx, shop, situation.order) if to == "advocate" else buyer(situation)


def buyer(situation: Situation) -> Recipient:
    """Whoever ordered, or began the cart. Pure."""
    order, customer = situation.order, situation.customer
    address = (order.email if order else None) or (customer.email if customer else None)
    return Recipient(
        address=address,
        name=_name(order, customer),
        locale=(order.locale if order else None) or (customer.locale if customer else None),
        customer_id=customer.id if customer else None,
        of_order=True,
    )


def _advocate(tx: Tx, shop: Shop, order: Order | None) -> Recipient:
    referral = referrals.by_order(tx, shop.id, order.id) if order else None
    if referral is None or not referral.advocate_email_key:
        return Recipient()
    orders = entities.orders_of(tx, shop.id, referral.advocate_email_key, limit=1)
    if orders:
        first = orders[0]
        return Recipient(
            address=first.email or referral.advocate_email_key,
            name=_name(first, first.customer),
            locale=first.locale,
            customer_id=first.customer.id if first.customer else None,
        )
    customer = entities.customer_by_email(tx, shop.id, referral.advocate_email_key)
    return Recipient(
        address=referral.advocate_email_key,
        name=_name(None, customer),
        locale=customer.locale if customer else None,
        customer_id=customer.id if customer else None,
    )


def _name(order: Order | None, customer: Customer | None) -> str:
    address = (order.shipping_address or order.billing_address) if order else None
    return (customer and customer.first_name) or (address and address.first_name) or ""


def links_for(
    tx: Tx,
    *,
    shop: Shop,
    purpose: Purpose,
    recipient: Recipient,
    situation: Situation,
    steps: Mapping[str, Mapping[str, str]],
    base_url: str,
    salt: bytes,
    now: datetime,
    survey: str = "",
    push: bool = False,
    order_page: bool = False,
    share: bool = False,
    case: bool = False,
    points: bool = False,
) -> dict[str, str]:
    """The addresses a message of this purpose may show; pages behind them are stored here, once each. `survey`: the
    question whose page is wanted, by its id; `push`: the template asks for the page of notifications, `order_page` for
    the page of an order, `share` for the advocate's own, `case` for that of returns and complaints, `points` for
    that of somebody's points."""
    order = situation.order
    found = {"shop": shop.url or f"https://{shop.domain}"}
    if order is not None and order.status_url:
        found["order_status"] = order.status_url

    def page(kind: str, path: str, data: dict[str, str], *parts: str) -> str:
        token = derive_token(salt, "link", shop.id, kind, *parts)
        links.put(tx, shop.id, token, kind, {**data, "locale": recipient.locale or shop.locale}, now)
        return f"{base_url}/p/{path}/{token}"

    if push and recipient.email_key is not None and recipient.medium == "email":
        found["push"] = page("push", "push", {"address": recipient.email_key}, recipient.email_key)
    if order_page and order is not None and recipient.of_order:
        found["order_page"] = page("order", "order", {"order": order.id}, order.id)
    mine = referrals.code_of(tx, shop.id, recipient.email_key) if share and recipient.email_key else None
    if mine is not None:
        found["share"] = page(
            "share", "share", {"code": mine.code_key, "address": mine.advocate_email_key}, mine.code_key
        )
    if case and order is not None and recipient.of_order:
        found["case"] = page("case", "case", {"order": order.id}, order.id)
    if points and recipient.email_key is not None and recipient.medium == "email":
        found["points"] = page("loyalty", "loyalty", {"address": recipient.email_key}, recipient.email_key)
    if not purpose.needs_consent or recipient.key is None:
        return found

    found["unsubscribe"] = page(
        "unsubscribe",
        "unsubscribe",
        {"address": recipient.key, "purpose": purpose, **_channel_of(recipient)},
        recipient.key,
        purpose,
    )
    # The same token: who may stop these messages may choose among them, and there is no second row to keep.
    found["preferences"] = found["unsubscribe"].replace("/p/unsubscribe/", "/p/preferences/")
    if survey:
        found["survey"] = page("survey", "survey", {"ask": survey}, survey)
    if purpose is Purpose.REVIEW and order is not None:
        found["review"] = page("review", "review", {"order": order.id}, order.id)
    code = with_code(steps).get("code")
    if purpose is Purpose.REFERRAL and code is not None:
        data = {"code": code["code"], "url": code.get("url", "")}
        found["referral"] = page("referral", "friend", data, code["code"])
    return found


def _channel_of(recipient: Recipient) -> dict[str, str]:
    return {} if recipient.medium == "email" else {"channel": recipient.medium}


def with_code(steps: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """The outcomes of earlier steps, where `code` is the newest one that made a code, whatever its author called it.

    So the shipped templates can say `steps.code.code` in every flow.
    """
    made = [values for values in steps.values() if values.get("code") and values.get("outcome") == "done"]
    return {**steps, "code": made[-1]} if made else dict(steps)
