"""When two people look alike on paper: names, mail addresses and homes that are nearly the same. Pure.

Each says yes for what fraud in practice looks like (a dot, a nickname, a missing flat number) and no for what honest
people share: a surname, a street, a building, a parcel locker.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files

from connector.model import Address, Order
from flows.referring.referral import person_key

_SHARED_BOXES = frozenset(
    {"info", "office", "sales", "contact", "hello", "admin", "shop", "service", "support", "kontakt", "myynti"}
)
"""Local parts that say nothing about who writes."""
_LONG_ENOUGH = 6


def plain(text: str) -> str:
    """Letters and digits without case and marks: `Mäkinen` and `MAKINEN` are one.

    >>> plain("Äiti-Mäki 3 A")
    'aitimaki3a'
    """
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in apart if c.isalnum())


def names_of(order: Order) -> set[tuple[str, str]]:
    """The (first, last) names an order bears, plain; only whole ones."""
    people = (order.customer, order.billing_address, order.shipping_address)
    found = {(plain(p.first_name or ""), plain(p.last_name or "")) for p in people if p is not None}
    return {(first, last) for first, last in found if first and last}


def similar_name(one: Iterable[tuple[str, str]], other: Iterable[tuple[str, str]]) -> bool:
    """The same person's name as people write it: the first name or its initial, with a slip in the surname, or turned
    round. Two first names of one family are two people."""
    return any(_alike(a, b) or _alike(a, (b[1], b[0])) for a in one for b in other)


def _alike(a: tuple[str, str], b: tuple[str, str]) -> bool:
    return _same_first(a[0], b[0]) and _one_slip(a[1], b[1])


def _same_first(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and (len(short) == 1 or len(short) == len(long) or len(short) >= 4)


def _one_slip(one: str, other: str) -> bool:
    """Equal, or one letter too many, too few or wrong in a name long enough for that to be a slip."""
    if one == other:
        return True
    if min(len(one), len(other)) < 5 or abs(len(one) - len(other)) > 1:
        return False
    return SequenceMatcher(None, one, other).ratio() >= 1 - 2 / (len(one) + len(other))


def similar_email(one: str | None, other: str | None) -> bool:
    """Two mailboxes whose local part is the same but for digits, dots and dashes: `aino.m`, `ainom2`."""
    a, b = _stem(one), _stem(other)
    return bool(a) and a == b


def _stem(email: str | None) -> str:
    local = (person_key(email) or "").partition("@")[0]
    stem = "".join(c for c in plain(local) if c.isalpha())
    return stem if len(stem) >= _LONG_ENOUGH and stem not in _SHARED_BOXES else ""


def similar_home(one: Address | None, other: Address | None) -> bool:
    """One home written in two ways: the flat or staircase left out, `as.` put before it, a slip in the street. Another
    number or another staircase is another home."""
    a, b = _street(one), _street(other)
    if not a or not b or one is None or other is None or plain(one.postcode or "") != plain(other.postcode or ""):
        return False
    (street, number), (street_too, number_too) = _parts(a), _parts(b)
    if not number or not number_too or SequenceMatcher(None, street, street_too).ratio() < 0.88:
        return False
    short, long = sorted((number, number_too), key=len)
    if long.startswith(short) and short.isdigit() and not long[len(short) :][:1].isdigit():
        return True
    return _digits(short) == _digits(long) and _left_out(short, long)


def _parts(street: str) -> tuple[str, str]:
    """The name of a street, and everything from the first number on."""
    at = next((index for index, letter in enumerate(street) if letter.isdigit()), len(street))
    return street[:at], street[at:]


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


def _left_out(short: str, long: str) -> bool:
    """Whether `short` is `long` with letters left out."""
    rest = iter(long)
    return all(letter in rest for letter in short)


def same_home(one: Address | None, other: Address | None) -> bool:
    a, b = _street(one), _street(other)
    return bool(a) and a == b and plain(one.postcode or "") == plain(other.postcode or "") if one and other else False


def _street(place: Address | None) -> str:
    return plain(" ".join(place.lines)) if place is not None and place.postcode else ""


def is_disposable(email: str | None, more: Iterable[str] = ()) -> bool:
    """Whether the mailbox is one that anybody may have for a few minutes."""
    domain = (person_key(email) or "").rpartition("@")[2]
    known = {*_disposable(), *more}
    return any(domain == each or domain.endswith(f".{each}") for each in known) if domain else False


@cache
def _disposable() -> frozenset[str]:
    lines = files("flows.referring").joinpath("disposable.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
