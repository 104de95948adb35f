"""Verification beyond the conformance kit: both header families, the shop in the body, the hints."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.contracts import Endpoint, Inbound, Verified
from connector.errors import WebhookRejected
from connector.model import Shop
from platforms.shopify.adapter import ShopifyAdapter

from .conftest import DOMAIN

SECRET = b"hush"
BODY = b'{"id":1}'


def inbound(body: bytes = BODY, family: str = "x-shopify-", topic: Any = "orders/paid", **headers: Any) -> Inbound:
    signature = base64.b64encode(hmac.digest(SECRET, body, "sha256")).decode()
    found: dict[str, Sequence[str]] = {
        f"{family}hmac-sha256": [signature],
        f"{family}shop-domain": [DOMAIN],
    }
    for name, value in {"topic": topic, **headers}.items():
        found[family + name.replace("_", "-")] = value if isinstance(value, list) else [value]
    return Inbound(headers=found, body=body)


def verify(request: Inbound, shop: Shop | None = None, *secrets: bytes) -> Verified:
    endpoint = Endpoint(key="k", platform="shopify", secrets=secrets or (SECRET,), shop=shop)
    found = ShopifyAdapter().verify(request, endpoint)
    assert isinstance(found, Verified)
    return found


def reason(request: Inbound, shop: Shop | None = None) -> str:
    with pytest.raises(WebhookRejected) as caught:
        verify(request, shop)
    return caught.value.reason


@pytest.mark.parametrize("family", ["x-shopify-", "shopify-"])
def test_both_header_families(family: str) -> None:
    found = verify(
        inbound(
            family=family,
            webhook_id="w-1",
            event_id="e-1",
            api_version="2026-10",
            triggered_at="2024-08-07T22:57:57.290670248Z",
            test="true",
        )
    )
    assert found == Verified(
        topic="orders/paid",
        dedup_key="w-1",
        shop_domain=DOMAIN,
        api_version="2026-10",
        event_id="e-1",
        triggered_at=datetime(2024, 8, 7, 22, 57, 57, 290670, tzinfo=UTC),
        is_test=True,
    )


def test_two_families_at_once_are_refused() -> None:
    both = {**inbound().headers, **inbound(family="shopify-").headers}
    assert reason(Inbound(headers=both, body=BODY)) == "shape"


def test_without_a_webhook_id_the_body_is_the_key() -> None:
    assert verify(inbound()).dedup_key == f"sha256:{hashlib.sha256(BODY).hexdigest()}"
    assert verify(inbound(webhook_id=["a", "b"])).dedup_key.startswith("sha256:")


@pytest.mark.parametrize("value", ["a\r\nb", "é", "", "x" * 129], ids=["newline", "not ascii", "empty", "too long"])
def test_odd_hints_are_left_out(value: str) -> None:
    found = verify(inbound(event_id=value, api_version=value, triggered_at=value, webhook_id=value))
    assert (found.event_id, found.api_version, found.triggered_at) == (None, None, None)
    assert found.dedup_key.startswith("sha256:")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("topic", [], "missing_header"),
        ("topic", "", "shape"),
        ("topic", "orders/paid\nx", "shape"),
        ("topic", ["orders/paid", "orders/paid"], "shape"),
        ("shop_domain", [], "missing_header"),
        ("shop_domain", "evil.example", "shape"),
        ("shop_domain", f"{DOMAIN}\n", "shape"),
        ("shop_domain", f"{DOMAIN}@evil.example", "shape"),
        ("shop_domain", f"{DOMAIN},other.myshopify.com", "shape"),
        ("shop_domain", [DOMAIN, DOMAIN], "shape"),
        ("hmac_sha256", [], "signature"),
    ],
)
def test_what_must_be_there_once_and_well_formed(name: str, value: Any, expected: str) -> None:
    assert reason(inbound(**{name: value})) == expected


def test_no_signature_at_all() -> None:
    assert reason(Inbound(headers={}, body=BODY)) == "missing_header"


@pytest.mark.parametrize("body", [b"eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0", b"shop=a&timestamp=1", b"[]", b" {}"])
def test_another_thing_signed_with_the_same_secret_is_no_delivery(body: bytes) -> None:
    assert reason(inbound(body)) == "shape"


def test_the_endpoints_shop_must_be_the_headers(shop: Shop) -> None:
    assert verify(inbound(), shop).shop_domain == DOMAIN
    assert verify(inbound(shop_domain=DOMAIN.upper()), shop).shop_domain == DOMAIN
    assert reason(inbound(shop_domain="other.myshopify.com"), shop) == "shop"


@pytest.mark.parametrize(
    ("topic", "body", "agrees"),
    [
        ("customers/redact", {"shop_domain": DOMAIN}, True),
        ("customers/redact", {"shop_domain": "other.myshopify.com"}, False),
        ("shop/redact", {"shop_domain": "other.myshopify.com"}, False),
        ("customers/data_request", {"shop_domain": "other.myshopify.com"}, False),
        ("app/uninstalled", {"myshopify_domain": DOMAIN, "domain": "tuoksu.example"}, True),
        ("app/uninstalled", {"myshopify_domain": "other.myshopify.com"}, False),
        ("app/uninstalled", {"myshopify_domain": None, "domain": "other.myshopify.com"}, False),
        ("app/uninstalled", {"myshopify_domain": None, "domain": None}, True),
        ("shop/redact", {"shop_domain": 7}, True),
        ("orders/paid", {"shop_domain": "other.myshopify.com"}, True),
    ],
)
def test_the_shop_in_the_body(topic: str, body: dict[str, Any], agrees: bool) -> None:
    request = inbound(json.dumps(body).encode(), topic=topic)
    if agrees:
        assert verify(request).quarantine == ""
    else:
        assert reason(request) == "shop"


def test_a_test_delivery_with_a_sample_body_is_kept_and_never_acted_on() -> None:
    body = b'{"shop_id":954889,"shop_domain":"{shop}.myshopify.com"}'
    assert verify(inbound(body, topic="shop/redact", test="true")).quarantine


def test_rotation_accepts_every_valid_secret() -> None:
    assert verify(inbound(), None, b"new", SECRET).topic == "orders/paid"
    assert verify(inbound(), None, SECRET, b"new").topic == "orders/paid"


@pytest.mark.parametrize("number", range(12))
def test_malformed_signatures_are_rejected(number: int) -> None:
    good = inbound().headers["x-shopify-hmac-sha256"][0]
    odd = ["é", "ÿ" * 44, "\udcff" * 44, good + "\n", f" {good} x", good[:-1], f"{good}=", good.encode().hex()]
    odd += ["=" * 44, "A" * 10_000, "None", "sha256=" + good]
    assert reason(inbound(hmac_sha256=odd[number])) == "signature"
