from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench import corpus
from connector.contracts import Endpoint, Inbound, Verified
from connector.model import EventKind, Shop

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SAMPLE = "data/shopify/webhooks/orders_create__shopify-docs-2026-07.json"


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert list(corpus.bodies(30, AT)) == list(corpus.bodies(30, AT))
    assert list(corpus.bodies(30, AT)) != list(corpus.bodies(30, AT, seed=8))
    # A longer set begins with the shorter one: growing a corpus never changes what was measured with it.
    assert list(corpus.bodies(40, AT))[:30] == list(corpus.bodies(30, AT))


def test_orders_are_distinct_paid_and_about_ten_kilobytes() -> None:
    bodies = list(corpus.bodies(200, AT))
    orders = [json.loads(body) for body in bodies]
    assert len({order["id"] for order in orders}) == 200
    assert len({order["email"] for order in orders}) == 200
    assert {order["financial_status"] for order in orders} == {"paid"}
    assert {len(order["line_items"]) for order in orders} == {5}
    assert all(8_000 < len(body) < 13_000 for body in bodies)
    assert orders[7]["email"] == corpus.email_of(7)


def test_nobody_in_it_can_be_written_to() -> None:
    for body in corpus.bodies(50, AT):
        order = json.loads(body)
        assert order["email"].endswith("@example.com")
        assert order["phone"] is None
        assert order["customer"]["email"] == order["email"]


def test_orders_are_young_enough_for_flows() -> None:
    created = [datetime.fromisoformat(json.loads(body)["created_at"]) for body in corpus.bodies(700, AT)]
    assert max(created) == AT
    assert min(created) > AT - timedelta(hours=1)


def test_framing_gives_back_what_was_written(tmp_path: Path) -> None:
    bodies = [*corpus.bodies(5, AT), b"", "é".encode()]
    path = tmp_path / "c.kbc"
    corpus.write(path, bodies)
    pairs = corpus.read(path)
    assert [body for _, body in pairs] == bodies
    expected = base64.b64encode(hmac.new(corpus.SECRET, bodies[0], hashlib.sha256).digest())
    assert pairs[0][0] == expected
    assert len({signature for signature, _ in pairs}) == len(bodies)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"XXXX" + data[4:]])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "c.kbc"
    corpus.write(path, list(corpus.bodies(2, AT)))
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ValueError, match="delete it and run again"):
        corpus.read(path)


def test_an_older_hour_is_replaced(tmp_path: Path) -> None:
    first = corpus.cached(tmp_path, 3, AT)
    assert corpus.cached(tmp_path, 3, AT + timedelta(minutes=59)) == first
    second = corpus.cached(tmp_path, 3, AT + timedelta(hours=1))
    assert second != first
    assert list(tmp_path.iterdir()) == [second]


def test_the_adapter_accepts_and_understands_a_body() -> None:
    adapter_module = pytest.importorskip("platforms.shopify.adapter")
    adapter, body = adapter_module.ShopifyAdapter(), next(corpus.bodies(1, AT))
    headers = {
        "x-shopify-topic": [corpus.TOPIC],
        "x-shopify-hmac-sha256": [corpus.sign(body).decode()],
        "x-shopify-shop-domain": [corpus.SHOP_DOMAIN],
        "x-shopify-webhook-id": ["6b696974-6f73-4000-8000-000000000001"],
        "x-shopify-api-version": [corpus.API_VERSION],
    }
    endpoint = Endpoint(key="bench", platform="shopify", secrets=[corpus.SECRET])
    verified = adapter.verify(Inbound(headers, body), endpoint)
    assert isinstance(verified, Verified)
    shop = Shop(id="s", client_id="c", platform="shopify", domain=corpus.SHOP_DOMAIN, name="S")
    events = adapter.normalise(verified, body, shop)
    assert EventKind.ORDER_PAID in {event.kind for event in events}
    order = next(event.order for event in events if event.order is not None)
    assert len(order.lines) == 5
    assert order.customer.email == corpus.email_of(0)


def test_bodies_have_the_keys_of_the_official_sample() -> None:
    sample = Path(__file__).resolve().parents[2].parent / "shared" / SAMPLE
    if not sample.exists():
        pytest.skip("shared/data is not here")
    expected, ours = json.loads(sample.read_text()), json.loads(next(corpus.bodies(1, AT)))
    assert set(ours) == set(expected)
    assert set(ours["line_items"][0]) == set(expected["line_items"][0])
    assert set(ours["customer"]) == set(expected["customer"])
