"""Addresses, customers and languages of WooCommerce."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from connector.model import Address, Customer
from platforms.woocommerce.fields import email, ident, items, line, moment
from platforms.woocommerce.payloads import AddressBody, CustomerBody, Meta

# WooCommerce has no language of its own: multilingual plug-ins leave it in meta (facts/messaging.md section 6).
LOCALE_KEYS = (
    "wpml_language",
    "trp_language",
    "pll_language",
    "weglot_language",
    "_order_language",
    "customer_language",
    "_customer_language",
    "locale",
)

TAGS_META = "_kiitos_tags"
"""Our tags, of orders and of accounts: WooCommerce has none."""

# People who run the shop get an account too; nobody welcomes them as customers.
STAFF_ROLES = frozenset({"administrator", "shop_manager", "editor", "author", "contributor"})

_BIRTHDAY = re.compile(r"(?:^|_)(?:birthday|birth_?date|date_of_birth|dob)$")
_ISO_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}")


def meta_values(meta: Any) -> dict[str, Any]:
    """`meta_data` by key. Of a key given twice the last wins, as in the shop."""
    found: dict[str, Any] = {}
    for entry in items(meta):
        if isinstance(entry, Meta) and isinstance(entry.key, str):
            found[entry.key] = entry.value
    return found


def locale_tag(value: Any) -> str | None:
    """A WordPress or plug-in language code as BCP 47; variants such as `_formal` are dropped.

    >>> locale_tag("de_DE_formal"), locale_tag("zh-hans"), locale_tag("fi")
    ('de-DE', 'zh-Hans', 'fi')
    """
    language, *rest = (line(value) or "").replace("_", "-").split("-")
    if not _LANGUAGE.fullmatch(language):
        return None
    tag = [language.lower()]
    for part in rest:
        if len(part) == 4 and part.isalpha() and part.isascii():
            tag.append(part.title())
        elif len(part) == 2 and part.isalpha() and part.isascii():
            tag.append(part.upper())
    return "-".join(tag)


def locale_of(meta: Mapping[str, Any], lang: Any = None) -> str | None:
    """The language the customer shopped in, if a plug-in kept it. `lang` is Polylang's own REST field."""
    for candidate in (*(meta.get(key) for key in LOCALE_KEYS), lang):
        tag = locale_tag(candidate)
        if tag is not None:
            return tag
    return None


def read_address(body: Any) -> Address | None:
    """A postal address, or `None` when there is no more than the shop's default country or a phone number."""
    if not isinstance(body, AddressBody):
        return None
    country = line(body.country)
    address = Address(
        first_name=line(body.first_name),
        last_name=line(body.last_name),
        company=line(body.company),
        lines=tuple(part for part in (line(body.address_1), line(body.address_2)) if part),
        city=line(body.city),
        region=line(body.state),
        postcode=line(body.postcode),
        country=country.upper() if country and len(country) == 2 else None,
        phone=line(body.phone),
    )
    told = (address.lines, address.city, address.postcode, address.first_name, address.last_name, address.company)
    return address if any(told) else None


def buyer(customer_id: Any, billing: Any, locale: str | None) -> Customer | None:
    """The person an order names: its billing details, under the account's id unless it is a guest (id 0).

    Without `updated_at`: what somebody typed at one checkout is no newer word on the account itself.
    """
    body = billing if isinstance(billing, AddressBody) else AddressBody()
    customer = Customer(
        id=ident(customer_id),
        email=email(body.email),
        phone=line(body.phone),
        first_name=line(body.first_name),
        last_name=line(body.last_name),
        locale=locale,
        default_address=read_address(billing),
    )
    known = (customer.id, customer.email, customer.phone, customer.first_name, customer.last_name)
    return customer if any(known) else None


def birthday_of(meta: Mapping[str, Any]) -> str | None:
    """The birthday a plugin keeps with the account, as an ISO date. WooCommerce has no such field; plugins name theirs
    freely (WooRewards lets the merchant type the key: https://plugins.longwatchstudio.com/docs/woorewards-4/points/birthday/),
    so the key is known by its end. Only a whole date is taken: 03/02/1990 is February to some and March to others.
    """
    for key, value in meta.items():
        found = _ISO_DAY.fullmatch(value.strip()) if isinstance(value, str) and _BIRTHDAY.search(key) else None
        if found is not None:
            with suppress(ValueError):
                return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    return None


def read_customer(body: CustomerBody) -> Customer:
    """An account. A role other than `customer` (subscriber, wholesale_customer) becomes a tag; without a role nothing
    is known of tags.

    Raises `MalformedPayload` for dates that cannot be read.
    """
    billing = body.billing if isinstance(body.billing, AddressBody) else AddressBody()
    role = line(body.role)
    meta = meta_values(body.meta_data)
    ours = [tag for tag in (line(entry) for entry in items(meta.get(TAGS_META))) if tag]
    created = moment(body.date_created_gmt, "$.date_created_gmt")
    return Customer(
        id=str(body.id),
        email=email(body.email),
        phone=line(billing.phone),
        first_name=line(body.first_name) or line(billing.first_name),
        last_name=line(body.last_name) or line(billing.last_name),
        locale=locale_of(meta),
        tags=None if role is None else (*((role,) if role != "customer" else ()), *ours),
        created_at=created,
        updated_at=moment(body.date_modified_gmt, "$.date_modified_gmt") or created,
        default_address=read_address(billing) or read_address(body.shipping),
        birthday=birthday_of(meta),
    )
