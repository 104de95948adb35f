"""Everything captured or collected from real shops, posted with real signatures and worked with all library flows on.

The captures are third-party data and stay outside the repository; without them these tests skip.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.store import deliveries
from connector.testing.fakes.shopify.deliveries import sign as sign_shopify
from connector.testing.fakes.woocommerce.hooks import sign as sign_woo
from connector.testing.world import SHOPIFY, SHOPIFY_DOMAIN, WOO, WOO_URL, World
from platforms.shopify.adapter import TOPICS
from platforms.woocommerce import WooCommerce
from tests.journeys.conftest import Worlds
from tests.journeys.recorded import FRIDAY, post
from tests.platforms.shopify.test_corpus import body_of, refilled

DATA = Path(__file__).parents[2].parent / "shared" / "data"
CAPTURED, COLLECTED = DATA / "woocommerce" / "webhooks", DATA / "shopify" / "webhooks"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no captured deliveries on this machine")

LAST = ("app/scopes_update", "app/uninstalled", "shop/redact")
"""After these the app may do less, or the shop is gone with everything we had of it."""
IDENTITY = ("myshopify_domain", "shop_domain", "domain")


def woo_captured() -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Signed deliveries as they were captured: name, headers, body."""
    for path in sorted(CAPTURED.glob("*.headers.json")):
        headers = dict(json.loads(path.read_text("utf-8"))["headers"])
        if "x-wc-webhook-signature" in {name.lower() for name in headers}:
            yield path.name, headers, path.with_name(path.name.removesuffix(".headers.json") + ".body").read_bytes()


def shopify_collected() -> Iterator[tuple[str, str, bytes]]:
    """Payloads with their topic; those that take the shop away come last."""
    index = (COLLECTED / "index.md").read_text("utf-8")
    found = []
    for path in sorted(COLLECTED.glob("*.json")):
        row = re.search(rf"^\| {re.escape(path.name)} \| (\S+) \|", index, re.MULTILINE)
        assert row is not None, path.name
        body = refilled(body_of(path))
        for key in IDENTITY:
            if key in body:
                body[key] = SHOPIFY_DOMAIN  # of the shop that receives it, as it would be
        found.append((path.name, row[1], json.dumps(body, ensure_ascii=False).encode()))
    yield from sorted(found, key=lambda each: (LAST.index(each[1]) if each[1] in LAST else -1, each[0]))


def shopify_until(last: bool) -> list[tuple[str, str, bytes]]:
    return [each for each in shopify_collected() if (each[1] in LAST) is last]


def post_woo(world: World, headers: dict[str, str], body: bytes, source: str = f"{WOO_URL}/") -> int:
    left_out = ("host", "connection", "content-length", "x-wc-webhook-source", "x-wc-webhook-signature")
    kept = {name: value for name, value in headers.items() if name.lower() not in left_out}
    kept |= {"X-WC-Webhook-Source": source, "X-WC-Webhook-Signature": sign_woo(world.woo.webhook_secret, body)}
    return post(world.hook_url(WOO), body, kept)


def post_shopify(world: World, name: str, topic: str, body: bytes) -> int:
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": SHOPIFY_DOMAIN,
        "X-Shopify-Webhook-Id": name,
        "X-Shopify-API-Version": "2026-10",
        "X-Shopify-Triggered-At": "2026-11-20T07:13:30.000000000Z",
        "X-Shopify-Hmac-Sha256": sign_shopify(world.shopify.client_secret, body),
    }
    return post(world.hook_url(SHOPIFY), body, headers)


def ends(world: World) -> Counter[str]:
    with world.kiitos.store.work.read() as tx:
        failed = [(row.delivery_id, row.error_code, row.error_text) for row in deliveries.failed(tx)]
        counts = deliveries.count_by_status(tx)
    assert failed == []
    return Counter(counts)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_every_captured_woocommerce_delivery_is_worked(worlds: Worlds, caplog: pytest.LogCaptureFixture) -> None:
    world = worlds(FRIDAY)
    posted = [(name, post_woo(world, headers, body)) for name, headers, body in woo_captured()]
    assert [name for name, status in posted if status != 200] == []
    assert len(posted) > 150
    world.worker.drain()
    world.wait(days=25)
    found = ends(world)
    assert set(found) <= {"done", "ignored"}, found
    assert found["done"] > 50
    assert errors(caplog) == []
    assert set(world.sink.by_message_id().values()) <= {1}


def test_every_collected_shopify_payload_is_worked(worlds: Worlds, caplog: pytest.LogCaptureFixture) -> None:
    world = worlds(FRIDAY)
    posted = [(name, topic, post_shopify(world, name, topic, body)) for name, topic, body in shopify_until(False)]
    assert [each for each in posted if each[2] != 200] == []
    assert len(posted) > 80
    assert {topic for _, topic, _ in posted} & set(TOPICS), "topics that mean something"
    world.worker.drain()
    world.wait(days=25)
    found = ends(world)
    assert set(found) <= {"done", "ignored"}, found
    assert found["done"] > 50
    assert errors(caplog) == []
    assert set(world.sink.by_message_id().values()) <= {1}
    for name, topic, body in shopify_until(True):
        assert post_shopify(world, name, topic, body) == 200, name
        world.worker.drain()
        ends(world)


def test_a_reader_that_breaks_on_one_body_would_be_found(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: one of hundreds cannot be read, and a staging copy sends another."""
    world = worlds(FRIDAY)
    (name, headers, body), (_, others, other) = list(woo_captured())[:2]
    real = WooCommerce.normalise

    def breaks(self: WooCommerce, verified: Any, given: bytes, shop: Any) -> Any:
        if given == body:
            raise ValueError(name)
        return real(self, verified, given, shop)

    monkeypatch.setattr(WooCommerce, "normalise", breaks)
    assert post_woo(world, headers, body) == 200
    assert post_woo(world, others, other + b" ", source="https://staging.metsa.example/") == 200
    world.worker.drain()
    world.wait(hours=1)
    with world.kiitos.store.work.read() as tx:
        counts = deliveries.count_by_status(tx)
    assert (counts.get("failed"), counts.get("quarantined")) == (1, 1)
