"""By what one person is known again in two orders: the mailbox once dots, `+tag` and Unicode forms are taken away, the
telephone, the home. Pure; the rules that compare them are `flows.referring.rules`'s (promises B1 row 29).
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, field

from connector.model import Address, Order, Shop, email_key

_GMAIL = frozenset({"gmail.com", "googlemail.com"})

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
