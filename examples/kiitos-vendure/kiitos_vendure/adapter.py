"""What our Vendure plug-in sends (plugin/kiitos-webhooks.js). Pure: no network, no clock, no store."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import ClassVar

from connector.contracts import Endpoint, Handshake, Inbound, PlatformAdapter, Verified
from connector.errors import MalformedPayload, WebhookRejected
from connector.model import Event, Shop
from kiitos_vendure.orders import order_events
from kiitos_vendure.payloads import Delivery, Envelope, read

TOPICS = frozenset({"order.placed", "order.changed"})


class VendureAdapter(PlatformAdapter):
    """Signed is the raw body, in hexadecimal; topic and shop stand in it, so no header but the signature is read."""

    name: ClassVar[str] = "vendure"

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified | Handshake:
        """Raises only `WebhookRejected`. The delivery is known by its bytes: the plug-in's retries send them anew."""
        if not _signed(inbound, endpoint.secrets):
            raise WebhookRejected("signature")
        try:
            envelope = read(inbound.body, Envelope)
        except MalformedPayload:
            raise WebhookRejected("shape") from None
        if endpoint.shop is not None and envelope.shop.lower() != endpoint.shop.domain.lower():
            raise WebhookRejected("shop")
        key = hashlib.sha256(inbound.body).hexdigest()
        return Verified(topic=envelope.topic, dedup_key=key, shop_domain=envelope.shop)

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        """Every event the order's picture proves. Raises only `MalformedPayload`."""
        del shop
        if verified.topic not in TOPICS:
            return ()
        return order_events(read(body, Delivery).order)


def _signed(inbound: Inbound, secrets: Sequence[bytes]) -> bool:
    """Whether one of the secrets made the signature. An empty secret proves nothing: anybody has it."""
    given = (inbound.one("x-kiitos-signature") or "").encode("utf-8", "surrogatepass")
    made = [hmac.digest(secret, inbound.body, "sha256").hex().encode() for secret in secrets if secret]
    return any(hmac.compare_digest(each, given) for each in made)
