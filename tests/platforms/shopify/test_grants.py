"""Money and codes against a shop that executes GraphQL by the real schema: never twice, whatever happens to answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from connector.clock import ManualClock
from connector.contracts import (
    DOUBTFUL,
    Access,
    CodesRequest,
    DiscountRequest,
    GiftCardRequest,
    StoreCreditRequest,
)
from connector.errors import Refused, Transient
from connector.model import Money
from connector.testing.fakes.people import AINO
from connector.testing.fakes.shopify import FakeShopify, Trouble
from platforms.shopify import Shopify
from tests.platforms.shopify.conftest import serving

SCOPES = (
    "write_customers",
    "write_discounts",
    "write_gift_cards",
    "write_store_credit_account_transactions",
    "read_store_credit_accounts",
)
FIVE = Money.parse("5.00", "EUR")


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeShopify]:
    yield from serving(clock, SCOPES)


@pytest.fixture
def live(fake: FakeShopify, granted: Access) -> Access:
    return replace(granted, base_url=fake.url)


@pytest.fixture
def credit(fake: FakeShopify, clock: ManualClock) -> StoreCreditRequest:
    customer = fake.create_customer(AINO)
    return StoreCreditRequest(
        key="run/credit",
        customer_id=str(customer["id"]),
        amount=FIVE,
        first_try_at=clock.now(),
        expires_at=clock.now() + timedelta(days=90, microseconds=123_456),
    )


def credits_of(fake: FakeShopify) -> list[str]:
    return [row["amount"]["amount"] for a in fake.credit_accounts.values() for row in a["transactions"]]


# -- store credit --------------------------------------------------------------------------------------------------


def test_credit_is_given_and_the_balance_told(
    fake: FakeShopify, shopify: Shopify, live: Access, credit: StoreCreditRequest
) -> None:
    made = shopify.grant_store_credit(live, credit)
    assert (made.adopted, made.balance, credits_of(fake)) == (False, FIVE, ["5.00"])
    row = next(iter(fake.credit_accounts.values()))["transactions"][0]
    assert row["expires_at"] == "2027-02-20T08:00:00+00:00"


def test_a_first_attempt_does_not_read_and_is_one_call(
    fake: FakeShopify, shopify: Shopify, live: Access, credit: StoreCreditRequest
) -> None:
    shopify.grant_store_credit(live, credit)
    assert [call.operation for call in fake.calls if call.operation] == ["StoreCredit"]


@pytest.mark.parametrize("arrived", [True, False])
def test_after_a_lost_answer_the_account_is_read_first(
    fake: FakeShopify, shopify: Shopify, live: Access, clock: ManualClock, credit: StoreCreditRequest, *, arrived: bool
) -> None:
    shopify.granted_scopes(live)  # the token is there: the trouble meets the mutation
    fake.trouble(Trouble(drop=True) if arrived else Trouble(status=502))
    with pytest.raises(Transient) as lost:
        shopify.grant_store_credit(live, credit)
    assert lost.value.maybe_done
    clock.advance(timedelta(minutes=1))
    made = shopify.grant_store_credit(live, replace(credit, again=True))
    assert (made.adopted, credits_of(fake)) == (arrived, ["5.00"])


def test_without_looking_it_would_be_given_twice(
    fake: FakeShopify, shopify: Shopify, live: Access, credit: StoreCreditRequest
) -> None:
    """The negative control: the platform itself stops nothing."""
    shopify.grant_store_credit(live, credit)
    shopify.grant_store_credit(live, credit)
    assert credits_of(fake) == ["5.00", "5.00"]


def test_what_is_another_request_s_is_not_adopted(
    fake: FakeShopify, shopify: Shopify, live: Access, clock: ManualClock, credit: StoreCreditRequest
) -> None:
    earlier = shopify.grant_store_credit(live, credit)
    for other in (replace(credit, amount=Money.parse("6", "EUR")), replace(credit, expires_at=None)):
        shopify.grant_store_credit(live, other)
    clock.advance(timedelta(hours=1))
    later = replace(credit, first_try_at=clock.now(), again=True)
    assert not shopify.grant_store_credit(live, later).adopted, "older than the first attempt"
    known = replace(credit, again=True, claimed=[earlier.platform_id])
    assert shopify.grant_store_credit(live, known).adopted, "the one made an hour later has the same expiry"
    assert len(credits_of(fake)) == 4


def test_two_equal_credits_are_for_a_person_to_look_at(
    fake: FakeShopify, shopify: Shopify, live: Access, credit: StoreCreditRequest
) -> None:
    shopify.grant_store_credit(live, credit)
    shopify.grant_store_credit(live, credit)
    with pytest.raises(Refused) as refused:
        shopify.grant_store_credit(live, replace(credit, again=True))
    assert refused.value.provider_code == DOUBTFUL
    assert len(credits_of(fake)) == 2


def test_an_expiry_that_shopify_rounded_is_not_taken_for_another_credit(
    fake: FakeShopify, shopify: Shopify, live: Access, credit: StoreCreditRequest
) -> None:
    shopify.grant_store_credit(live, credit)
    row = next(iter(fake.credit_accounts.values()))["transactions"][0]
    row["expires_at"] = "2027-02-20T23:59:59+00:00"
    with pytest.raises(Refused) as refused:
        shopify.grant_store_credit(live, replace(credit, again=True))
    assert refused.value.provider_code == DOUBTFUL


def test_old_credits_are_paged_through(
    fake: FakeShopify, shopify: Shopify, live: Access, credit: StoreCreditRequest
) -> None:
    shopify.grant_store_credit(live, credit)
    for _ in range(60):
        shopify.grant_store_credit(live, replace(credit, amount=Money.parse("1", "EUR")))
    assert shopify.grant_store_credit(live, replace(credit, again=True)).adopted
    assert [call.operation for call in fake.calls].count("StoreCreditTransactions") == 2


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"amount": Money.parse("0", "EUR")}, "NEGATIVE_OR_ZERO_AMOUNT"),
        ({"amount": Money.parse("20000", "EUR")}, "CREDIT_LIMIT_EXCEEDED"),
        ({"customer_id": "42"}, "OWNER_NOT_FOUND"),
        ({"customer_id": "42/../1"}, "BAD_ID"),
    ],
)
def test_what_cannot_be_is_refused(
    fake: FakeShopify,
    shopify: Shopify,
    live: Access,
    credit: StoreCreditRequest,
    changed: dict[str, object],
    code: str,
) -> None:
    with pytest.raises(Refused) as refused:
        shopify.grant_store_credit(live, replace(credit, **changed))  # type: ignore[arg-type]
    assert (refused.value.provider_code, credits_of(fake)) == (code, [])


def test_a_missing_scope_is_named(
    fake: FakeShopify, shopify: Shopify, live: Access, credit: StoreCreditRequest
) -> None:
    fake.scopes.discard("write_store_credit_account_transactions")
    with pytest.raises(Refused, match="access scope"):
        shopify.grant_store_credit(live, credit)


# -- gift cards ----------------------------------------------------------------------------------------------------

CARD = GiftCardRequest(code="K7F3A2B9Q4D6", amount=FIVE, note="Thank you (run 42)")


def test_a_card_is_issued_once_and_adopted(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    first = shopify.issue_gift_card(live, CARD)
    again = shopify.issue_gift_card(live, CARD)
    assert (first.adopted, again.adopted, first.platform_id) == (False, True, again.platform_id)
    assert len(fake.gift_cards) == 1


def test_a_card_whose_answer_was_lost_is_adopted(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    shopify.granted_scopes(live)
    fake.trouble(Trouble(drop=True))
    with pytest.raises(Transient) as lost:
        shopify.issue_gift_card(live, CARD)
    assert lost.value.maybe_done
    assert shopify.issue_gift_card(live, CARD).adopted
    assert len(fake.gift_cards) == 1


def test_somebody_else_s_card_is_never_given_away(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    shopify.issue_gift_card(live, CARD)
    next(iter(fake.gift_cards.values()))["note"] = "Sold in the shop"
    with pytest.raises(Refused) as refused:
        shopify.issue_gift_card(live, CARD)
    assert refused.value.provider_code == "TAKEN"


def test_a_card_that_search_does_not_know_yet_is_looked_for_later(
    fake: FakeShopify, shopify: Shopify, live: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connector.testing.fakes.shopify import grants

    shopify.issue_gift_card(live, CARD)
    monkeypatch.setitem(grants.GRANT_QUERIES, "gift_cards", lambda shop, **_: {"nodes": []})  # type: ignore[arg-type]
    with pytest.raises(Transient) as later:
        shopify.issue_gift_card(live, CARD)
    assert later.value.retry_after


def test_a_card_for_a_customer_needs_the_scope_for_customers(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    customer = fake.create_customer(AINO)
    bound = replace(CARD, customer_id=str(customer["id"]))
    shopify.issue_gift_card(live, bound)
    assert next(iter(fake.gift_cards.values()))["customer_id"] == customer["id"]
    fake.scopes.discard("write_customers")
    with pytest.raises(Refused, match="access scope"):
        shopify.issue_gift_card(live, replace(bound, code="K7F3A2B9Q4D7"))


def test_a_card_in_another_currency_is_refused_before_the_network(shopify: Shopify, access: Access) -> None:
    with pytest.raises(Refused, match="USD"):
        shopify.issue_gift_card(access, replace(CARD, amount=Money.parse("5", "USD")))


# -- many codes under one rule -------------------------------------------------------------------------------------


@pytest.fixture
def campaign(clock: ManualClock) -> CodesRequest:
    rule = DiscountRequest(code="VIP-0", title="VIP autumn", starts_at=clock.now(), percent=Decimal(15))
    return CodesRequest(rule=rule, codes=[f"VIP-{number}" for number in range(260)])


def test_many_codes_are_one_discount(fake: FakeShopify, shopify: Shopify, live: Access, campaign: CodesRequest) -> None:
    made = shopify.create_codes(live, campaign)
    assert (len(made.codes), made.refused, len(fake.discounts)) == (260, (), 1)
    jobs = [len(job.codes) for job in fake.code_jobs.values()]
    assert jobs == [250, 9], "at most 250 a job; the rule's own code is there already"
    assert fake.discount_by_code("vip-259") is not None


def test_asked_again_nothing_is_added(
    fake: FakeShopify, shopify: Shopify, live: Access, campaign: CodesRequest
) -> None:
    first = shopify.create_codes(live, campaign)
    assert shopify.create_codes(live, campaign) == first
    assert (len(fake.code_jobs), len(fake.discounts)) == (2, 1)


def test_a_slow_job_is_met_by_the_next_call(
    fake: FakeShopify, shopify: Shopify, live: Access, campaign: CodesRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connector.testing.fakes.shopify import codes

    monkeypatch.setattr(codes, "JOB_TAKES", timedelta(minutes=5))
    with pytest.raises(Transient) as slow:
        shopify.create_codes(live, replace(campaign, codes=campaign.codes[:10]))
    assert not slow.value.maybe_done
    live.clock.sleep(300)
    codes.run_code_jobs(fake)
    made = shopify.create_codes(live, replace(campaign, codes=campaign.codes[:10]))
    assert (len(made.codes), len(fake.code_jobs)) == (10, 1)


def test_codes_of_another_discount_are_told_apart(
    fake: FakeShopify, shopify: Shopify, live: Access, campaign: CodesRequest
) -> None:
    shopify.create_discount(live, replace(campaign.rule, code="VIP-7", title="Theirs"))
    made = shopify.create_codes(live, replace(campaign, codes=["VIP-7", "VIP-8"]))
    assert (made.codes, made.refused) == (("VIP-0", "VIP-8"), ("VIP-7",))


def test_a_rule_that_is_not_ours_is_refused(
    fake: FakeShopify, shopify: Shopify, live: Access, campaign: CodesRequest
) -> None:
    shopify.create_discount(live, replace(campaign.rule, title="Theirs"))
    with pytest.raises(Refused) as refused:
        shopify.create_codes(live, campaign)
    assert (refused.value.provider_code, fake.code_jobs) == ("TAKEN", {})
