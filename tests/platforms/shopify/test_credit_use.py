"""What orders took of store credit, in a shop that executes GraphQL by the real schema and spends what lapses first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.clock import ManualClock
from connector.contracts import Access, CreditUse, CreditUseRequest, StoreCreditRequest, TellsCreditUse, VoidRequest
from connector.errors import Refused, Transient
from connector.model import Money
from connector.testing.fakes.people import AINO, MUG
from connector.testing.fakes.shopify import FakeShopify
from connector.testing.fakes.shopify.grants import pay_with_credit, revert_credit
from connector.testing.fakes.shopify.state import Json
from platforms.shopify import Shopify
from tests.platforms.shopify.conftest import serving
from tests.platforms.shopify.test_grants import FIVE, SCOPES, credit, live

__all__ = ["credit", "live"]


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeShopify]:
    yield from serving(clock, (*SCOPES, "read_orders"))


@pytest.fixture
def given(shopify: Shopify, live: Access, credit: StoreCreditRequest, clock: ManualClock) -> CreditUseRequest:
    """Two credits of 5 EUR: the second lapses first."""
    since = clock.now()
    first = shopify.grant_store_credit(live, credit)
    clock.advance(timedelta(days=1))
    sooner = replace(credit, key="run/2", expires_at=clock.now() + timedelta(days=30))
    second = shopify.grant_store_credit(live, sooner)
    clock.advance(timedelta(days=1))
    both = (first.platform_id, second.platform_id)
    return CreditUseRequest(customer_id=credit.customer_id, currency="EUR", credits=both, since=since)


def pays(fake: FakeShopify, amount: str) -> Json:
    order = fake.place_order([(MUG, 1)], AINO, pay=False)
    pay_with_credit(fake, order, amount)
    fake.pay(order)
    return order


def euros(use: CreditUse, given: CreditUseRequest) -> tuple[list[str], list[str | None]]:
    """What each order took, and what is left of each credit."""
    left = [use.left.get(key) for key in given.credits]
    return [f"{each.amount:.2f}" for each in use.orders], [None if one is None else f"{one:.2f}" for one in left]


def test_the_orders_that_took_it_and_what_is_left(
    fake: FakeShopify, shopify: Shopify, live: Access, given: CreditUseRequest, clock: ManualClock
) -> None:
    assert euros(shopify.credit_use(live, given), given) == ([], ["5.00", "5.00"])
    first = pays(fake, "3.00")
    clock.advance(timedelta(hours=1))
    second = pays(fake, "4.00")
    found = shopify.credit_use(live, given)
    assert euros(found, given) == (["3.00", "4.00"], ["3.00", "0.00"])
    assert [each.order_id for each in found.orders] == [str(first["id"]), str(second["id"])]
    assert found.orders[1].at == clock.now().replace(microsecond=0)


def test_what_a_cancellation_gives_back_is_not_used(
    fake: FakeShopify, shopify: Shopify, live: Access, given: CreditUseRequest
) -> None:
    undone = pays(fake, "3.00")
    pays(fake, "1.00")
    revert_credit(fake, undone)
    assert euros(shopify.credit_use(live, given), given) == (["0.00", "1.00"], ["5.00", "4.00"])


def test_what_a_person_or_an_app_took_is_no_orders(
    fake: FakeShopify, shopify: Shopify, live: Access, given: CreditUseRequest, clock: ManualClock
) -> None:
    pays(fake, "1.00")
    void = VoidRequest(
        key="void:1", code="", first_try_at=clock.now(), customer_id=given.customer_id, amount=Money.parse("2", "EUR")
    )
    assert shopify.debit_store_credit(live, void) == Money.parse("2", "EUR")
    found = shopify.credit_use(live, given)
    assert (*euros(found, given), found.others) == (["1.00"], ["5.00", "2.00"], 2)
    assert shopify.debit_store_credit(live, replace(void, platform_id=given.credits[1])) == Money.parse("2", "EUR")
    assert shopify.debit_store_credit(live, replace(void, platform_id=given.credits[1])) is None, "nothing of that one"


def test_a_long_history_is_read_to_its_end_and_no_further(
    fake: FakeShopify, shopify: Shopify, live: Access, given: CreditUseRequest, clock: ManualClock
) -> None:
    for _ in range(60):
        pays(fake, "0.01")
    clock.advance(timedelta(hours=1))
    pays(fake, "0.40")
    orders, left = euros(shopify.credit_use(live, given), given)
    assert (len(orders), orders[-1], left) == (61, "0.40", ["5.00", "4.00"])
    late = replace(given, since=clock.now())
    assert euros(shopify.credit_use(live, late), given) == (["0.40"], [None, None])


def test_another_currency_and_another_person_have_none(shopify: Shopify, live: Access, given: CreditUseRequest) -> None:
    assert shopify.credit_use(live, replace(given, currency="SEK")) == CreditUse()
    assert shopify.credit_use(live, replace(given, customer_id="424242")) == CreditUse(), "gone, or merged away"


@pytest.mark.parametrize("missing", ["amount", "createdAt", "remainingAmount", "debitTransaction"])
def test_an_answer_that_lacks_what_is_counted_is_asked_for_again(
    fake: FakeShopify,
    shopify: Shopify,
    live: Access,
    given: CreditUseRequest,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Taken for nothing, it would leave a use out of the books for good."""
    undone = pays(fake, "3.00")
    revert_credit(fake, undone)
    read = type(shopify._client).query

    def damaged(client: object, access: Access, name: str, variables: object) -> object:
        found = read(client, access, name, variables)  # type: ignore[arg-type]
        for row in ((found.get("storeCreditAccount") or {}).get("transactions") or {}).get("nodes", ()):
            row.pop(missing, None)
        return found

    monkeypatch.setattr(type(shopify._client), "query", damaged)
    with pytest.raises(Transient):
        shopify.credit_use(live, given)


def test_a_scope_that_is_missing_is_named_by_the_capability(
    fake: FakeShopify, shopify: Shopify, live: Access, given: CreditUseRequest
) -> None:
    pays(fake, "1.00")
    needed = shopify.scopes_for(TellsCreditUse)
    granted = shopify.granted_scopes(live)
    assert all(set(each) & set(granted) for each in needed)
    for group in needed:
        fake.scopes = set(granted) - set(group) - {scope.replace("read_", "write_") for scope in group}
        with pytest.raises(Refused, match="scope"):
            shopify.credit_use(live, given)


def test_nothing_is_written(fake: FakeShopify, shopify: Shopify, live: Access, given: CreditUseRequest) -> None:
    before = [len(account["transactions"]) for account in fake.credit_accounts.values()]
    assert shopify.credit_use(live, given) == shopify.credit_use(live, given)
    assert [len(account["transactions"]) for account in fake.credit_accounts.values()] == before
    assert set(shopify.credit_use(live, given).left.values()) == {FIVE.amount}
