"""The parts many payloads share. Unknown keys are ignored, so new ones cost nothing.

Shapes: facts/shopify.md sections 1 and 6. Nearly everything may be null or missing (protected customer data comes as
null); only what an event cannot do without is required. Ids are JSON integers beyond 2^53 or gids, amounts are text or
numbers.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Id = int | str
Amount = str | int | float
Count = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31)]  # a count beyond that is a fault, and no database takes it


class Money(msgspec.Struct):
    amount: Amount | None = None
    currency_code: str | None = None


class MoneySet(msgspec.Struct):
    shop_money: Money | None = None
    presentment_money: Money | None = None


class Named(msgspec.Struct):
    """A cart attribute or line property; values may be numbers, null or nested."""

    name: Any = None
    value: Any = None


class Address(msgspec.Struct):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    zip: str | None = None
    country_code: str | None = None
    phone: str | None = None


MaybeAddress = Address | list[Any] | None  # some checkouts carry [] where there is no address


class Customer(msgspec.Struct):
    """Also what is left of one (`{}` or only an id)."""

    id: Id | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    tags: str | list[str] | None = None
    orders_count: Count | None = None
    total_spent: Amount | None = None
    currency: str | None = None
    state: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    default_address: MaybeAddress = None
    birthday: str | None = None


class DiscountCode(msgspec.Struct):
    code: str | None = None
    amount: Amount | None = None
