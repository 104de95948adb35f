"""Who earned a referral: rules about one order and the owner of the code it used. Pure; the ledger is elsewhere.

A reward is refused where the friend is plainly the advocate (promises B1 row 29): the same address once dots, `+tag`
and Unicode forms are taken away, the same customer, phone or home; or where the friend had bought before.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.model import Address, Money, Order, OrderStatus, Shop, email_key

_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_NEVER_BOUGHT = frozenset({OrderStatus.CANCELLED, OrderStatus.FAILED, OrderStatus.DRAFT, OrderStatus.DELETED})

REASONS = {
    "test_order": "the order is a test",
    "order_over": "the order was cancelled or failed",
    "undone": "money had gone back before the payment was known",
    "friend_unknown": "nobody can say who ordered",
    "same_email": "friend and advocate share an e-mail address",
    "same_customer": "friend and advocate are one customer of the shop",
    "same_phone": "friend and advocate share a phone number",
    "same_address": "friend and advocate live at one address",
    "existing_customer": "the friend had bought here before",
    "other_currency": "the order is not in the currency of the minimum",
    "below_minimum": "the order is smaller than the minimum",
}
"""Every reason of a refusal, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOwner:
    """Whose code it is. `order` is an order of theirs, for phone and home; `None` where none is known."""

    code: str
    email_key: str | None = field(default=None, repr=False)
    customer_id: str | None = None
    order: Order | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Attributed:
    """The advocate has earned the reward, once the return window is over."""

    code: str


@dataclass(frozen=True, slots=True)
class RefusedReferral:
    """No reward. `reason` is a key of `REASONS`."""

    reason: str

    @property
    def text(self) -> str:
        return REASONS[self.reason]


def attribute(
    order: Order,
    code_owner: CodeOwner,
    shop: Shop,
    earlier_orders: Sequence[Order],
    *,
    minimum: Money | None = None,
) -> Attributed | RefusedReferral:
    """Decide about the friend's `order`. `earlier_orders` are the friend's own, older than this one."""
    reason = _refusal(order, code_owner, shop, earlier_orders, minimum)
    return RefusedReferral(reason) if reason else Attributed(code_owner.code)


def _refusal(order: Order, owner: CodeOwner, shop: Shop, earlier: Sequence[Order], minimum: Money | None) -> str | None:
    if order.is_test:
        return "test_order"
    if order.status in _NEVER_BOUGHT or order.cancelled_at is not None:
        return "order_over"
    customer = order.customer
    email = order.email or (customer.email if customer else None)
    customer_id = customer.id if customer else None
    if person_key(email) is None and customer_id is None:
        return "friend_unknown"
    itself = _same_person(order, email, customer_id, owner, shop)
    if itself is not None:
        return itself
    bought = [other for other in earlier if other.id != order.id and other.status not in _NEVER_BOUGHT]
    if bought or (customer is not None and (customer.orders_count or 0) > 1):
        return "existing_customer"
    if minimum is None:
        return None
    if order.total.currency != minimum.currency:
        return "other_currency"
    return "below_minimum" if order.total < minimum else None


def _same_person(order: Order, email: str | None, customer_id: str | None, owner: CodeOwner, shop: Shop) -> str | None:
    theirs = owner.order
    if _shared(person_key(email), person_key(owner.email_key)):
        return "same_email"
    owner_id = owner.customer_id or (theirs.customer.id if theirs and theirs.customer else None)
    if _shared(customer_id, owner_id):
        return "same_customer"
    if theirs is None:
        return None
    if phones_of(order, shop) & phones_of(theirs, shop):
        return "same_phone"
    return "same_address" if _shared(home_of(order), home_of(theirs)) else None


def _shared(one: str | None, other: str | None) -> bool:
    return one is not None and one == other


def person_key(email: str | None) -> str | None:
    """The form in which addresses of one mailbox are the same. For comparing only: never for sending.

    >>> person_key("Ai.No+shop@googlemail.com")
    'aino@gmail.com'
    """
    key = email_key(unicodedata.normalize("NFKC", email or ""))
    if key is None:
        return None
    local, _, domain = key.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _GMAIL:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def phones_of(order: Order, shop: Shop) -> set[str]:
    """All numbers of an order in E.164, a local number read as the shop's country writes it."""
    places = (order.billing_address, order.shipping_address)
    written = [order.phone, *(place.phone for place in places if place)]
    if order.customer is not None:
        written.append(order.customer.phone)
    return {number for number in (_e164(phone, shop.country) for phone in written if phone) if number}


def _e164(phone: str, country: str | None) -> str | None:
    # Here and not above: only a reward that is due asks for it, and no other process should wait for its tables.
    import phonenumbers

    try:
        number = phonenumbers.parse(phone, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def home_of(order: Order) -> str | None:
    """A digest of where the person lives. Billing before shipping: strangers share a parcel locker."""
    place: Address | None = order.billing_address or order.shipping_address
    if place is None or not place.lines or not place.postcode:
        return None
    written = " ".join((*place.lines, place.postcode, place.country or ""))
    plain = "".join(c for c in unicodedata.normalize("NFKC", written).casefold() if c.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
