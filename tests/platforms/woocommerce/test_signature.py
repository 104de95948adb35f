"""Who sent it: signatures, secrets WordPress decodes, the ping, staging clones."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest

from connector.contracts import Endpoint, Handshake, Inbound, Verified
from connector.errors import WebhookRejected
from connector.model import Shop
from platforms.woocommerce import WooCommerceAdapter
from platforms.woocommerce.signature import decode_secret, site_key

SHOP = Shop(
    id="s1",
    client_id="c",
    platform="woocommerce",
    domain="kauppa.example.test",
    name="Kauppa",
    url="https://kauppa.example.test",
)
BODY = b'{"id":21,"status":"processing"}'


def endpoint(*secrets: bytes, shop: Shop | None = SHOP) -> Endpoint:
    return Endpoint(key="k", platform="woocommerce", secrets=secrets, shop=shop)


def signature(body: bytes, key: bytes) -> str:
    return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()


def delivery(body: bytes = BODY, key: bytes = b"secret", **replaced: str | None) -> Inbound:
    headers = {
        "content-type": "application/json",
        "user-agent": "WooCommerce/11.0.1 Hookshot (WordPress/7.1)",
        "x-wc-webhook-source": "https://kauppa.example.test/",
        "x-wc-webhook-topic": "order.updated",
        "x-wc-webhook-id": "4",
        "x-wc-webhook-delivery-id": "47cd909e47cd909e47cd909e47cd909e",
        "x-wc-webhook-signature": signature(body, key),
        **{name.replace("_", "-"): value for name, value in replaced.items()},
    }
    return Inbound(headers={name: [value] for name, value in headers.items() if value is not None}, body=body)


def verified(inbound: Inbound, at: Endpoint | None = None) -> Verified:
    found = WooCommerceAdapter().verify(inbound, at or endpoint(b"secret"))
    assert isinstance(found, Verified)
    return found


def test_a_signed_delivery_is_identified_by_resource_and_body() -> None:
    found = verified(delivery())
    assert found.topic == "order.updated"
    assert found.resource_id == "21"
    assert found.dedup_key == f"21:{hashlib.sha256(BODY).hexdigest()}"
    assert found.api_version == "11.0.1"
    assert found.shop_domain == "kauppa.example.test"
    assert found.quarantine == ""


def test_the_delivery_id_is_no_part_of_a_snapshots_identity() -> None:
    other = delivery(x_wc_webhook_delivery_id="00000000000000000000000000000000")
    assert verified(other).dedup_key == verified(delivery()).dedup_key
    changed = BODY.replace(b"processing", b"completed")
    assert verified(delivery(changed)).dedup_key != verified(delivery()).dedup_key


BARE = b'{"id":28}'
HOOK = b'{"action":"woocommerce_order_refunded","arg":28}'


@pytest.mark.parametrize(("topic", "body"), [("order.deleted", BARE), ("action.woocommerce_order_refunded", HOOK)])
def test_a_body_that_only_names_an_id_is_told_apart_by_the_delivery_id(topic: str, body: bytes) -> None:
    def key(delivery_id: str | None) -> str:
        return verified(delivery(body, x_wc_webhook_topic=topic, x_wc_webhook_delivery_id=delivery_id)).dedup_key

    first, later = "1" * 32, "2" * 32
    assert key(first) == key(first)
    assert key(first) != key(later)
    without = f"28:{hashlib.sha256(body).hexdigest()}"
    assert [key(wrong) for wrong in (None, "", "x" * 65, "ä", "a b", "1\n")] == [without] * 6


@pytest.mark.parametrize(
    ("stored", "signing_key"),
    [
        (b"plain", b"plain"),
        (b"a&amp;b", b"a&b"),
        (b"a&amp;amp;b", b"a&amp;b"),
        (b"&lt;x&gt; &quot;y&quot;", b'<x> "y"'),
        (b"it&#039;s &#39; &#x27; &#X0027;", b"it's ' ' '"),
        (b"&#38;&#x26;&#060;&#062;&#34;&#x22;", b'&&<>""'),
        (b"&euro; &apos; &AMP; &nbsp;", b"&euro; &apos; &AMP; &nbsp;"),
        (b"&amp", b"&amp"),
        (" ä€🔑 ünï ".encode(), " ä€🔑 ünï ".encode()),
    ],
)
def test_secrets_are_decoded_as_wordpress_does(stored: bytes, signing_key: bytes) -> None:
    assert decode_secret(stored) == signing_key
    assert verified(delivery(key=signing_key), endpoint(stored)).topic == "order.updated"
    if stored != signing_key:
        with pytest.raises(WebhookRejected):
            verified(delivery(key=stored), endpoint(stored))


def test_any_secret_of_a_rotation_will_do_and_no_other() -> None:
    for secret in (b"new", b"old"):
        assert verified(delivery(key=secret), endpoint(b"new", b"old"))
    with pytest.raises(WebhookRejected) as caught:
        verified(delivery(key=b"older"), endpoint(b"new", b"old"))
    assert caught.value.reason == "signature"


def test_an_empty_secret_never_verifies() -> None:
    with pytest.raises(WebhookRejected):
        verified(delivery(key=b""), endpoint(b""))


@pytest.mark.parametrize("damaged", ["", "=", "é" * 44, "\ud800", "AAAA", "!" * 44, signature(BODY, b"secret")[:-1]])
def test_a_signature_that_is_none_is_rejected(damaged: str) -> None:
    with pytest.raises(WebhookRejected):
        verified(delivery(x_wc_webhook_signature=damaged))


@pytest.mark.parametrize(
    "topic",
    [None, "", "order", "order.", ".updated", "order.updated\n", "order updated", "Ordér.updated", "x." + "y" * 300],
)
def test_a_topic_must_be_there_and_well_formed(topic: str | None) -> None:
    with pytest.raises(WebhookRejected) as caught:
        verified(delivery(x_wc_webhook_topic=topic))
    assert caught.value.reason in {"missing_header", "shape"}


def test_a_topic_given_twice_is_none() -> None:
    good = delivery()
    twice = replace(good, headers={**good.headers, "x-wc-webhook-topic": ["order.updated", "order.updated"]})
    with pytest.raises(WebhookRejected):
        verified(twice)


def test_an_unknown_topic_is_accepted_and_means_nothing() -> None:
    found = verified(delivery(x_wc_webhook_topic="subscription.created"))
    assert list(WooCommerceAdapter().normalise(found, BODY, SHOP)) == []


# -- ping ----------------------------------------------------------------------------------------------------------


def ping(body: bytes = b"webhook_id=3", **headers: str) -> Inbound:
    given = {"content-type": "application/x-www-form-urlencoded", "user-agent": "WooCommerce/11.0.1 Hookshot"}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Inbound(headers={name: [value] for name, value in given.items()}, body=body)


def test_the_ping_is_a_handshake_even_before_a_secret_or_shop_is_known() -> None:
    adapter = WooCommerceAdapter()
    assert isinstance(adapter.verify(ping(), endpoint(b"secret")), Handshake)
    assert isinstance(adapter.verify(ping(b"webhook_id=987654"), endpoint(shop=None)), Handshake)
    charset = ping(content_type="application/x-www-form-urlencoded; charset=UTF-8")
    assert isinstance(adapter.verify(charset, endpoint()), Handshake)


@pytest.mark.parametrize(
    "not_a_ping",
    [
        ping(b"webhook_id=3&x=1"),
        ping(b"webhook_id="),
        ping(b""),
        ping(BODY),
        ping(content_type="application/json"),
        ping(x_wc_webhook_topic="order.updated"),
        ping(x_wc_webhook_signature="AAAA"),
    ],
)
def test_anything_else_unsigned_is_rejected(not_a_ping: Inbound) -> None:
    with pytest.raises(WebhookRejected):
        WooCommerceAdapter().verify(not_a_ping, endpoint(b"secret"))


# -- source --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "https://kauppa.example.test/",
        "http://kauppa.example.test",
        "https://www.kauppa.example.test",
        "HTTPS://Kauppa.Example.TEST/",
        "kauppa.example.test",
    ],
)
def test_the_shops_own_source_is_tolerantly_compared(source: str) -> None:
    assert verified(delivery(x_wc_webhook_source=source)).quarantine == ""


@pytest.mark.parametrize(
    "source",
    [
        "https://staging.kauppa.example.test/",
        "https://kauppa.example.test/staging/",
        "https://kauppa.example.test:8443/",
        "https://kauppa.example.test.evil.example/",
        "https://evil.example/?https://kauppa.example.test",
        "",
        "\ud800",
        "ä" * 80,
    ],
)
def test_a_staging_clone_is_quarantined(source: str) -> None:
    found = verified(delivery(x_wc_webhook_source=source))
    assert found.quarantine.startswith("source ")
    found.quarantine.encode()  # must be storable


def test_a_delivery_without_source_or_shop_is_quarantined() -> None:
    assert verified(delivery(x_wc_webhook_source=None)).quarantine.startswith("source missing")
    assert verified(delivery(), endpoint(b"secret", shop=None)).quarantine.startswith("source cannot")


def test_the_domain_is_compared_when_the_shop_has_no_url() -> None:
    bare = replace(SHOP, url=None, domain="mukikauppa.example.test")
    assert (
        verified(
            delivery(x_wc_webhook_source="https://www.mukikauppa.example.test/"), endpoint(b"secret", shop=bare)
        ).quarantine
        == ""
    )
    assert verified(delivery(), endpoint(b"secret", shop=bare)).quarantine != ""


def test_international_domains_compare_in_ascii() -> None:
    assert site_key("https://äiti.example/") == site_key("http://xn--iti-pla.example")


@pytest.mark.parametrize(
    ("body", "resource_id"),
    [
        (b'{"id":"21"}', "21"),
        (b'{"action":"woocommerce_delete_order","arg":54}', "54"),
        (b'{"action":"x","arg":{"order_id":21,"customer_note":"y"}}', "21"),
        (b'{"action":"x","arg":[]}', None),
        (b'{"code":"woocommerce_rest_cannot_view"}', None),
        (b"not json", None),
        (b"", None),
        (b"[" * 3000, None),
        (b'{"id":{"a":1}}', None),
        (b'{"id":true}', None),
    ],
)
def test_the_look_at_the_id_is_tolerant(body: bytes, resource_id: str | None) -> None:
    found = verified(delivery(body))
    assert found.resource_id == resource_id
    assert found.dedup_key == f"{resource_id or '-'}:{hashlib.sha256(body).hexdigest()}"
