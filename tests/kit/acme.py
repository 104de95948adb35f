"""A small platform that conforms, and what it needs to be tested: the measure for adapters broken on purpose.

Its deliveries: `{"id": 7, "shop": "acme.test", "at": "...", "email": "...", "total": "9.90"}`, signed as Shopify's.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from connector.clock import from_text
from connector.contracts import Endpoint, Handshake, Inbound, PlatformAdapter, Verified
from connector.errors import MalformedPayload, WebhookRejected
from connector.model import Customer, Event, Money, Ref, Refund, Shop
from connector.testing import PlatformConformance

SHOP = Shop(id="s", client_id="c", platform="acme", domain="acme.test", name="Acme")


class Body(msgspec.Struct):
    id: int
    at: str
    email: str | None = None
    total: str | None = None


class Acme(PlatformAdapter):
    name: ClassVar[str] = "acme"

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified | Handshake:
        self.check(inbound, endpoint)
        topic, shop = inbound.one("x-acme-topic"), inbound.one("x-acme-shop")
        if not topic or not shop:
            raise WebhookRejected("shape")
        if endpoint.shop and shop != endpoint.shop.domain:
            raise WebhookRejected("shop")
        return Verified(topic=topic, dedup_key=inbound.one("x-acme-delivery") or "none", shop_domain=shop)

    def check(self, inbound: Inbound, endpoint: Endpoint) -> None:
        try:
            given = base64.b64decode((inbound.one("x-acme-signature") or "").encode("ascii"), validate=True)
        except ValueError:
            raise WebhookRejected("signature") from None
        if not any(hmac.compare_digest(hmac.digest(s, inbound.body, "sha256"), given) for s in endpoint.secrets if s):
            raise WebhookRejected("signature")

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        if verified.topic != "refund":
            return ()
        payload = self.read(body)
        at = self.time(payload.at)
        refund_id = self.refund_id(payload, verified)
        return (
            Event(
                kind="refund.created",
                key=self.key(payload, verified),
                subject=Ref("refund", refund_id),
                at=at,
                refund=Refund(id=refund_id, order_id="1", at=at, amount=self.amount(payload)),
                customer=Customer(id=None, email=payload.email),
            ),
        )

    def read(self, body: bytes) -> Body:
        try:
            return msgspec.json.decode(body, type=Body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedPayload(str(error)) from None

    def time(self, value: str) -> datetime:
        try:
            return from_text(value)
        except (ValueError, TypeError, OverflowError):
            raise MalformedPayload("not a time", path="at") from None

    def amount(self, payload: Body) -> Money | None:
        try:
            return Money.parse(payload.total, "EUR") if payload.total else None
        except TypeError:
            raise MalformedPayload("not an amount", path="total") from None

    def refund_id(self, payload: Body, verified: Verified) -> str:
        return str(payload.id)

    def key(self, payload: Body, verified: Verified) -> str:
        return f"refund/{payload.id}"


def write_recordings(root: Path) -> None:
    """Two refunds, one without an e-mail."""
    for case, extra in (("plain", {"email": "aino@example.test"}), ("no_email", {"email": None})):
        folder = root / "refund" / case
        folder.mkdir(parents=True)
        body: dict[str, Any] = {"id": 7, "at": "2026-11-22T08:00:00+02:00", "total": "9.90", **extra}
        headers = {"X-Acme-Topic": "refund", "X-Acme-Shop": SHOP.domain, "X-Acme-Delivery": f"d-{case}"}
        (folder / "request.json").write_text(json.dumps({"topic": "refund", "headers": headers}))
        (folder / "body.json").write_text(json.dumps(body))


def kit_for(adapter: type[PlatformAdapter], root: Path) -> type[PlatformConformance]:
    """The kit as an outsider would subclass it, for one adapter and the recordings below `root`."""

    class AcmeConformance(PlatformConformance):
        recordings = root
        shop = SHOP
        signature_header = "x-acme-signature"
        topic_header = "x-acme-topic"
        shop_header = "x-acme-shop"
        delivery_header = "x-acme-delivery"
        repeat_refused = ("x-acme-topic", "x-acme-shop")
        unknown_topic = "unheard_of"
        max_examples = 60

        def make_adapter(self) -> PlatformAdapter:
            return adapter()

    return AcmeConformance
