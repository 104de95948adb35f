"""A platform for the receiver's tests: every trait of the real two, and nothing else.

Header families `x-acme-*` and `acme-*` (as Shopify's two), one secret list, a shop header checked against the endpoint,
an unsigned form ping and a source header that betrays a staging copy (as WooCommerce's).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence

from connector.contracts import Endpoint, Handshake, Inbound, PlatformAdapter, Verified
from connector.errors import WebhookRejected
from connector.model import Event, Shop

DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.test")


def sign(body: bytes, secret: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


class Acme(PlatformAdapter):
    name = "acme"

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified | Handshake:
        family = "x-acme-" if "x-acme-signature" in inbound.headers else "acme-"
        signature = inbound.one(f"{family}signature")
        if signature is None:
            if inbound.body.startswith(b"webhook_id=") and endpoint.shop is not None:
                return Handshake()
            raise WebhookRejected("missing_header")
        try:
            given = base64.b64decode(signature.encode("latin-1"), validate=True)
        except ValueError as error:
            raise WebhookRejected("signature") from error
        if not any(
            hmac.compare_digest(given, hmac.digest(key, inbound.body, hashlib.sha256)) for key in endpoint.secrets
        ):
            raise WebhookRejected("signature")
        topic, delivery, shop = (inbound.one(family + name) for name in ("topic", "delivery", "shop"))
        if not topic or not delivery or not shop or not DOMAIN.fullmatch(shop.lower()):
            raise WebhookRejected("shape")
        if endpoint.shop is not None and shop.lower() != endpoint.shop.domain:
            raise WebhookRejected("shop")
        source = inbound.one(f"{family}source")
        clone = "other source" if endpoint.shop and source and source != endpoint.shop.url else ""
        return Verified(topic=topic, dedup_key=delivery, shop_domain=shop, quarantine=clone)

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        return ()


class Explosive(Acme):
    """An outsider's adapter with a fault: `verify` raises what it must not."""

    name = "explosive"

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified | Handshake:
        raise KeyError("x-acme-topic")
