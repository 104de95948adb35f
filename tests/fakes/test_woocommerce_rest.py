"""The fake WooCommerce answers REST calls as the captured shop did (../shared/data/woocommerce/rest)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import woocommerce

from connector.clock import ManualClock
from connector.testing.fakes.people import AINO, BEANS, EBOOK, EERO, MUG
from connector.testing.fakes.web import Trouble
from connector.testing.fakes.woocommerce import FakeWoo

Json = dict[str, Any]


@pytest.fixture
def woo(clock: ManualClock) -> Iterator[FakeWoo]:
    with FakeWoo(clock, "https://kauppa.example.com", "ck_1", "cs_1", "s") as running:
        yield running


class Rest:
    """Calls with Basic authentication, as the product makes them."""

    def __init__(self, woo: FakeWoo) -> None:
        self.woo = woo
        self.auth: tuple[str, str] | None = ("ck_1", "cs_1")

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        url = f"{self.woo.url}/wp-json/wc/v3{path}"
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body)
        return requests.request(method, url, params=query, data=data, auth=self.auth, timeout=10)


@pytest.fixture
def rest(woo: FakeWoo) -> Rest:
    return Rest(woo)


def captured(shared: Path, number: str) -> Json:
    found: Json = json.loads(next((shared / "woocommerce" / "rest").glob(f"{number}_*.json")).read_text())
    return found


def shape(value: Any) -> Any:
    """Key sets and types, to any depth; empty lists match any list."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


# Every refusal: how to ask, and the capture that tells the answer.
REFUSALS = {
    "050": ("POST", "/coupons", {"code": "OLEMASSA", "amount": "15", "discount_type": "percent"}),
    "065": ("GET", "/orders/999", None),
    "101": ("GET", "/orders/999999", None),
    "148": ("POST", "/coupons", b'{"billing":'),
    "152": ("POST", "/orders/{order}/notes", {}),
    "153": ("PUT", "/orders/999999", {"status": "completed"}),
    "154": ("POST", "/coupons", {"amount": "5"}),
    "155": ("POST", "/coupons", {"code": "x1", "amount": "abc", "discount_type": "bogus"}),
    "156": ("POST", "/coupons", {"code": "neg", "amount": "-5"}),
    "157": ("POST", "/coupons", {"code": "pct", "amount": "150", "discount_type": "percent"}),
    "004": ("POST", "/webhooks", {"topic": "order.refunded", "delivery_url": "http://127.0.0.1:9/x"}),
    "005": ("POST", "/webhooks", {"topic": "order.created", "delivery_url": "localhost:9099/x"}),
    "142": ("GET", "/nonexistent", None),
    "089": ("GET", "/orders?per_page=101", None),
    "092": ("GET", "/orders?orderby=date_modified", None),
    "094": ("GET", "/orders?status=shipped", None),
    "112": ("GET", "/customers/0", None),
    "033": ("POST", "/orders/{order}/refunds", {"amount": "5000"}),
    "178": ("POST", "/orders/{order}/fulfillments", {"status": "fulfilled", "is_fulfilled": True, "meta_data": []}),
}


@pytest.mark.parametrize("number", REFUSALS)
def test_refusals_are_those_captured(rest: Rest, shared: Path, number: str) -> None:
    rest.woo.features.append("fulfillments")
    order = rest.woo.place_order([(MUG, 1)], AINO)
    rest("POST", "/coupons", {"code": "olemassa", "amount": "1"})
    method, path, body = REFUSALS[number]
    answer = rest(method, path.format(order=order["id"]), body)
    told = captured(shared, number)
    assert (answer.status_code, answer.json()) == (told["status"], told["body"])


def test_keys(rest: Rest, shared: Path) -> None:
    for auth, number in ((None, "136"), (("ck_other", "cs_1"), "136")):
        rest.auth = auth
        answer = rest("GET", "/orders")
        assert (answer.status_code, answer.json()) == (401, captured(shared, number)["body"])
    rest.auth = ("ck_1", "guess")
    assert rest("GET", "/orders").json()["message"] == "Consumer secret is invalid."
    rest.auth = ("ck_1", "cs_1")
    rest.woo.permissions = "read"
    assert rest("GET", "/orders").status_code == 200
    answer = rest("POST", "/coupons", {"code": "x"})
    assert (answer.status_code, answer.json()) == (401, captured(shared, "203")["body"])


