"""What Shopify can do for a flow: codes, tags, notes, reviews. Each once, whatever happens to the answer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests
import responses

from connector.contracts import CAPABILITIES, Access, DiscountRequest, ReviewRequest
from connector.errors import Refused, Transient
from connector.model import Money
from platforms.shopify import Shopify

from .conftest import GRAPHQL

REQUEST = DiscountRequest(
    code="KIITOS-7F3A",
    title="Kiitos arvostelusta (run 42)",
    starts_at=datetime(2026, 11, 22, 8, 0, tzinfo=UTC),
    ends_at=datetime(2026, 12, 22, 8, 0, tzinfo=UTC),
    percent=Decimal("12.5"),
)
NODE = {
    "id": "gid://shopify/DiscountCodeNode/44001",
    "codeDiscount": {
        "__typename": "DiscountCodeBasic",
        "title": REQUEST.title,
        "shareableUrls": [{"url": "https://tuoksu.example/discount/KIITOS-7F3A"}],
    },
}


def created(node: Any, *codes: str) -> dict[str, Any]:
    errors = [{"field": ["basicCodeDiscount", "code"], "code": code, "message": "no"} for code in codes]
    return {"data": {"discountCodeBasicCreate": {"codeDiscountNode": node, "userErrors": errors}}}


def found(node: Any) -> dict[str, Any]:
    return {"data": {"codeDiscountNodeByCode": node}}


def sent(api: responses.RequestsMock, index: int = 0) -> dict[str, Any]:
    variables: dict[str, Any] = json.loads(api.calls[index].request.body or b"")["variables"]
    return variables


def test_it_has_every_capability() -> None:
    assert all(isinstance(Shopify(), capability) for capability in CAPABILITIES)


def test_a_code_is_made(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    api.post(GRAPHQL, json=created(NODE))
    made = shopify.create_discount(access, REQUEST)
    assert (made.code, made.platform_id, made.adopted) == ("KIITOS-7F3A", "44001", False)
    assert made.url == "https://tuoksu.example/discount/KIITOS-7F3A"
    assert sent(api)["discount"] == {
        "title": REQUEST.title,
        "code": "KIITOS-7F3A",
        "startsAt": "2026-11-22T08:00:00.000000Z",
        "endsAt": "2026-12-22T08:00:00.000000Z",
        "usageLimit": 1,
        "appliesOncePerCustomer": True,
        "context": {"all": "ALL"},
        "customerGets": {"items": {"all": True}, "value": {"percentage": 0.125}},
        "combinesWith": {"orderDiscounts": False, "productDiscounts": False, "shippingDiscounts": True},
    }


def test_an_amount_for_one_customer_with_a_minimum(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    api.post(GRAPHQL, json=created(NODE))
    request = replace(
        REQUEST,
        percent=None,
        amount=Money.parse("5.00", "EUR"),
        minimum=Money.parse("30", "EUR"),
        customer_id="7311000000001",
    )
    shopify.create_discount(access, request)
    discount = sent(api)["discount"]
    assert discount["context"] == {"customers": {"add": ["gid://shopify/Customer/7311000000001"]}}
    assert discount["customerGets"]["value"] == {"discountAmount": {"amount": "5.00", "appliesOnEachItem": False}}
    assert discount["minimumRequirement"] == {"subtotal": {"greaterThanOrEqualToSubtotal": "30"}}


def test_another_currency_than_the_shops_is_refused_before_any_call(shopify: Shopify, access: Access) -> None:
    with responses.RequestsMock(), pytest.raises(Refused) as caught:
        shopify.create_discount(access, replace(REQUEST, percent=None, amount=Money.parse("5", "USD")))
    assert caught.value.provider_code == "CURRENCY"


def test_a_taken_code_of_ours_is_adopted(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    api.post(GRAPHQL, json=created(None, "TAKEN"))
    api.post(GRAPHQL, json=found(NODE))
    made = shopify.create_discount(access, REQUEST)
    assert made.adopted
    assert made.platform_id == "44001"
    assert sent(api, 1) == {"code": "KIITOS-7F3A"}


@pytest.mark.parametrize("title", ["Summer sale", None])
def test_a_taken_code_of_somebody_else_is_refused(
    api: responses.RequestsMock, shopify: Shopify, access: Access, title: str | None
) -> None:
    api.post(GRAPHQL, json=created(None, "TAKEN"))
    api.post(GRAPHQL, json=found({**NODE, "codeDiscount": {"__typename": "DiscountCodeApp", "title": title}}))
    with pytest.raises(Refused) as caught:
        shopify.create_discount(access, REQUEST)
    assert caught.value.provider_code == "TAKEN"


def test_taken_and_not_found_is_asked_again_later(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    api.post(GRAPHQL, json=created(None, "TAKEN"))
    api.post(GRAPHQL, json=found(None))
    with pytest.raises(Transient) as caught:
        shopify.create_discount(access, REQUEST)
    assert not caught.value.maybe_done


def test_after_a_lost_answer_the_next_attempt_adopts(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    api.post(GRAPHQL, body=requests.exceptions.ReadTimeout())
    api.post(GRAPHQL, json=created(None, "TAKEN"))
    api.post(GRAPHQL, json=found(NODE))
    with pytest.raises(Transient) as caught:
        shopify.create_discount(access, REQUEST)
    assert caught.value.maybe_done
    assert shopify.create_discount(access, REQUEST).adopted
    assert len(api.calls) == 3


def test_other_user_errors_are_refused_with_their_code(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    api.post(GRAPHQL, json=created(None, "END_DATE_BEFORE_START_DATE"))
    with pytest.raises(Refused, match=r"basicCodeDiscount\.code") as caught:
        shopify.create_discount(access, REQUEST)
    assert caught.value.provider_code == "END_DATE_BEFORE_START_DATE"


@pytest.mark.parametrize("thing", ["", "abc", "1/../2", "١", "gid://shopify/Order/1"])
def test_an_id_that_is_none_is_refused_before_any_call(shopify: Shopify, access: Access, thing: str) -> None:
    with responses.RequestsMock(), pytest.raises(Refused) as caught:
        shopify.add_tag(access, thing, "x")
    assert caught.value.provider_code == "BAD_ID"


def noted(note: str | None) -> dict[str, Any]:
    return {"data": {"order": {"id": "gid://shopify/Order/1", "note": note}}}


UPDATED = {"data": {"orderUpdate": {"order": {"id": "gid://shopify/Order/1"}, "userErrors": []}}}


def test_a_note_is_appended_once_a_key(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    api.post(GRAPHQL, json=noted("Ovikoodi 1234"))
    api.post(GRAPHQL, json=UPDATED)
    shopify.add_note(access, "1", "Arvostelu pyydetty", key="run-1/step-2")
    written = sent(api, 1)["input"]["note"]
    assert written.startswith("Ovikoodi 1234\nArvostelu pyydetty [kiitos ")
    api.post(GRAPHQL, json=noted(written))
    shopify.add_note(access, "1", "Arvostelu pyydetty", key="run-1/step-2")
    assert len(api.calls) == 3
    api.post(GRAPHQL, json=noted(written))
    api.post(GRAPHQL, json=UPDATED)
    shopify.add_note(access, "1", "Arvostelu pyydetty", key="run-1/step-3")
    assert sent(api, 4)["input"]["note"].count("Arvostelu pyydetty") == 2


def test_the_note_of_an_order_that_is_gone(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    api.post(GRAPHQL, json={"data": {"order": None}})
    with pytest.raises(Refused) as caught:
        shopify.add_note(access, "1", "x", key="k")
    assert caught.value.provider_code == "NOT_FOUND"


REVIEW = ReviewRequest(
    key="run-9/publish",
    order_id="1",
    product_id="8100000000101",
    rating=4,
    title="Hyvä",
    text="Tuoksuu saunalta",
    author_name="Aino M.",
    author_email="aino@example.test",
    at=datetime(2026, 11, 22, 8, 0, tzinfo=UTC),
)


def test_a_review_is_written_as_a_draft_under_a_handle_of_its_key(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    for _ in range(2):
        api.post(
            GRAPHQL,
            json={"data": {"metaobjectUpsert": {"metaobject": {"id": "gid://shopify/Metaobject/7"}, "userErrors": []}}},
        )
    assert shopify.publish_review(access, REVIEW) == "7"
    shopify.publish_review(access, REVIEW)
    assert sent(api, 0) == sent(api, 1)
    assert sent(api)["handle"]["type"] == "$app:review"
    review = sent(api)["review"]
    assert review["capabilities"] == {"publishable": {"status": "DRAFT"}}
    fields = {field["key"]: field["value"] for field in review["fields"]}
    assert fields["product"] == "gid://shopify/Product/8100000000101"
    assert json.loads(fields["rating"]) == {"scale_min": "1.0", "scale_max": "5.0", "value": "4.0"}
    assert "aino@example.test" not in json.dumps(sent(api))


def test_a_review_without_a_definition_is_refused(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    errors = [{"field": ["handle", "type"], "code": "UNDEFINED_OBJECT_TYPE", "message": "no"}]
    api.post(GRAPHQL, json={"data": {"metaobjectUpsert": {"metaobject": None, "userErrors": errors}}})
    with pytest.raises(Refused) as caught:
        shopify.publish_review(access, REVIEW)
    assert caught.value.provider_code == "UNDEFINED_OBJECT_TYPE"
