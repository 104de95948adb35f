"""What was given is taken back in a shop that executes GraphQL by the real schema: never what was used."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.clock import ManualClock
from connector.contracts import (
    DOUBTFUL,
    Access,
    DiscountRequest,
    GiftCardRequest,
    StoreCreditRequest,
    VoidRequest,
)
from connector.errors import Refused
from connector.model import Money
from connector.testing.fakes.shopify import FakeShopify
from platforms.shopify import Shopify
from tests.platforms.shopify.test_grants import FIVE, credit, fake, live

__all__ = ["credit", "fake", "live"]


@pytest.fixture
def request_(clock: ManualClock) -> VoidRequest:
    return VoidRequest(key="void:THANKS-1", code="THANKS-1", first_try_at=clock.now(), amount=FIVE)


def a_code(clock: ManualClock) -> DiscountRequest:
    return DiscountRequest(code="THANKS-1", title="Thanks", starts_at=clock.now(), amount=FIVE, usage_limit=1)


def test_a_code_that_nobody_used_works_no_longer(
    fake: FakeShopify, shopify: Shopify, live: Access, clock: ManualClock, request_: VoidRequest
) -> None:
    shopify.create_discount(live, a_code(clock))
    clock.advance(timedelta(days=1))
    assert shopify.void_code(live, request_)
    assert shopify.void_code(live, request_), "once more is no fault"
    found = fake.discount_by_code("thanks-1")
    assert found is not None
    assert found.ends_at == clock.now()


def test_a_code_that_was_used_is_left(
    fake: FakeShopify, shopify: Shopify, live: Access, clock: ManualClock, request_: VoidRequest
) -> None:
    shopify.create_discount(live, a_code(clock))
    found = fake.discount_by_code("THANKS-1")
    assert found is not None
    found.used_by.append(1)
    assert not shopify.void_code(live, request_)
    assert found.ends_at is None
    assert not shopify.void_code(live, replace(request_, code="NEVER")), "a code that is not there"


def test_a_gift_card_is_switched_off_and_what_was_left_is_told(
    fake: FakeShopify, shopify: Shopify, live: Access, request_: VoidRequest
) -> None:
    made = shopify.issue_gift_card(live, GiftCardRequest(code="ABCDEFGHJKMNPQRS", amount=FIVE, note="x"))
    card = next(iter(fake.gift_cards.values()))
    card["balance"] = {"amount": "2.00", "currency_code": "EUR"}
    asked = replace(request_, platform_id=made.platform_id)
    assert shopify.void_gift_card(live, asked) == Money.parse("2.00", "EUR")
    assert card["enabled"] is False
    assert shopify.void_gift_card(live, replace(asked, platform_id="424242")) is None


def test_store_credit_is_debited_as_far_as_it_is_there(
    fake: FakeShopify, shopify: Shopify, live: Access, credit: StoreCreditRequest, request_: VoidRequest
) -> None:
    shopify.grant_store_credit(live, credit)
    asked = replace(request_, customer_id=credit.customer_id, amount=Money.parse("3.00", "EUR"))
    assert shopify.debit_store_credit(live, asked) == Money.parse("3.00", "EUR")
    assert shopify.debit_store_credit(live, asked) == Money.parse("2.00", "EUR"), "what is left of it"
    assert shopify.debit_store_credit(live, asked) is None
    again = replace(credit, key="run/credit2", amount=FIVE)
    assert shopify.grant_store_credit(live, again).balance == FIVE, "credits are still found and counted"
    with pytest.raises(Refused) as refused:
        shopify.debit_store_credit(live, replace(asked, again=True))
    assert refused.value.provider_code == DOUBTFUL
