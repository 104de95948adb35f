"""The REST client: a test for each row of the table of what the package does wrong (facts/woocommerce.md section 5),
and for each page a shop answers instead of JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests
import responses

from connector.clock import ManualClock
from connector.contracts import Access
from connector.errors import AuthExpired, ConfigError, KiitosError, Refused, Transient
from connector.model import Shop
from platforms.woocommerce.client import Connections, ShopApi, parameter, plain, shop_address

BASE = "https://kauppa.example.test"
API = f"{BASE}/wp-json/wc/v3"
KEY, SECRET = "ck_invented", "cs_invented"
MAINTENANCE = "<!DOCTYPE html>\n<html dir='ltr'><head><title>Maintenance</title></head></html>"
HTML = "text/html; charset=UTF-8"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 22, 8, 0, tzinfo=UTC))


@pytest.fixture
def api(clock: ManualClock) -> ShopApi:
    return ShopApi(BASE, KEY, SECRET, clock)


def access(clock: ManualClock, *, url: str | None = BASE, base_url: str | None = None, **secrets: str) -> Access:
    shop = Shop(id="s1", client_id="c", platform="woocommerce", domain="kauppa.example.test", name="K", url=url)
    kept = secrets or {"consumer_key": KEY, "consumer_secret": SECRET}
    return Access(shop=shop, secrets=kept, clock=clock, base_url=base_url)


def error_body(code: object, status: int) -> dict[str, Any]:
    return {"code": code, "message": "Nope &quot;x&quot;", "data": {"status": status}}


# -- the package's table ---------------------------------------------------------------------------------------------


@responses.activate
def test_timeout_user_agent_basic_auth_and_certificates(api: ShopApi) -> None:
    responses.get(f"{API}/orders/21", json={"id": 21})
    assert api.get("orders/21") == {"id": 21}
    request = responses.calls[0].request
    assert request.req_kwargs["timeout"] == (10.0, 60.0)
    assert request.req_kwargs["verify"]  # True, or the path of the machine's certificates
    assert request.headers["User-Agent"].startswith("Kiitos/")
    assert request.headers["Authorization"] == requests.auth._basic_auth_str(KEY, SECRET)
    assert SECRET not in str(request.url)


@responses.activate
def test_reads_are_repeated(api: ShopApi, clock: ManualClock) -> None:
    responses.get(f"{API}/orders/21", status=503, json=error_body("busy", 503))
    responses.get(f"{API}/orders/21", body=requests.exceptions.ConnectionError("reset"))
    responses.get(f"{API}/orders/21", json={"id": 21})
    assert api.get("orders/21") == {"id": 21}
    assert clock.monotonic() > 0


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@responses.activate
def test_writes_are_never_repeated(api: ShopApi, status: int) -> None:
    responses.post(f"{API}/coupons", status=status, json=error_body("internal_server_error", status))
    with pytest.raises(Transient) as caught:
        api.post("coupons", {"code": "x"})
    assert len(responses.calls) == 1
    assert caught.value.maybe_done is (status in (500, 502, 504))


@responses.activate
def test_lists_are_comma_joined_and_none_is_left_out(api: ShopApi) -> None:
    responses.get(f"{API}/orders", json=[])
    api.get(
        "orders", params={"include": [21, 22], "status": ["processing", "completed"], "search": None, "p": "a/b%25"}
    )
    assert responses.calls[0].request.params == {
        "include": "21,22",
        "status": "processing,completed",
        "p": "a/b%25",
    }


@responses.activate
def test_the_callers_parameters_are_left_alone(api: ShopApi) -> None:
    responses.get(f"{API}/orders", json=[])
    params = {"include": [21, 22]}
    api.get("orders", params=params)
    assert params == {"include": [21, 22]}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@responses.activate
def test_a_redirected_write_is_refused_and_not_repeated_as_a_read(api: ShopApi, status: int) -> None:
    responses.post(f"{API}/coupons", status=status, headers={"Location": "https://www.kauppa.example.test/"})
    with pytest.raises(Refused) as caught:
        api.post("coupons", {"code": "x"})
    assert caught.value.provider_code == str(status)
    assert len(responses.calls) == 1


@responses.activate
def test_leading_slashes_and_a_pasted_wp_json_do_no_harm(clock: ManualClock) -> None:
    responses.get(f"{API}/orders/21", json={"id": 21})
    api = Connections().to(access(clock, url=f"{BASE}/wp-json/wc/v3/"))
    assert api.get("/orders/21/") == {"id": 21}


@responses.activate
def test_bodies_are_utf8_json_with_decimals_as_text(api: ShopApi) -> None:
    responses.post(f"{API}/coupons", json={"id": 1})
    api.post("coupons", {"amount": Decimal("5.50"), "description": "Äiti ☕", "emails": ("a", "b"), "n": 1})
    request = responses.calls[0].request
    assert json.loads(request.body) == {"amount": "5.50", "description": "Äiti ☕", "emails": ["a", "b"], "n": 1}
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"


def test_dates_and_floats_in_bodies_are_refused() -> None:
    for raw in (datetime(2026, 1, 1, tzinfo=UTC), 1.5):
        with pytest.raises(TypeError):
            plain({"deep": [raw]})


def test_parameters_as_php_reads_them() -> None:
    helsinki = datetime.fromisoformat("2026-11-22T00:15:19+02:00")
    assert parameter(helsinki) == "2026-11-21T22:15:19"
    assert parameter(True) == "true"
    assert parameter(Decimal("1E+2")) == "100"
    assert parameter([1, "a", None is None]) == "1,a,true"


# -- where -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://kauppa.example.test",
        "ftp://x",
        "kauppa",
        "https://ck:cs@kauppa.example.test",
        "https://[",
        "http://127.0.0.1.evil.example",
    ],
)
def test_only_https_is_taken(clock: ManualClock, url: str) -> None:
    with pytest.raises(ConfigError):
        shop_address(access(clock, url=url))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090", "http://localhost:8090/", "http://shop.localhost"])
def test_http_is_taken_on_this_machine(clock: ManualClock, url: str) -> None:
    assert shop_address(access(clock, base_url=url)) == url.rstrip("/")


def test_the_domain_serves_when_there_is_no_url(clock: ManualClock) -> None:
    assert shop_address(access(clock, url=None)) == BASE


def test_a_shop_without_a_key_must_be_connected_again(clock: ManualClock) -> None:
    with pytest.raises(AuthExpired) as caught:
        Connections().to(access(clock, consumer_key=KEY))
    assert KEY not in str(caught.value)


def test_connections_are_kept_until_the_key_changes(clock: ManualClock) -> None:
    connections = Connections()
    first = connections.to(access(clock))
    assert connections.to(access(clock)) is first
    assert connections.to(access(clock, consumer_key=KEY, consumer_secret="cs_rotated")) is not first


# -- answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "woocommerce_rest_cannot_view"),
        (403, "woocommerce_rest_cannot_view"),
        (401, "woocommerce_rest_authentication_error"),
    ],
)
@responses.activate
def test_a_key_that_no_longer_works(api: ShopApi, status: int, code: str) -> None:
    responses.get(f"{API}/orders/21", status=status, json=error_body(code, status))
    with pytest.raises(AuthExpired, match=code):
        api.get("orders/21")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (404, error_body("woocommerce_rest_shop_order_invalid_id", 404), "woocommerce_rest_shop_order_invalid_id"),
        (404, error_body("rest_no_route", 404), "rest_no_route"),
        (400, error_body(0, 400), "0"),
        (409, error_body("comment_duplicate", 409), "comment_duplicate"),
        (409, error_body("woocommerce_rest_comment_duplicate", 409), "woocommerce_rest_comment_duplicate"),
        (
            413,
            error_body("woocommerce_rest_request_entity_too_large", 413),
            "woocommerce_rest_request_entity_too_large",
        ),
        # 500 and `data` a number: WooCommerce understood and said no
        (
            500,
            {"code": "woocommerce_rest_cannot_create_order_refund", "message": "x", "data": 500},
            "woocommerce_rest_cannot_create_order_refund",
        ),
        (400, {"code": "x" * 500}, "400"),
        (400, [1], "400"),
    ],
)
@responses.activate
def test_what_the_shop_refuses_is_named_by_its_code(api: ShopApi, status: int, body: Any, code: str) -> None:
    responses.post(f"{API}/orders/21/refunds", status=status, json=body)
    with pytest.raises(Refused) as caught:
        api.post("orders/21/refunds", {"amount": "5000"})
    assert caught.value.provider_code == code
    assert "Nope" not in str(caught.value)


@responses.activate
def test_maintenance_mode_waits_as_long_as_it_says(api: ShopApi) -> None:
    responses.get(f"{API}/orders", status=503, body=MAINTENANCE, content_type=HTML, headers={"Retry-After": "600"})
    with pytest.raises(Transient) as caught:
        api.get("orders")
    assert caught.value.retry_after == 600
    assert len(responses.calls) == 1


@pytest.mark.parametrize(
    ("status", "expected", "maybe_done"),
    [
        (200, Transient, True),
        (403, Transient, False),
        (404, Transient, False),
        (455, Transient, False),
        (500, Transient, True),
        (503, Transient, False),
        (401, AuthExpired, False),
    ],
)
@responses.activate
def test_a_page_instead_of_json_says_nothing_about_the_object(
    api: ShopApi, status: int, expected: type[KiitosError], maybe_done: bool
) -> None:
    responses.post(f"{API}/coupons", status=status, body=MAINTENANCE, content_type=HTML)
    with pytest.raises(expected) as caught:
        api.post("coupons", {"code": "x"})
    assert getattr(caught.value, "maybe_done", False) is maybe_done


@responses.activate
def test_broken_json_is_transient(api: ShopApi) -> None:
    responses.get(f"{API}/orders", body='[{"id":', content_type="application/json")
    with pytest.raises(Transient, match="broken JSON"):
        api.get("orders")


@responses.activate
def test_no_answer_to_a_write_may_have_been_done(api: ShopApi) -> None:
    responses.post(f"{API}/coupons", body=requests.exceptions.ReadTimeout("60 s"))
    with pytest.raises(Transient) as caught:
        api.post("coupons", {"code": "x"})
    assert caught.value.maybe_done


@responses.activate
def test_no_error_names_key_or_secret(api: ShopApi) -> None:
    for status in (400, 401, 500):
        responses.post(f"{API}/coupons", status=status, json=error_body("x", status))
        with pytest.raises(KiitosError) as caught:
            api.post("coupons", {"code": "x"})
        assert KEY not in repr(caught.value)
        assert SECRET not in repr(caught.value)