def test_keys_in_the_query_and_the_package_over_http(woo: FakeWoo) -> None:
    url = f"{woo.url}/wp-json/wc/v3/orders?consumer_key=ck_1&consumer_secret=cs_1"
    assert requests.get(url, timeout=10).status_code == 200
    package = woocommerce.API(woo.url, "ck_1", "cs_1", version="wc/v3", timeout=10)
    assert package.get("orders").json() == []


def test_order_answer_has_the_captured_shape(rest: Rest, shared: Path) -> None:
    order = rest.woo.place_order([(MUG, 2), (BEANS, 1)], AINO, account=True, checkout="rest", status="pending")
    rest.woo.set_status(order, "completed")
    rest.woo.add_tracking(order, "JJFI123")
    rest.woo.refund(order, "5.00", reason="Goodwill")
    told = captured(shared, "045")
    body = rest("GET", f"/orders/{order['id']}").json()
    assert list(body) == list(told["body"])
    ours, theirs = shape(body), shape(told["body"])
    for name in ("billing", "shipping", "tax_lines", "refunds", "_links"):
        assert ours[name] == theirs[name], name
    assert list(body["line_items"][0]) == list(told["body"]["line_items"][0])
    tracking = next(m["value"] for m in body["meta_data"] if m["key"] == "_wc_shipment_tracking_items")
    theirs_tracking = next(m["value"] for m in told["body"]["meta_data"] if isinstance(m["value"], list))
    assert shape(tracking) == shape(theirs_tracking)


COUPON = {"code": "A", "amount": "5"}
PARCEL = [{"key": "_items", "value": [{"item_id": 1, "qty": 1}]}, {"key": "_tracking_number", "value": "T"}]
REVIEW = {"review": "Hyvä", "reviewer": "Aino M.", "reviewer_email": "aino@example.test", "rating": 5}
HOOK = {"name": "n", "topic": "order.created", "delivery_url": "http://127.0.0.1:9/x", "secret": "s"}
ANSWERS = {
    "002": ("POST", "/webhooks", HOOK),
    "040": ("POST", "/orders/{order}/notes", {"note": "sisäinen"}),
    "049": ("POST", "/coupons", {**COUPON, "meta_data": [{"key": "_k", "value": "v"}]}),
    "057": ("POST", "/coupons", {**COUPON, "date_expires": "2026-12-21T22:00:00", "usage_limit": 2}),
    "058": ("POST", "/coupons", {**COUPON, "date_expires_gmt": "2026-12-21T22:00:00"}),
    "118": ("GET", "/products/{product}", None),
    "160": ("POST", "/products/reviews", REVIEW),
    "175": ("POST", "/orders/{order}/fulfillments", {"is_fulfilled": True, "meta_data": PARCEL}),
}


@pytest.mark.parametrize("number", ANSWERS)
def test_answers_have_the_captured_keys(rest: Rest, shared: Path, number: str) -> None:
    method, path, body = ANSWERS[number]
    rest.woo.features.append("fulfillments")
    order = rest.woo.place_order([(MUG, 1)], AINO)
    product = order["line_items"][0]["product_id"]
    if "reviews" in path:
        body = {**REVIEW, "product_id": product}
    answer = rest(method, path.format(order=order["id"], product=product), body)
    told = captured(shared, number)
    assert answer.status_code == told["status"]
    assert list(answer.json()) == list(told["body"])
    assert shape(answer.json()["_links"] if "_links" in told["body"] else {}) == shape(told["body"].get("_links", {}))
    assert ("Location" in answer.headers) == any(name == "Location" for name, _ in told["headers"])


def test_coupon_quirks(rest: Rest) -> None:
    made = rest(
        "POST", "/coupons", {"code": "  ISO-Koodi ", "amount": 10, "date_expires_gmt": "2026-12-21T22:00:00"}
    ).json()
    assert (made["code"], made["amount"], made["discount_type"]) == ("iso-koodi", "10.00", "fixed_cart")
    assert (made["date_expires"], made["date_expires_gmt"]) == (None, None)
    found = rest("GET", "/coupons", code="ISO-KOODI").json()
    assert [row["id"] for row in found] == [made["id"]]
    assert rest("GET", "/coupons", code="muu").json() == []
    local = rest("POST", "/coupons", {"code": "b", "amount": "5", "date_expires": "2026-12-21T22:00:00"}).json()
    assert local["date_expires_gmt"] == "2026-12-21T20:00:00"


