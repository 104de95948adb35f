"""A return is opened in a shop that executes GraphQL by the real schema: once, whatever becomes of answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.contracts import Access, ReturnRequest
from connector.errors import Refused, Transient
from connector.testing.fakes.people import AINO, BEANS, MUG
from connector.testing.fakes.shopify import FakeShopify, Trouble
from connector.testing.fakes.shopify.returns import ask_in_shop
from platforms.shopify import Shopify
from tests.platforms.shopify.conftest import serving

SCOPES = ("write_returns", "write_orders", "read_products")


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeShopify]:
    yield from serving(clock, SCOPES)


@pytest.fixture
def live(fake: FakeShopify, granted: Access) -> Access:
    return replace(granted, base_url=fake.url)


@pytest.fixture
def order(fake: FakeShopify) -> dict[str, Any]:
    """Two mugs and a bag of beans; a mug in the first parcel, the rest in the second."""
    made = fake.place_order([(MUG, 2), (BEANS, 1)], AINO)
    mug, beans = made["line_items"]
    fake.fulfill(made, [(mug, 1)])
    fake.fulfill(made, [(mug, 1), (beans, 1)])
    return made


@pytest.fixture
def request_(order: dict[str, Any], clock: ManualClock) -> ReturnRequest:
    lines = {str(order["line_items"][0]["id"]): 2}
    return ReturnRequest(
        key="s/case/A",
        order_id=str(order["id"]),
        lines=lines,
        requested_at=clock.now(),
        reason="damaged",
        note="Case A",
    )


def made_in(fake: FakeShopify) -> list[tuple[str, int]]:
    return [(row["status"], sum(line["quantity"] for line in row["lines"])) for row in fake.returns.values()]


def test_pieces_of_several_parcels_are_one_return(
    fake: FakeShopify, shopify: Shopify, live: Access, request_: ReturnRequest
) -> None:
    made = shopify.open_return(live, request_)
    assert made_in(fake) == [("OPEN", 2)]
    (row,) = fake.returns.values()
    assert (made.platform_id, made.name, made.adopted) == (str(row["id"]), row["name"], False)
    assert [(line["quantity"], line["reason"]) for line in row["lines"]] == [(1, "DEFECTIVE"), (1, "DEFECTIVE")]
    assert len({line["sent"] for line in row["lines"]}) == 2, "a line of each parcel"
    assert all(line["note"].startswith("Case A [kiitos ") for line in row["lines"])


@pytest.mark.parametrize("arrived", [True, False])
def test_after_a_lost_answer_the_orders_returns_are_read(
    fake: FakeShopify,
    shopify: Shopify,
    live: Access,
    request_: ReturnRequest,
    monkeypatch: pytest.MonkeyPatch,
    *,
    arrived: bool,
) -> None:
    mutate = shopify._client.mutate

    def lost_once(*given: Any) -> dict[str, Any]:
        monkeypatch.setattr(shopify._client, "mutate", mutate)
        fake.trouble(Trouble(drop=True) if arrived else Trouble(status=502))  # the readings before it have passed
        return mutate(*given)

    monkeypatch.setattr(shopify._client, "mutate", lost_once)
    with pytest.raises(Transient) as lost:
        shopify.open_return(live, request_)
    assert lost.value.maybe_done
    assert len(made_in(fake)) == int(arrived)
    assert shopify.open_return(live, request_).adopted is arrived
    assert made_in(fake) == [("OPEN", 2)]


def test_without_looking_there_would_be_two(
    fake: FakeShopify, shopify: Shopify, live: Access, request_: ReturnRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the platform stops nothing while pieces are left."""
    one = replace(request_, lines=dict.fromkeys(request_.lines, 1))
    monkeypatch.setattr(Shopify, "_present", lambda *_: iter(()))
    shopify.open_return(live, one)
    shopify.open_return(live, one)
    assert made_in(fake) == [("OPEN", 1), ("OPEN", 1)]


def test_what_the_customer_asked_for_in_the_shop_is_approved(
    fake: FakeShopify, shopify: Shopify, live: Access, order: dict[str, Any], request_: ReturnRequest
) -> None:
    mug = order["line_items"][0]
    waiting = ask_in_shop(fake, order, [(mug, 1)])
    one = replace(request_, lines={str(mug["id"]): 1})
    made = shopify.open_return(live, one)
    assert (made.platform_id, made.adopted, made_in(fake)) == (str(waiting["id"]), True, [("OPEN", 1)])
    told = replace(request_, platform_id=made.platform_id, key="s/case/A")
    assert shopify.open_return(live, told).adopted, "the one we were told of, though with fewer pieces"
    assert made_in(fake) == [("OPEN", 1)]


def test_another_cases_return_is_not_taken_for_ours(
    fake: FakeShopify, shopify: Shopify, live: Access, request_: ReturnRequest
) -> None:
    one = replace(request_, lines=dict.fromkeys(request_.lines, 1))
    first = shopify.open_return(live, one)
    second = shopify.open_return(live, replace(one, key="s/case/B", platform_id=first.platform_id))
    assert first.platform_id != second.platform_id
    with pytest.raises(Refused) as refused:
        shopify.open_return(live, replace(one, key="s/case/C"))
    assert refused.value.provider_code == "NOT_RETURNABLE"
    assert made_in(fake) == [("OPEN", 1), ("OPEN", 1)]


def test_one_that_the_merchant_cancelled_is_not_made_again(
    fake: FakeShopify, shopify: Shopify, live: Access, request_: ReturnRequest
) -> None:
    made = shopify.open_return(live, request_)
    fake.returns[int(made.platform_id)]["status"] = "CANCELED"
    assert shopify.open_return(live, request_) == replace(made, adopted=True)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"order_id": "42"}, "NOT_FOUND"),
        ({"order_id": "42/../1"}, "BAD_ID"),
        ({"lines": {"424242": 1}}, "NOT_RETURNABLE"),
        ({"lines": {}}, "NOT_RETURNABLE"),
    ],
)
def test_what_cannot_be_returned_is_refused(
    fake: FakeShopify, shopify: Shopify, live: Access, request_: ReturnRequest, changed: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        shopify.open_return(live, replace(request_, **changed))
    assert (refused.value.provider_code, made_in(fake)) == (code, [])


def test_what_was_refunded_or_not_sent_is_refused(
    fake: FakeShopify, shopify: Shopify, live: Access, order: dict[str, Any], request_: ReturnRequest
) -> None:
    fake.refund(order, [(order["line_items"][0], 2)])
    with pytest.raises(Refused, match="not sent yet, refunded, or in another return"):
        shopify.open_return(live, request_)


def test_without_the_scope_it_says_which(
    fake: FakeShopify, shopify: Shopify, live: Access, request_: ReturnRequest
) -> None:
    fake.scopes -= {"write_returns"}
    with pytest.raises(Refused, match="add the scope write_returns"):
        shopify.open_return(live, request_)
    fake.scopes |= {"read_returns"}
    with pytest.raises(Refused, match="add the scope write_returns"):
        shopify.open_return(live, request_)
    assert made_in(fake) == []
