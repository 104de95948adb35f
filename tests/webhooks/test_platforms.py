"""The two real adapters behind the receiver: what is special to each, from the header to the row."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from connector.clock import SystemClock
from connector.codec import decode
from connector.contracts import Verified
from connector.model import Shop
from connector.registry import Registry
from connector.store import shops
from connector.store.store import Store
from tests.webhooks.composition import Bench, vault
from webhooks.receiver import Receiver, mount_receiver
from webhooks.settings import ReceiverSettings

SHOPIFY = Shop(id="s-1", client_id="c", platform="shopify", domain="kiitos-test.myshopify.com", name="One")
WOO = Shop(id="w-1", client_id="c", platform="woocommerce", domain="kauppa.test", name="Two", url="https://kauppa.test")
OLD, NEW = "shpss-old-app-secret", "shpss-new-app-secret"
WOO_SECRET = "Woo0Secret0Woo0Secret0Woo0Secret0Woo0Sec"
APP, ONE, KAUPPA = "/hooks/shopify/appkey", "/hooks/shopify/shopkey", "/hooks/woocommerce/wookey"
ORDER = b'{"id":1001,"status":"processing"}'


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store, now = Store.open(f"sqlite:///{tmp_path / 'work.db'}"), SystemClock().now()
    with store.work.transaction() as tx:
        shops.save(tx, SHOPIFY, now)
        shops.save(tx, WOO, now)
        shops.put_endpoint(tx, "appkey", "shopify", "app:main", None, now)
        shops.put_endpoint(tx, "shopkey", "shopify", "app:main", SHOPIFY.id, now)
        shops.put_endpoint(tx, "wookey", "woocommerce", WOO.id, WOO.id, now)
        shops.put_secret(tx, vault(), "app:main", "client_secret", NEW, now)
        shops.put_secret(tx, vault(), "app:main", "client_secret_previous", OLD, now)
        shops.put_secret(tx, vault(), WOO.id, "webhook_secret", WOO_SECRET, now)
    receiver = Receiver(store, vault(), Registry(), SystemClock(), ReceiverSettings(min_free=1))
    app = Flask("bench")
    mount_receiver(app, receiver)
    receiver.start()
    yield Bench(store, receiver, app)
    receiver.close()
    store.close()


def signature(body: bytes, secret: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def shopify(
    bench: Bench, path: str, body: bytes = ORDER, *, secret: str = NEW, family: str = "X-", **other: str
) -> int:
    values = {"Topic": "orders/create", "Shop-Domain": SHOPIFY.domain, "Webhook-Id": "w-1", "API-Version": "2026-10"}
    values |= {"Hmac-Sha256": signature(body, secret)} | {name.replace("_", "-"): text for name, text in other.items()}
    headers = {f"{family}Shopify-{name}": value for name, value in values.items()}
    return bench.app.test_client().post(path, data=body, headers=headers).status_code


def woo(bench: Bench, body: bytes = ORDER, *, secret: str = WOO_SECRET, source: str = "https://kauppa.test/") -> int:
    headers: dict[str, Any] = {
        "Content-Type": "application/json",
        "User-Agent": "WooCommerce/11.0.1 Hookshot (WordPress/7.1)",
        "X-WC-Webhook-Source": source,
        "X-WC-Webhook-Topic": "order.updated",
        "X-WC-Webhook-Resource": "order",
        "X-WC-Webhook-Event": "updated",
        "X-WC-Webhook-Signature": signature(body, secret),
        "X-WC-Webhook-ID": "4",
        "X-WC-Webhook-Delivery-ID": "47cd909e47cd909e47cd909e47cd909e",
    }
    return bench.app.test_client().post(KAUPPA, data=body, headers=headers).status_code


@pytest.mark.parametrize("path", [APP, ONE])
@pytest.mark.parametrize("family", ["X-", ""])
@pytest.mark.parametrize("secret", [OLD, NEW])
def test_shopify_by_either_url_family_and_secret(bench: Bench, path: str, family: str, secret: str) -> None:
    assert shopify(bench, path, family=family, secret=secret) == 200
    (row,) = bench.rows()
    assert (row.shop_id, row.topic, row.dedup_key, row.body) == (SHOPIFY.id, "orders/create", "w-1", ORDER)
    assert decode(row.headers["verified"], Verified).api_version == "2026-10"


def test_shopify_s_retry_is_one_row_and_another_topic_of_the_same_action_is_not(bench: Bench) -> None:
    for topic, delivery in (("orders/create", "w-1"), ("orders/create", "w-1"), ("orders/paid", "w-2")):
        assert shopify(bench, APP, Topic=topic, Webhook_Id=delivery, Event_Id="same-action") == 200
    assert [(row.topic, row.dedup_key) for row in bench.rows()] == [("orders/create", "w-1"), ("orders/paid", "w-2")]


def test_the_redaction_of_a_shop_we_no_longer_know_is_kept(bench: Bench) -> None:
    body = b'{"shop_id":954889,"shop_domain":"gone.myshopify.com"}'
    changes = {"Topic": "shop/redact", "Shop_Domain": "gone.myshopify.com"}
    assert shopify(bench, APP, body, secret="forged", **changes) == 401
    assert shopify(bench, APP, body, **changes) == 200
    (row,) = bench.rows()
    assert (row.shop_id, row.topic, row.body) == ("app:main", "shop/redact", body)
    assert row.quarantine == "unknown shop gone.myshopify.com"


def test_another_shop_s_delivery_on_this_shop_s_url_is_refused(bench: Bench) -> None:
    assert shopify(bench, ONE, Shop_Domain="gone.myshopify.com") == 401
    assert bench.rows() == []


def test_what_else_the_app_s_secret_signs_is_no_webhook(bench: Bench) -> None:
    """App-proxy queries and ID tokens are signed with the same secret; a body begins with {."""
    assert shopify(bench, APP, b"logged_in_customer_id=1path_prefix=/apps/x") == 401
    assert bench.rows() == []


def test_woocommerce_s_ping_is_exactly_200(bench: Bench) -> None:
    ping = {"data": b"webhook_id=123456", "content_type": "application/x-www-form-urlencoded"}
    answer = bench.app.test_client().post(KAUPPA, **ping)
    assert (answer.status_code, bool(answer.data)) == (200, True)
    assert bench.rows() == []


def test_woocommerce_s_delivery_id_repeats_and_is_not_the_key(bench: Bench) -> None:
    for number in (1, 2, 2):
        assert woo(bench, b'{"id":%d,"status":"processing"}' % number) == 200
    assert len(bench.rows()) == 2


def test_a_staging_copy_signs_rightly_and_is_quarantined(bench: Bench) -> None:
    assert woo(bench, source="https://staging.kauppa.test/") == 200
    assert woo(bench, b'{"id":2}', source="http://www.kauppa.test") == 200, "scheme and www do not matter"
    assert [bool(row.quarantine) for row in bench.rows()] == [True, False]


def test_woocommerce_s_wrong_secret_is_401(bench: Bench) -> None:
    assert woo(bench, secret="wrong") == 401
    assert bench.rows() == []
