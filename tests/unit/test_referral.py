"""Who earned a referral: scripted frauds are refused, honest friends are not."""

from __future__ import annotations

from typing import Any

import pytest

from connector.model import Address, Customer, Money, OrderStatus
from flows.referring.referral import REASONS, Attributed, CodeOwner, RefusedReferral, attribute, person_key
from tests.engine.world import SHOP, order

HOME = Address(lines=("Koivukuja 3 A 4",), postcode="00100", city="Helsinki", country="FI", phone="040 123 4567")
AWAY = Address(lines=("Rantatie 9",), postcode="33100", city="Tampere", country="FI", phone="050 765 4321")
AINO_ORDER = order(id="o0", billing_address=HOME, shipping_address=HOME)
AINO = CodeOwner(code="FRIEND-1", email_key="aino.makinen@gmail.com", customer_id="c-1", order=AINO_ORDER)
EERO = Customer(id="c-2", email="eero@example.com", orders_count=1)


def friend(**more: Any) -> Any:
    given = {
        "id": "o2", "customer": EERO, "email": "eero@example.com", "billing_address": AWAY, "shipping_address": AWAY,
    }  # fmt: skip
    return order(**{**given, **more})


def test_an_honest_friend() -> None:
    assert attribute(friend(), AINO, SHOP, []) == Attributed("FRIEND-1")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"is_test": True}, "test_order"),
        ({"status": OrderStatus.CANCELLED}, "order_over"),
        ({"email": None, "customer": None}, "friend_unknown"),
        ({"email": "aino.makinen@gmail.com"}, "same_email"),
        ({"email": "AinoMakinen+new@GoogleMail.com"}, "same_email"),
        ({"email": "ａino.makinen@gmail.com"}, "same_email"),
        ({"customer": Customer(id="c-1", email="eero@example.com")}, "same_customer"),
        ({"phone": "+358401234567"}, "same_phone"),
        ({"customer": Customer(id="c-2", phone="0401234567")}, "same_phone"),
        ({"billing_address": Address(lines=("koivukuja 3 a 4",), postcode="00100", country="FI")}, "same_address"),
        ({"customer": Customer(id="c-2", orders_count=3)}, "existing_customer"),
    ],
)
def test_refusals(more: dict[str, Any], reason: str) -> None:
    found = attribute(friend(**more), AINO, SHOP, [])
    assert found == RefusedReferral(reason)
    assert found.text == REASONS[reason]


@pytest.mark.parametrize(
    "more",
    [
        {"email": "aino.makinen@example.com"},
        {"email": "ainomakinen@gmail.test"},
        {"phone": "not a number"},
        {"phone": "+46401234567"},
        # A parcel locker: strangers share its address, not their own.
        {"shipping_address": HOME, "billing_address": Address(lines=("Rantatie 9",), postcode="33100", country="FI")},
        {"billing_address": Address(lines=("Koivukuja 3 A 5",), postcode="00100", country="FI")},
        {"billing_address": Address(city="Helsinki"), "shipping_address": None},
        {"customer": Customer(id=None, email="eero@example.com")},
    ],
)
def test_honest_households(more: dict[str, Any]) -> None:
    if "shipping_address" in more and more["shipping_address"] is HOME:
        more = {**more, "shipping_address": Address(lines=HOME.lines, postcode="00100", country="FI")}
    assert attribute(friend(**more), AINO, SHOP, []) == Attributed("FRIEND-1")


def test_an_earlier_order_counts_unless_it_came_to_nothing() -> None:
    assert attribute(friend(), AINO, SHOP, [order(id="o1")]) == RefusedReferral("existing_customer")
    assert attribute(friend(), AINO, SHOP, [friend()]) == Attributed("FRIEND-1")
    failed = order(id="o1", status=OrderStatus.FAILED)
    assert attribute(friend(), AINO, SHOP, [failed]) == Attributed("FRIEND-1")


def test_minimum_order() -> None:
    for text, expected in (("40 EUR", None), ("40.01 EUR", "below_minimum"), ("1 USD", "other_currency")):
        found = attribute(friend(), AINO, SHOP, [], minimum=Money.parse(*text.split()))
        assert found == (RefusedReferral(expected) if expected else Attributed("FRIEND-1"))


def test_an_owner_of_whom_little_is_known() -> None:
    bare = CodeOwner(code="X")
    assert attribute(friend(), bare, SHOP, []) == Attributed("X")
    by_order = CodeOwner(code="X", order=order(id="o0", customer=EERO))
    assert attribute(friend(), by_order, SHOP, []) == RefusedReferral("same_customer")
    assert "aino" not in repr(AINO)


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("Ai.No+shop@googlemail.com", "aino@gmail.com"),
        ("ai.no@example.com", "ai.no@example.com"),
        ("aino+x@example.com", "aino@example.com"),
        ("+x@example.com", "+x@example.com"),
        ("nonsense", None),
        (None, None),
    ],
)
def test_person_key(email: str | None, key: str | None) -> None:
    assert person_key(email) == key
