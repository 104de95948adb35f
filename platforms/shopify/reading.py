"""How single values of a payload are read: ids, texts, times, money. Pure; raises only `MalformedPayload`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from connector.errors import MalformedPayload
from connector.model import Money
from platforms.shopify.payloads.common import Amount, Id, MoneySet, Named

P = TypeVar("P")

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""When neither body nor headers tell a time: old enough to start no flow, while it still ends runs."""

_PLACE = re.compile(r" - at `([^`]*)`$")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LONGEST_KEPT = 32  # of an amount's characters: longer ones are read, and forgotten
_LARGEST_EXPONENT = 24  # beyond it an amount is no price, and Decimal arithmetic may overflow


def read(body: bytes, kind: type[P], topic: str) -> P:
    """Read a body as `kind`. Raises `MalformedPayload` with the path of the first fault; no value is quoted."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error, topic) from None


def convert(value: object, kind: type[P], topic: str) -> P:
    """Turn parsed JSON (a GraphQL answer put into webhook words) into `kind`; errors as in `read`."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _malformed(error, topic) from None


def _malformed(error: Exception, topic: str) -> MalformedPayload:
    text = str(error)
    place = _PLACE.search(text)
    path = place[1].removeprefix("$").removeprefix(".") if place else ""
    return MalformedPayload(_PLACE.sub("", text) or type(error).__name__, topic=topic, path=path)


def ident(value: Id | None) -> str | None:
    """The id as text: `gid://shopify/Order/123?x=y` becomes `123`. `None` for null, empty and 0."""
    if isinstance(value, str):
        value = value.rpartition("/")[2].partition("?")[0].replace("\x00", "").strip()
    return str(value) if value else None


def required_id(value: Id | None, topic: str, path: str) -> str:
    """As `ident`, but what has none is no payload."""
    found = ident(value)
    if found is None:
        raise MalformedPayload("an id is missing", topic=topic, path=path)
    return found


def text(value: str | None) -> str | None:
    """The text, `None` for "" and blanks. NUL goes: PostgreSQL keeps none in a text."""
    if value is None:
        return None
    return value.replace("\x00", "").strip() or None


def texts(values: Iterable[str | None] | None) -> tuple[str, ...]:
    """What is not empty, each once, in order."""
    if not values:
        return ()
    return tuple(dict.fromkeys(found for value in values or () if (found := text(value))))


def tags(value: str | list[str] | None) -> tuple[str, ...]:
    """Tags are `"a, b"` in webhooks, a list in GraphQL."""
    return texts(value.split(",") if isinstance(value, str) else value)


def pairs(values: list[Named] | dict[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """Attributes and properties as text pairs. Null and nested values are left out."""
    if not values:
        return ()
    found = values.items() if isinstance(values, dict) else ((item.name, item.value) for item in values or ())
    kept = []
    for name, value in found:
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(name, str) and text(name) and isinstance(value, (str, int, float)):
            kept.append((name.replace("\x00", ""), str(value).replace("\x00", "")))
    return tuple(kept)


def time(value: str | None) -> datetime | None:
    """A time in UTC, `None` where there is none or it cannot be read.

    Fractions beyond microseconds (`X-Shopify-Triggered-At` has nanoseconds) are cut. Without an offset it is no time.
    """
    if not value:
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def required_time(value: str | None, topic: str, path: str) -> datetime:
    """As `time`, but an unreadable one is a fault of the payload."""
    at = time(value)
    if at is None:
        raise MalformedPayload("not a time with an offset", topic=topic, path=path)
    return at


def currency(code: str | None, otherwise: str, topic: str, path: str) -> str:
    """The ISO 4217 code in capitals, `otherwise` where there is none. Raises `MalformedPayload` for anything else."""
    found = (text(code) or otherwise).upper()
    if not _CURRENCY.fullmatch(found):
        raise MalformedPayload("not a currency code", topic=topic, path=path)
    return found


def money(amount: Amount | None, currency: str | None, topic: str, path: str, below: str = "") -> Money | None:
    """An amount in a currency; `None` where there is no amount. `below` is where under `path` it stands."""
    if amount is None or amount == "":
        return None
    try:
        kept = not isinstance(amount, str) or len(amount) <= _LONGEST_KEPT
        return (_price if kept else _price.__wrapped__)(amount, currency or "")
    except TypeError as error:
        raise MalformedPayload(str(error), topic=topic, path=path + below) from None


@lru_cache(maxsize=4096, typed=True)
def _price(amount: Amount, currency: str) -> Money:
    # Kept, because the same prices come again and again: an order names thirty amounts, most of them seen before.
    found = Money.parse(amount, currency)
    if found.amount and abs(found.amount.adjusted()) > _LARGEST_EXPONENT:
        raise TypeError("an amount of this size is no price")
    return found


class Till:
    """Reads an order's amounts in the one currency the customer paid in.

    Shopify gives every amount twice: in the shop's currency (`price`) and as a set with both. The presentment amount is
    taken where the set has it in the order's currency; else the shop's amount, honestly in the shop's currency.
    """

    def __init__(self, topic: str, currency: str, shop_currency: str) -> None:
        self.topic = topic
        self.currency = currency
        self.shop_currency = shop_currency

    def read(self, money_set: MoneySet | None, amount: Amount | None, path: str) -> Money | None:
        """The amount at `path`, `None` where there is none."""
        shown = money_set.presentment_money if money_set else None
        if shown and (code := shown.currency_code) and (code == self.currency or code.strip().upper() == self.currency):
            found = money(shown.amount, self.currency, self.topic, path, "_set.presentment_money.amount")
            if found is not None:
                return found
        if amount is None and money_set and money_set.shop_money:
            amount = money_set.shop_money.amount
        return money(amount, self.shop_currency, self.topic, path)

    def required(self, money_set: MoneySet | None, amount: Amount | None, path: str) -> Money:
        found = self.read(money_set, amount, path)
        if found is None:
            raise MalformedPayload("an amount is missing", topic=self.topic, path=path)
        return found