def test_meta_by_put_and_its_echo(rest: Rest, receiver: Any) -> None:
    rest.woo.create_webhooks(receiver.url, "s", ["order.updated"])
    order = rest.woo.place_order([(EBOOK, 1)], AINO)
    rest.woo.deliver()
    path = f"/orders/{order['id']}"
    put = rest("PUT", path, {"meta_data": [{"key": "_kiitos", "value": True}, {"key": "n", "value": 5}]}).json()
    assert {m["key"]: m["value"] for m in put["meta_data"]} == {"_kiitos": "1", "n": "5"}
    again = rest("PUT", path, {"meta_data": [{"key": "n", "value": "6"}]}).json()
    number = next(m["id"] for m in again["meta_data"] if m["key"] == "n")
    gone = rest("PUT", path, {"meta_data": [{"id": number, "key": "n", "value": None}]}).json()
    assert [m["key"] for m in gone["meta_data"]] == ["_kiitos"]
    assert len(rest.woo.deliver()) == 1
    rest("PUT", path, {})
    assert len(rest.woo.deliver()) == 1


def test_notes_are_not_idempotent_and_newest_first(rest: Rest) -> None:
    order = rest.woo.place_order([(EBOOK, 1)], AINO)
    path = f"/orders/{order['id']}/notes"
    for _ in range(2):
        assert rest("POST", path, {"note": "sama"}).status_code == 201
    rest("POST", path, {"note": "asiakkaalle", "customer_note": True})
    assert [n["note"] for n in rest("GET", path).json()] == [
        'Email "Customer note" sent.',
        "asiakkaalle",
        "sama",
        "sama",
    ]
    assert [n["note"] for n in rest("GET", path, type="customer").json()] == ["asiakkaalle"]


def test_reviews(rest: Rest, shared: Path) -> None:
    order = rest.woo.place_order([(MUG, 1)], AINO)
    product = order["line_items"][0]["product_id"]
    body = {"product_id": product, "review": "Hyvä!", "reviewer": "Aino", "reviewer_email": "AINO@example.test"}
    held = rest("POST", "/products/reviews", {**body, "rating": 5, "status": "hold"}).json()
    assert (held["status"], held["verified"]) == ("hold", True)
    twice = rest("POST", "/products/reviews", {**body, "rating": 5, "status": "hold"})
    assert (twice.status_code, twice.json()) == (409, captured(shared, "162")["body"])
    six = rest(
        "POST",
        "/products/reviews",
        {**body, "review": "kuusi", "reviewer_email": "e@x.test", "reviewer": "E", "rating": 6},
    )
    assert (six.status_code, six.json()["rating"], six.json()["verified"]) == (201, 6, False)
    assert [r["review"] for r in rest("GET", "/products/reviews").json()] == ["kuusi"]
    assert [r["review"] for r in rest("GET", "/products/reviews", status="hold").json()] == ["Hyvä!"]
    assert rest("PUT", f"/products/reviews/{held['id']}", {"status": "approved"}).json()["status"] == "approved"
    assert rest("POST", "/products/reviews", {**body, "product_id": 1}).status_code == 404


def test_fulfillments_need_the_feature(rest: Rest) -> None:
    order = rest.woo.place_order([(MUG, 1)], AINO)
    assert rest("GET", f"/orders/{order['id']}/fulfillments").json()["code"] == "rest_no_route"
    rest.woo.features.append("fulfillments")
    rest.woo.fulfill(order, number="JJFI1")
    listed = rest("GET", f"/orders/{order['id']}/fulfillments").json()
    assert listed[0]["is_fulfilled"] == "1"
    assert {"_tracking_number", "_shipment_provider", "_date_fulfilled"} <= {m["key"] for m in listed[0]["meta_data"]}
    shown = rest("GET", f"/orders/{order['id']}").json()
    assert [m["key"] for m in shown["meta_data"]] == ["_fulfillment_status"]


def test_lists_page_filter_and_ignore_what_they_do_not_know(rest: Rest, clock: ManualClock) -> None:
    for buyer in (AINO, EERO, AINO):
        rest.woo.place_order([(EBOOK, 1)], buyer)
        clock.advance(timedelta(minutes=1))
    first = rest("GET", "/orders", per_page=2, orderby="modified", order="asc", _fields="id")
    assert (first.headers["X-WP-Total"], first.headers["X-WP-TotalPages"]) == ("3", "2")
    assert list(first.json()[0]) == ["id"]
    beyond = rest("GET", "/orders", per_page=2, page=9)
    assert (beyond.json(), beyond.headers["X-WP-Total"]) == ([], "0")
    assert len(rest("GET", "/orders", billing_email="aino@example.test").json()) == 3
    assert len(rest("GET", "/orders", search="aino@example.test").json()) == 2


