"""Every delivery captured from real shops: verified with the secrets used there, read without an exception.

The captures are third-party data and stay outside the repository; without them these tests skip.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from connector import codec
from connector.contracts import Endpoint, Handshake, Inbound, Verified
from connector.errors import WebhookRejected
from connector.model import Event, Shop
from platforms.woocommerce import WooCommerceAdapter

CAPTURED = Path(__file__).parents[4] / "shared" / "data" / "woocommerce" / "webhooks"
pytestmark = pytest.mark.skipif(not CAPTURED.is_dir(), reason="no captured WooCommerce deliveries on this machine")

# The secrets of the throw-away test shop, as its notes give them.
SECRETS = {
    "42": "simple",
    "43": "a&b<c>\"d'e",
    "44": "amp &amp; entity &lt;x&gt; &quot;",
    "45": "ä€🔑 ünï",
    "46": " spaces around ",
    "47": "x" * 300,
    "48": "[Y?wjuAw/WDZU=R)HJKx%xacH|?szV71Ci[={v!vX5dT4<*2^3",
}
SHOP = Shop(
    id="s",
    client_id="c",
    platform="woocommerce",
    domain="localhost:8090",
    name="Kauppa Test Shop",
    timezone="Europe/Helsinki",
)


def captured() -> list[tuple[str, Inbound]]:
    found = []
    for path in sorted(CAPTURED.glob("*.headers.json")):
        headers: dict[str, list[str]] = {}
        for name, value in json.loads(path.read_text("utf-8"))["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        body = path.with_name(path.name.removesuffix(".headers.json") + ".body").read_bytes()
        found.append((path.name, Inbound(headers=headers, body=body)))
    return found


def endpoint_of(inbound: Inbound) -> Endpoint:
    secret = SECRETS.get(inbound.one("x-wc-webhook-id") or "", "whsec-test-2026").encode()
    return Endpoint(key="k", platform="woocommerce", secrets=[b"the next one", secret], shop=SHOP)


def test_every_signed_delivery_verifies_and_normalises() -> None:
    adapter = WooCommerceAdapter()
    kinds: Counter[str] = Counter()
    signed = 0
    for name, inbound in captured():
        if "x-wc-webhook-signature" not in inbound.headers:
            continue
        signed += 1
        verified = adapter.verify(inbound, endpoint_of(inbound))
        assert isinstance(verified, Verified), name
        events = adapter.normalise(verified, inbound.body, SHOP)
        assert len({event.key for event in events}) == len(events), name
        for event in events:
            assert codec.decode(codec.encode(event), Event) == event, name
            kinds[event.kind] += 1
    assert signed > 200
    expected = {
        "order.created",
        "order.paid",
        "order.fulfilled",
        "order.cancelled",
        "refund.created",
        "shipment.created",
    }
    expected |= {"customer.created", "customer.updated", "product.updated", "discount.added", "resource.recheck"}
    assert expected <= set(kinds)


def test_only_the_second_address_of_the_shop_is_quarantined() -> None:
    adapter = WooCommerceAdapter()
    for name, inbound in captured():
        if "x-wc-webhook-signature" in inbound.headers:
            verified = adapter.verify(inbound, endpoint_of(inbound))
            assert isinstance(verified, Verified)
            elsewhere = (inbound.one("x-wc-webhook-source") or "") != "http://localhost:8090/"
            assert bool(verified.quarantine) is elsewhere, name


def test_pings_are_handshakes_and_other_unsigned_requests_are_rejected() -> None:
    adapter = WooCommerceAdapter()
    pings = 0
    for name, inbound in captured():
        if "x-wc-webhook-signature" in inbound.headers:
            continue
        if inbound.body.startswith(b"webhook_id="):
            assert isinstance(adapter.verify(inbound, endpoint_of(inbound)), Handshake), name
            pings += 1
        else:
            with pytest.raises(WebhookRejected):
                adapter.verify(inbound, endpoint_of(inbound))
    assert pings > 0


def test_the_shops_own_delivery_id_repeats_where_ours_does_not() -> None:
    """Negative control of the identity: keyed by the delivery id, captured events would have been lost."""
    adapter = WooCommerceAdapter()
    theirs: set[tuple[str | None, str]] = set()
    ours: set[tuple[str, str]] = set()
    distinct = set()
    for _, inbound in captured():
        if "x-wc-webhook-signature" in inbound.headers:
            verified = adapter.verify(inbound, endpoint_of(inbound))
            assert isinstance(verified, Verified)
            theirs.add((inbound.one("x-wc-webhook-delivery-id"), verified.topic))
            ours.add((verified.topic, verified.dedup_key))
            distinct.add((verified.topic, inbound.body))
    assert len({(topic, key) for topic, key in ours if not names_an_id(topic)}) == len(
        {(topic, body) for topic, body in distinct if not names_an_id(topic)}
    )
    assert len(theirs) < len(distinct)
    # A body that only names an id is the same on every occasion: keyed by it alone, later occasions would have been.
    assert len({key for key in ours if names_an_id(key[0])}) > len({key for key in distinct if names_an_id(key[0])})


def names_an_id(topic: str) -> bool:
    return topic.startswith("action.") or topic.endswith(".deleted")


def test_one_changed_byte_is_rejected() -> None:
    adapter = WooCommerceAdapter()
    _, inbound = next(item for item in captured() if "order.created" in item[0])
    forged = Inbound(headers=inbound.headers, body=inbound.body[:-1] + b" ")
    with pytest.raises(WebhookRejected):
        adapter.verify(forged, endpoint_of(inbound))
