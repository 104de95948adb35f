"""A look back at a shop, with and without terms for referrals: what the friends' orders would have brought. Friends go
the long way, by whatever they are known; all others the short one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connector.model import Address, AppliedDiscount, EventKind, Order
from connector.registry import Registry
from connector.simulate.story import Moment
from connector.simulate.swift import why_not
from connector.store.past import KnownCode
from tests.simulate.product import BEGIN, CORE, SHOP, essence, looked_back, moments, playbook, window
from tests.store.loyal import line, purchase, told

TERMS = {"return_window": "14d", "reward": {"kind": "code", "worth": "5 EUR"}}


def order(order_id: str, email: str, day: int, *codes: str, landing: str | None = None) -> Order:
    made = purchase(line("a", "60"), order_id=order_id, email=email, at=BEGIN + timedelta(days=day))
    home = Address(first_name=f"F{order_id}", last_name=f"L{order_id}", lines=(f"Tie {order_id}",), postcode="00100")
    discounts = tuple(AppliedDiscount(code=code) for code in codes)
    return replace(made, billing_address=home, discounts=discounts, landing=landing)


def lives() -> list[list[Moment]]:
    """An advocate whose code is known, and three friends: by the code, by the landing page, by a throw-away mailbox."""
    orders = (
        order("1", "aino@koski.example", 1),
        order("2", "eero@laine.example", 20, "AINO"),
        order("3", "ilona@niemi.example", 21, landing="/discount/AINO"),
        order("4", "x@mailinator.com", 22, "AINO"),
    )
    code = KnownCode("AINO", "aino@koski.example", None, "1", BEGIN + timedelta(days=2))
    found = moments([told(each, kind) for each in orders for kind in (EventKind.ORDER_CREATED, EventKind.ORDER_PAID)])
    return [sorted([*found, Moment(code.at, code=code)], key=lambda moment: moment.at)]


def given(**changes: object) -> list[tuple[str, str]]:
    book = playbook(CORE, **changes)
    deeds = essence(looked_back(book, lives(), window(150)).deeds)
    return sorted((each[5], each[2]) for each in deeds if each[1] == "referral-reward" and each[3] == "sent")


def test_the_friends_of_a_code_and_of_a_landing_page_are_rewarded_and_who_waits_is_not() -> None:
    assert why_not(playbook(CORE, referrals=TERMS).catalog(Registry()), SHOP) == ""
    assert given(referrals=TERMS) == [("2", "given"), ("2", "told"), ("3", "given"), ("3", "told")]


def test_without_terms_the_same_friends_count_and_the_flow_gives_by_its_own() -> None:
    assert given() == [("2", "code"), ("2", "reward"), ("3", "code"), ("3", "reward")]
