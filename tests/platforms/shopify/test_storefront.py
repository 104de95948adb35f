"""Pages inside the shop and links into it."""

from __future__ import annotations

import contextlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.contracts import Endpoint
from connector.errors import Refused, WebhookRejected
from connector.model import Shop
from platforms.shopify import Shopify
from platforms.shopify.storefront import REPLAY_WINDOW

Pairs = list[tuple[str, str]]

# The example of Shopify's own page: secret `hush`; with and without the logged-in customer.
OFFICIAL = (
    "extra=1&extra=2&shop=shop-name.myshopify.com&logged_in_customer_id=1&path_prefix=%2Fapps%2Fawesome_reviews"
    "&timestamp=1317327555"
)
SIGNATURE = "4c68c8624d737112c91818c11017d24d334b524cb5c2b8ba08daa056f7395ddb"
WITHOUT_CUSTOMER = "a9718877bea71c2484f91608a7eaea1532bdf71f5c56825065fa4ccabe549ef3"
THEN = datetime.fromtimestamp(1317327555, UTC)
SHOP = Shop(id="shop-1", client_id="c", platform="shopify", domain="shop-name.myshopify.com", name="Shop")
ENDPOINT = Endpoint(key="k", platform="shopify", secrets=[b"hush"], shop=SHOP)


def signed(pairs: Pairs, secret: bytes = b"hush") -> Pairs:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    text = "".join(sorted(f"{name}={','.join(each)}" for name, each in values.items()))
    return [*pairs, ("signature", hmac.digest(secret, text.encode(), "sha256").hex())]


def request(**changed: str) -> Pairs:
    base = {"shop": SHOP.domain, "timestamp": "1317327555", "path_prefix": "/apps/kiitos", "logged_in_customer_id": "7"}
    return list({**base, **changed}.items())


def refusal(query: Pairs, endpoint: Endpoint = ENDPOINT, now: datetime = THEN) -> str:
    with pytest.raises(WebhookRejected) as rejected:
        Shopify().verify_proxy(query, endpoint, now)
    return rejected.value.reason


def test_the_official_example_holds() -> None:
    visit = Shopify().verify_proxy([*parse_qsl(OFFICIAL), ("signature", SIGNATURE)], ENDPOINT, THEN)
    assert (visit.shop_domain, visit.customer_id) == (SHOP.domain, "1")
    assert (visit.path_prefix, visit.at) == ("/apps/awesome_reviews", THEN)
    nobody = [pair for pair in parse_qsl(OFFICIAL) if pair[0] != "logged_in_customer_id"]
    assert Shopify().verify_proxy([*nobody, ("signature", WITHOUT_CUSTOMER)], ENDPOINT, THEN).customer_id is None


def test_the_order_of_parameters_does_not_matter_and_empty_means_nobody() -> None:
    pairs = signed([*request(logged_in_customer_id=""), ("product", "2"), ("product", "1")])
    assert Shopify().verify_proxy([pairs[-1], *pairs[:-1]], ENDPOINT, THEN).customer_id is None


def test_a_rotated_secret_is_still_good() -> None:
    both = replace(ENDPOINT, secrets=[b"new", b"hush"])
    assert Shopify().verify_proxy(signed(request()), both, THEN).customer_id == "7"


def test_forgeries_are_rejected() -> None:
    good = signed(request())
    signature = good[-1][1]
    assert refusal(good[:-1]) == "signature"
    assert refusal([*good, ("signature", signature)]) == "signature"
    for wrong in ("", signature[:-1], signature.upper(), "é" * 64, "\ud800", signature + "0"):
        assert refusal([*good[:-1], ("signature", wrong)]) == "signature"
    assert refusal(signed(request(), b"another")) == "signature"
    assert refusal(signed(request(), b""), replace(ENDPOINT, secrets=[b""])) == "signature"
    assert refusal(good, replace(ENDPOINT, secrets=[])) == "signature"
    assert refusal([("logged_in_customer_id", "8") if n == "logged_in_customer_id" else (n, v) for n, v in good]) == (
        "signature"
    )
    assert refusal([*good, ("product", "1")]) == "signature"


def test_another_shop_a_stale_request_and_odd_values_are_rejected() -> None:
    assert refusal(signed(request(shop="other.myshopify.com"))) == "shop"
    assert refusal(signed(request(shop="evil.example/?.myshopify.com"))) == "shape"
    assert refusal(signed(request(timestamp="9" * 20))) == "shape"
    assert refusal(signed(request(timestamp="soon"))) == "shape"
    assert refusal(signed(request(logged_in_customer_id="1 or 1"))) == "shape"
    assert refusal(signed([*request(), ("shop", SHOP.domain)])) == "shape"
    late = THEN + REPLAY_WINDOW + timedelta(seconds=1)
    assert refusal(signed(request()), now=late) == "stale"
    assert refusal(signed(request()), now=THEN - REPLAY_WINDOW - timedelta(seconds=1)) == "stale"
    assert Shopify().verify_proxy(signed(request()), ENDPOINT, THEN + REPLAY_WINDOW).customer_id == "7"


TEXT = st.text(max_size=12) | st.sampled_from(["\ud800", "9" * 30, "shop", "signature", SHOP.domain])


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=6), st.booleans())
def test_it_is_total(pairs: Pairs, sign: bool) -> None:
    try:
        query = signed(pairs) if sign else pairs
    except UnicodeEncodeError:
        query = pairs
    with contextlib.suppress(WebhookRejected):
        assert Shopify().verify_proxy(query, ENDPOINT, THEN).shop_domain == SHOP.domain


# -- links ---------------------------------------------------------------------------------------------------------


def test_the_official_discount_link() -> None:
    shopify = Shopify()
    assert shopify.discount_link(SHOP, "KIITOS 5/A") == "https://shop-name.myshopify.com/discount/KIITOS%205%2FA"
    there = shopify.discount_link(replace(SHOP, url="https://muki.example/"), "A", "/collections/all?x=1")
    assert there == "https://muki.example/discount/A?redirect=%2Fcollections%2Fall%3Fx%3D1"


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb", "/x\\y"])
def test_a_link_never_leads_out_of_the_shop(path: str) -> None:
    with pytest.raises(Refused):
        Shopify().discount_link(SHOP, "A", path)


def test_a_cart_with_a_code() -> None:
    link = Shopify().checkout_link(SHOP, {"44": 2, "45": 1}, "K&5")
    assert link == "https://shop-name.myshopify.com/cart/44:2,45:1?discount=K%265"
    assert Shopify().checkout_link(SHOP, {"44": 1}) == "https://shop-name.myshopify.com/cart/44:1"
    for wrong in ({}, {"44": 0}, {"4/../x": 1}, {"٤": 1}):
        with pytest.raises(Refused):
            Shopify().checkout_link(SHOP, wrong)
