"""People and shops."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from unicodedata import normalize

from connector.model.changing import quick
from connector.model.enums import Channel, ConsentState, Purpose, ShopStatus
from connector.model.money import Money


@lru_cache(maxsize=512)
def email_key(email: str | None) -> str | None:
    """The form in which two spellings of an address are the same: trimmed, lower case, domain in ASCII (IDNA),
    letters composed (NFC: some phones type an accent as a sign of its own).

    Joins, consent and suppression use it; mail is sent to the address as the customer typed it.
    `None` for an empty or plainly impossible address. The last ones are kept: one order asks eight times.

    >>> email_key(" Aino.Makinen@Example.TEST ")
    'aino.makinen@example.test'
    """
    text = (email or "").strip().lower()
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or len(text.split()) != 1:
        return None
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    if not local.isascii():
        local = normalize("NFC", local)
    return f"{local}@{domain}"


GUEST_PREFIX = "guest-"
"""What the ids of people without an account begin with."""


def guest_id(email_key: str) -> str:
    """What stands for the id of somebody without an account: a digest of their address, which it does not show."""
    return f"{GUEST_PREFIX}{hashlib.sha256(email_key.encode()).hexdigest()[:20]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A connected store. `locale` is BCP 47, `timezone` an IANA name, `country` ISO 3166 alpha-2.

    `support_email`, `address_lines` are the seller's contact details shown in every mail.
    """

    id: str
    client_id: str
    platform: str
    domain: str
    name: str
    currency: str = "EUR"
    timezone: str = "UTC"
    locale: str = "en"
    country: str | None = None
    status: ShopStatus = ShopStatus.ACTIVE
    url: str | None = None
    support_email: str | None = None
    support_phone: str | None = None
    address_lines: tuple[str, ...] = ()
    logo_url: str | None = None
    accent_color: str = "#1f5c4d"
    platform_shop_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address as the platform gave it; every part may be missing. `country` is ISO alpha-2."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    lines: tuple[str, ...] = ()
    city: str | None = None
    region: str | None = None
    postcode: str | None = None
    country: str | None = None
    phone: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A person of a shop. A guest has no `id`; identity is then `email_key(email)`.

    `tags`, `orders_count` and `total_spent` are `None` where the platform did not say: not the same as none.
    `birthday` is an ISO date (`1990-03-02`), or `--03-02` where the year is nobody's business.
    """

    id: str | None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    tags: tuple[str, ...] | None = None
    orders_count: int | None = None
    total_spent: Money | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    default_address: Address | None = None
    deleted: bool = False
    birthday: str | None = None

    @property
    def email_key(self) -> str | None:
        return email_key(self.email)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One entry of the consent ledger, as somebody gave or withdrew it.

    `address` is an e-mail address or a phone number in E.164, or `None` where the platform only named the
    customer (`customer_id`). `at` is when the person decided, not when we heard.
    """

    channel: Channel
    purpose: Purpose
    state: ConsentState
    raw_state: str
    at: datetime
    source: str
    address: str | None = None
    customer_id: str | None = None
    evidence: str = ""