@pytest.mark.parametrize(
    ("text", "flag", "count"),
    [
        ("2026-11-23T08:00:30", "true", 1),
        ("2026-11-23T08:00:00", "true", 1),
        ("2026-11-23T07:59:59", "true", 2),
        ("2026-11-23T08:00:30", None, 2),
        ("2026-11-23T08:00:30Z", None, 1),
        ("2026-11-23T10:00:30+02:00", None, 1),
        ("2026-11-23T08:00:30Z", "true", 0),
    ],
)
def test_modified_after_has_its_traps(rest: Rest, clock: ManualClock, text: str, flag: str | None, count: int) -> None:
    for _ in range(2):
        rest.woo.place_order([(EBOOK, 1)], AINO)
        clock.advance(timedelta(minutes=1))
    query = {"modified_after": text, **({"dates_are_gmt": flag} if flag else {})}
    assert len(rest("GET", "/orders", **query).json()) == count


def test_trash_is_listed_apart(rest: Rest) -> None:
    order = rest.woo.place_order([(EBOOK, 1)], AINO)
    shown = rest("DELETE", f"/orders/{order['id']}").json()
    assert shown["status"] == "processing"
    assert rest("GET", "/orders").json() == []
    assert [row["status"] for row in rest("GET", "/orders", status="trash").json()] == ["trash"]
    assert rest("GET", f"/orders/{order['id']}").json()["status"] == "trash"
    rest("DELETE", f"/orders/{order['id']}", force="true")
    assert rest("GET", f"/orders/{order['id']}").status_code == 404


def test_webhooks_by_rest(rest: Rest, receiver: Any) -> None:
    receiver.always = 500
    body = {"topic": "order.created", "delivery_url": receiver.url, "secret": "hush"}
    made = rest("POST", "/webhooks", body)
    assert (made.status_code, made.json()["status"]) == (201, "active")
    assert "hush" not in made.text
    assert receiver.requests[0].body == b"webhook_id=1"
    moved = rest("PUT", "/webhooks/1", {"delivery_url": receiver.url + "&z=2", "status": "active"})
    assert moved.json()["date_modified_gmt"] is not None
    assert len(receiver.requests) == 2
    assert [row["id"] for row in rest("GET", "/webhooks").json()] == [1]
    assert rest("DELETE", "/webhooks/1").status_code == 501
    assert rest("DELETE", "/webhooks/1", force="true").status_code == 200
    assert rest("GET", "/webhooks/1").status_code == 404


def test_system_and_index(rest: Rest, shared: Path) -> None:
    status = rest("GET", "/system_status").json()
    told = captured(shared, "125")["body"]
    assert list(status) == list(told)
    for name in ("environment", "settings"):
        assert set(status[name]) <= set(told[name])
    index = requests.get(f"{rest.woo.url}/wp-json/", timeout=10).json()
    assert (index["timezone_string"], index["gmt_offset"], "wc/v3" in index["namespaces"]) == (
        "Europe/Helsinki",
        2,
        True,
    )


def test_maintenance_slowness_and_troubles(rest: Rest, shared: Path) -> None:
    rest.woo.maintenance = True
    answer = rest("GET", "/orders")
    told = captured(shared, "194")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "600")
    assert answer.headers["Content-Type"] == dict(told["headers"])["Content-Type"]
    rest.woo.maintenance = False
    rest.woo.trouble(Trouble(status=500), Trouble(drop=True))
    assert rest("GET", "/orders").headers["Content-Type"].startswith("text/html")
    with pytest.raises(requests.ConnectionError):
        rest("POST", "/coupons", {"code": "x", "amount": "1"})
    assert rest("POST", "/coupons", {"code": "X", "amount": "1"}).json()["code"].endswith("already_exists")
    rest.woo.slow_seconds = 1.0
    url = f"{rest.woo.url}/wp-json/wc/v3/orders"
    with pytest.raises(requests.ReadTimeout):
        requests.get(url, auth=rest.auth, timeout=(1, 0.1))


def test_a_route_the_fake_lacks_is_said_plainly(rest: Rest) -> None:
    answer = rest("POST", "/orders", {})
    assert (answer.status_code, answer.json()["code"]) == (501, "fake_gap")
    assert rest.woo.gaps == ["POST /wp-json/wc/v3/orders"]
