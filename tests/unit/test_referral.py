"""Who earned a referral, by the terms as shipped: scripted frauds are refused, honest friends are not."""

from __future__ import annotations

from typing import Any

import pytest

from connector.config.referrals import ReferralTerms
from connector.model import Address, Customer, Money, OrderStatus
from flows.referring.reasons import REASONS
from flows.referring.referral import CodeOwner, person_key
from flows.referring.rules import Case, Judgement, judge
from tests.engine.world import SHOP, order

HOME = Address(lines=("Koivukuja 3 A 4",), postcode="00100", city="Helsinki", country="FI", phone="040 123 4567")
AWAY = Address(lines=("Rantatie 9",), postcode="33100", city="Tampere", country="FI", phone="050 765 4321")
ADVOCATE = Customer(id="c-1", email="aino.makinen@gmail.com")
AINO_ORDER = order(id="o0", billing_address=HOME, shipping_address=HOME, customer=ADVOCATE, email=ADVOCATE.email)
AINO = CodeOwner(code="FRIEND-1", email_key="aino.makinen@gmail.com", customer_id="c-1", order=AINO_ORDER)
EERO = Customer(id="c-2", email="eero@example.com", orders_count=1)
TERMS = ReferralTerms()


def friend(**more: Any) -> Any:
    given = {
        "id": "o2", "customer": EERO, "email": "eero@example.com", "billing_address": AWAY, "shipping_address": AWAY,
    }  # fmt: skip
    return order(**{**given, **more})


def judged(of: Any, *earlier: Any, owner: CodeOwner = AINO, terms: ReferralTerms = TERMS) -> Judgement:
    known = (owner.order,) if owner.order is not None else ()
    others = {each.id for each in (of, *earlier)}
    case = Case(order=of, owner=owner, shop=SHOP, earlier=earlier, all_known=len(others), theirs=known)
    return judge(case, terms)


def test_an_honest_friend() -> None:
    assert judged(friend()) == Judgement()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"is_test": True}, "test_order"),
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
    assert judged(friend(**more)).refused == reason
    assert reason in REASONS


@pytest.mark.parametrize(
    "more",
    [
        {"billing_address": Address(lines=("Koivukuja 3 A 5",), postcode="00100", country="FI")},
        {"phone": "not a number"},
        {"phone": "+46401234567"},
        {"billing_address": Address(city="Helsinki"), "shipping_address": None},
        {"customer": Customer(id=None, email="eero@example.com")},
    ],
)
def test_honest_households(more: dict[str, Any]) -> None:
    assert judged(friend(**more)) == Judgement()


@pytest.mark.parametrize(
    ("more", "sign"),
    [
        ({"email": "aino.makinen@example.com"}, "similar_email"),
        ({"email": "ainomakinen@gmail.test"}, "similar_email"),
        ({"billing_address": Address(lines=("Koivukuja 3",), postcode="00100", country="FI")}, "similar_address"),
        ({"shipping_address": Address(lines=HOME.lines, postcode="00100", country="FI")}, "sent_to_advocate"),
    ],
)
def test_what_looks_like_the_advocate_waits_for_a_person(more: dict[str, Any], sign: str) -> None:
    assert judged(friend(**more)) == Judgement("", (sign,))


def test_an_earlier_order_counts_unless_it_came_to_nothing() -> None:
    assert judged(friend(), order(id="o1")).refused == "existing_customer"
    failed = order(id="o1", status=OrderStatus.FAILED, paid_at=None)
    assert judged(friend(), failed) == Judgement()


def test_minimum_order() -> None:
    for text, expected in (("40 EUR", ""), ("40.01 EUR", "below_minimum"), ("1 USD", "other_currency")):
        terms = ReferralTerms(minimum=Money.parse(*text.split()))
        assert judged(friend(), terms=terms).refused == expected


def test_an_owner_of_whom_little_is_known() -> None:
    assert judged(friend(), owner=CodeOwner(code="X")) == Judgement()
    by_order = CodeOwner(code="X", order=order(id="o0", customer=EERO))
    assert judged(friend(), owner=by_order).refused == "same_customer"
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
