"""What we do to a shop: once, however often it is asked for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests
import responses

from connector.clock import ManualClock
from connector.contracts import CAPABILITIES, Access, DiscountRequest, ReviewRequest, Verified
from connector.errors import AuthExpired, Refused, Transient
from connector.model import Event, EventKind, Money
from platforms.woocommerce import WooCommerce, WooCommerceAdapter
from platforms.woocommerce.echo import state_digest
from tests.platforms.woocommerce.bodies import RECORDED, SHOP, recorded

API = "https://kauppa.example.test/wp-json/wc/v3"
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
REQUEST = DiscountRequest(
    code="KIITOS-7F3A",
    title="Kiitos arvostelusta & tervetuloa",
    starts_at=NOW,
    percent=Decimal("15"),
    ends_at=datetime(2026, 12, 21, 20, 0, tzinfo=UTC),
    customer_email="leena@example.com",
)
REVIEW = ReviewRequest(
    key="r1",
    order_id="1001",
    product_id="412",
    rating=5,
    title="Hyvä muki",
    text="Kestää pesun & käytön.\n5 < 6",
    author_name="Leena K.",
    author_email="leena@example.com",
    at=NOW,
)


@pytest.fixture
def access() -> Access:
    return Access(shop=SHOP, secrets={"consumer_key": "ck_x", "consumer_secret": "cs_x"}, clock=ManualClock(NOW))


def sent(call: int = -1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(responses.calls[call].request.body or b"")
    return found


def refusal(code: str, status: int = 400) -> dict[str, Any]:
    return {"status": status, "json": {"code": code, "message": "No", "data": {"status": status}}}


def test_the_platform_has_every_capability_and_the_pure_adapter_none() -> None:
    assert isinstance(WooCommerce(), CAPABILITIES[0])
    assert all(isinstance(WooCommerce(), capability) for capability in CAPABILITIES)
    assert not any(issubclass(WooCommerceAdapter, capability) for capability in CAPABILITIES)


# -- coupons -------------------------------------------------------------------------------------------------------


@responses.activate
def test_a_coupon_as_woocommerce_wants_it(access: Access) -> None:
    responses.post(f"{API}/coupons", status=201, json={"id": 36, "code": "kiitos-7f3a"})
    made = WooCommerce().create_discount(access, REQUEST)
    assert (made.code, made.platform_id, made.adopted) == ("kiitos-7f3a", "36", False)
    assert sent() == {
        "code": "KIITOS-7F3A",
        "description": "Kiitos arvostelusta & tervetuloa",
        "discount_type": "percent",
        "amount": "15",
        "individual_use": False,
        "date_expires": "2026-12-21T22:00:00",  # the site's own time, never date_expires_gmt
        "usage_limit": 1,
        "usage_limit_per_user": 1,
        "email_restrictions": ["leena@example.com"],
        "meta_data": [{"key": "_kiitos_key", "value": "kiitos-7f3a"}],
    }


@responses.activate
def test_a_fixed_amount_and_a_minimum_in_the_shops_currency(access: Access) -> None:
    responses.post(f"{API}/coupons", status=201, json={"id": 36, "code": "kiitos-7f3a"})
    fixed = replace(
        REQUEST,
        percent=None,
        amount=Money.parse("5.00", "EUR"),
        minimum=Money.parse("20", "EUR"),
        customer_email=None,
        ends_at=None,
        usage_limit=None,
        once_per_customer=False,
    )
    WooCommerce().create_discount(access, fixed)
    body = sent()
    assert (body["discount_type"], body["amount"], body["minimum_amount"]) == ("fixed_cart", "5.00", "20")
    assert not {"date_expires", "usage_limit", "usage_limit_per_user", "email_restrictions"} & set(body)


@responses.activate
def test_a_coupon_for_an_account_is_bound_to_its_address(access: Access) -> None:
    responses.get(f"{API}/customers/57", json={"id": 57, "email": "leena@example.com"})
    responses.post(f"{API}/coupons", status=201, json={"id": 36, "code": "kiitos-7f3a"})
    WooCommerce().create_discount(access, replace(REQUEST, customer_email=None, customer_id="57"))
    assert sent()["email_restrictions"] == ["leena@example.com"]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(REQUEST, percent=None),
        replace(REQUEST, amount=Money.parse("5", "EUR")),
        replace(REQUEST, percent=Decimal("150")),
        replace(REQUEST, percent=Decimal("0")),
        replace(REQUEST, percent=None, amount=Money.parse("5", "USD")),
        replace(REQUEST, percent=None, amount=Money.parse("0", "EUR")),
        replace(REQUEST, minimum=Money.parse("5", "SEK")),
    ],
)
def test_a_coupon_that_cannot_be_is_refused_before_the_network(access: Access, wrong: DiscountRequest) -> None:
    with responses.RequestsMock(), pytest.raises(Refused):
        WooCommerce().create_discount(access, wrong)


def coupon(**changed: Any) -> dict[str, Any]:
    ours = {"id": 36, "code": "kiitos-7f3a", "description": "Kiitos arvostelusta &amp; tervetuloa", "meta_data": []}
    return {**ours, **changed}


@pytest.mark.parametrize(
    "existing",
    [
        coupon(),
        coupon(description="edited by the merchant", meta_data=[{"key": "_kiitos_key", "value": "kiitos-7f3a"}]),
    ],
)
@responses.activate
def test_our_own_coupon_of_an_earlier_attempt_is_adopted(access: Access, existing: dict[str, Any]) -> None:
    responses.post(f"{API}/coupons", **refusal("woocommerce_rest_coupon_code_already_exists"))
    responses.get(f"{API}/coupons", json=[coupon(id=99, code="another"), existing])
    made = WooCommerce().create_discount(access, REQUEST)
    assert (made.code, made.platform_id, made.adopted) == ("kiitos-7f3a", "36", True)
    assert responses.calls[1].request.params == {"code": "kiitos-7f3a"}


@pytest.mark.parametrize("listed", [[], [coupon(description="Kesäale")], [coupon(code="another")], {"code": "odd"}])
@responses.activate
def test_somebody_elses_coupon_is_not(access: Access, listed: Any) -> None:
    responses.post(f"{API}/coupons", **refusal("woocommerce_rest_coupon_code_already_exists"))
    responses.get(f"{API}/coupons", json=listed)
    with pytest.raises(Refused) as caught:
        WooCommerce().create_discount(access, REQUEST)
    assert caught.value.provider_code == "woocommerce_rest_coupon_code_already_exists"


@responses.activate
def test_a_coupon_answer_without_an_id_may_have_been_done(access: Access) -> None:
    responses.post(f"{API}/coupons", status=201, json={"id": 0})
    with pytest.raises(Transient) as caught:
        WooCommerce().create_discount(access, REQUEST)
    assert caught.value.maybe_done


# -- tags and notes ------------------------------------------------------------------------------------------------


@responses.activate
def test_a_tag_is_added_to_those_that_are_there(access: Access) -> None:
    kept = {
        "id": 21,
        "meta_data": [{"id": 4, "key": "_kiitos_tags", "value": ["vip"]}, {"id": 5, "key": "x", "value": 1}],
    }
    responses.get(f"{API}/orders/21", json=kept)
    responses.put(f"{API}/orders/21", json={"id": 21})
    WooCommerce().add_tag(access, "21", "arvostelu")
    tags, echo = sent()["meta_data"]
    assert tags == {"key": "_kiitos_tags", "value": ["vip", "arvostelu"]}
    assert echo == {"key": "_kiitos_echo", "value": state_digest(kept)}


@responses.activate
def test_a_tag_that_is_there_is_not_written_again(access: Access) -> None:
    """Each meta write comes back as order.updated: writing blindly would echo for ever."""
    responses.get(f"{API}/orders/21", json={"id": 21, "meta_data": [{"key": "_kiitos_tags", "value": ["vip"]}]})
    WooCommerce().add_tag(access, "21", "vip")
    assert [call.request.method for call in responses.calls] == ["GET"]


@responses.activate
def test_a_note_is_private_marked_and_written_once(access: Access) -> None:
    responses.get(f"{API}/orders/21/notes", json=[])
    responses.post(f"{API}/orders/21/notes", status=201, json={"id": 49})
    WooCommerce().add_note(access, "21", "NPS 9: <b>hyvä</b> & halpa", key="run-1/note")
    body = sent()
    marker = hashlib.sha256(b"run-1/note").hexdigest()[:12]
    assert body == {"note": f"NPS 9: &lt;b&gt;hyvä&lt;/b&gt; &amp; halpa [kiitos {marker}]", "customer_note": False}

    responses.replace(responses.GET, f"{API}/orders/21/notes", json=[{"id": 49, "note": body["note"]}])
    WooCommerce().add_note(access, "21", "NPS 9: <b>hyvä</b> & halpa", key="run-1/note")
    assert [call.request.method for call in responses.calls] == ["GET", "POST", "GET"]
    WooCommerce().add_note(access, "21", "another", key="run-2/note")
    assert responses.calls[-1].request.method == "POST"


@pytest.mark.parametrize("order_id", ["", "..", "21/notes", "21?x", "-1", "٢١", "0"])
def test_an_id_that_is_no_number_reaches_no_route(access: Access, order_id: str) -> None:
    with responses.RequestsMock():
        for act in (
            lambda: WooCommerce().fetch_order(access, order_id),
            lambda: WooCommerce().add_tag(access, order_id, "t"),
            lambda: WooCommerce().add_note(access, order_id, "n", key="k"),
        ):
            with pytest.raises(Refused):
                act()


# -- reviews -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rating", "written"), [(0, 1), (3, 3), (6, 5)])
@responses.activate
def test_a_review_is_held_cleaned_and_clamped(access: Access, rating: int, written: int) -> None:
    responses.post(f"{API}/products/reviews", status=201, json={"id": 90})
    dirty = replace(
        REVIEW,
        rating=rating,
        title="<script>alert(1)</script>Hyvä",
        text='muki <img src=x onerror=1><a href="https://x.test">l</a>',
        author_name="<b>Leena</b> & K.",
    )
    assert WooCommerce().publish_review(access, dirty) == "90"
    assert sent() == {
        "product_id": 412,
        "review": "Hyvä\n\nmuki l",
        "reviewer": "Leena & K.",
        "reviewer_email": "leena@example.com",
        "rating": written,
        "status": "hold",
    }


@responses.activate
def test_an_exact_duplicate_is_found_and_adopted(access: Access) -> None:
    responses.post(f"{API}/products/reviews", **refusal("woocommerce_rest_comment_duplicate", 409))
    shown = "<p>Hyvä muki</p>\n<p>Kestää pesun &amp; käytön.<br />\n5 &lt; 6</p>\n"
    responses.get(
        f"{API}/products/reviews",
        json=[
            {"id": 88, "reviewer_email": "leena@example.com", "review": "<p>Toinen</p>"},
            {"id": 89, "reviewer_email": "joku@example.com", "review": shown},
            {"id": 90, "reviewer_email": "Leena@example.com", "review": shown},
        ],
    )
    assert WooCommerce().publish_review(access, REVIEW) == "90"
    assert responses.calls[1].request.params["status"] == "all"


@responses.activate
def test_a_duplicate_that_is_not_shown_is_refused(access: Access) -> None:
    responses.post(f"{API}/products/reviews", **refusal("woocommerce_rest_comment_duplicate", 409))
    responses.get(f"{API}/products/reviews", json=[])
    with pytest.raises(Refused):
        WooCommerce().publish_review(access, REVIEW)


# -- fetching ------------------------------------------------------------------------------------------------------


@responses.activate
def test_an_order_is_fetched_as_the_events_it_proves(access: Access) -> None:
    responses.get(f"{API}/orders/1001", json=recorded("order.created/guest_paid"))
    events = WooCommerce().fetch_order(access, "1001")
    assert {str(event.kind) for event in events} == {"order.updated", "order.created", "order.paid"}
    assert len(responses.calls) == 1  # no fulfillments are asked for where the feature is unused


def fulfilled_order() -> tuple[dict[str, Any], list[Any]]:
    body = recorded("order.updated/fulfillments_merged_by_a_fetch")
    return body, body.pop("fulfillments")


@responses.activate
def test_fulfillments_are_merged_where_the_order_has_them(access: Access) -> None:
    order, fulfillments = fulfilled_order()
    responses.get(f"{API}/orders/1037", json=order)
    responses.get(f"{API}/orders/1037/fulfillments", json=fulfillments)
    keys = {event.key for event in WooCommerce().fetch_order(access, "1037")}
    assert "shipment/fulfillment-3/created" in keys
    assert not any("fulfillment-4" in key for key in keys)


@responses.activate
def test_fulfillments_switched_off_again_do_no_harm(access: Access) -> None:
    order, _ = fulfilled_order()
    responses.get(f"{API}/orders/1037", json=order)
    responses.get(f"{API}/orders/1037/fulfillments", **refusal("rest_no_route", 404))
    assert "order/1037/created" in {event.key for event in WooCommerce().fetch_order(access, "1037")}


@responses.activate
def test_an_order_woocommerce_does_not_know_is_deleted(access: Access) -> None:
    responses.get(f"{API}/orders/27", **refusal("woocommerce_rest_shop_order_invalid_id", 404))
    (event,) = WooCommerce().fetch_order(access, "27")
    assert (event.kind, event.key, event.at) == (EventKind.ORDER_DELETED, "order/27/deleted", NOW)


@responses.activate
def test_an_order_in_the_trash_is_deleted(access: Access) -> None:
    responses.get(f"{API}/orders/1027", json=recorded("order.updated/in_the_trash"))
    (event,) = WooCommerce().fetch_order(access, "1027")
    assert event.kind == EventKind.ORDER_DELETED


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 404, "body": "<html>Not found</html>", "content_type": "text/html"},
        refusal("rest_no_route", 404),
        {"status": 200, "body": "<html>Home</html>", "content_type": "text/html; charset=UTF-8"},
        {"json": []},
        {"body": requests.exceptions.ConnectionError("reset")},
    ],
)
@responses.activate
def test_nothing_else_deletes_an_order(access: Access, answer: dict[str, Any]) -> None:
    responses.get(f"{API}/orders/27", **answer)
    with pytest.raises(Transient):
        WooCommerce().fetch_order(access, "27")


@responses.activate
def test_a_revoked_key_pauses_the_shop(access: Access) -> None:
    responses.get(f"{API}/orders/27", **refusal("woocommerce_rest_cannot_view", 401))
    with pytest.raises(AuthExpired):
        WooCommerce().fetch_order(access, "27")


@responses.activate
def test_fetched_and_delivered_snapshots_are_the_same_events(access: Access) -> None:
    body = (RECORDED / "order.updated/two_refunds_completed/body.json").read_bytes()
    responses.get(f"{API}/orders/1015", body=body, content_type="application/json; charset=UTF-8")
    fetched: list[Event] = list(WooCommerce().fetch_order(access, "1015"))
    delivered = WooCommerce().normalise(Verified(topic="order.updated", dedup_key="d"), body, access.shop)
    assert fetched == list(delivered)
