"""Webhooks on their way out: signed when they happen, sent until they are taken, never changed in between.

The facts are in shopify.md §1.2 and §1.3: the payload of the moment, base64 HMAC-SHA256 of the bytes, 5 s for the whole
answer, 8 retries over 4 hours, one webhook id a delivery and one event id a merchant action.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connector.clock import Clock
from connector.testing.fakes.shopify.schema import API_VERSION
from connector.testing.fakes.shopify.state import Json
from connector.testing.fakes.web import post

TIMEOUT_SECONDS = 5.0
# Eight waits that add up to four hours; Shopify publishes the number and the sum, not the steps.
BACKOFF_SECONDS = (10, 30, 120, 300, 900, 1800, 3600, 7640)

Topics = bool | Collection[str]

_ESCAPES = {"/": "\\/", "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_UNSAFE = re.compile("[" + "".join(_ESCAPES) + "]")


def body_of(payload: Json) -> bytes:
    """The bytes as Ruby on Rails writes them: UTF-8, slashes and HTML's characters escaped."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: _ESCAPES[found.group()], text).encode()


def sign(secret: str, body: bytes) -> str:
    """base64(HMAC-SHA256(client secret, body))."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def chosen(topics: Topics, topic: str) -> bool:
    return topics if isinstance(topics, bool) else topic in topics


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One delivery. `triggered_at` has nanoseconds, as text; `next_at` is when it may be tried (again)."""

    topic: str
    body: bytes
    webhook_id: str
    event_id: str
    triggered_at: str
    signature: str
    next_at: datetime
    attempts: int = 0
    statuses: list[int | None] = field(default_factory=list)

    def headers(self, domain: str) -> list[tuple[str, str]]:
        return [
            ("User-Agent", "Shopify-Captain-Hook"),
            ("Accept", "*/*"),
            ("Content-Type", "application/json"),
            ("X-Shopify-Topic", self.topic),
            ("X-Shopify-Hmac-Sha256", self.signature),
            ("X-Shopify-Shop-Domain", domain),
            ("X-Shopify-API-Version", API_VERSION),
            ("X-Shopify-Webhook-Id", self.webhook_id),
            ("X-Shopify-Event-Id", self.event_id),
            ("X-Shopify-Triggered-At", self.triggered_at),
        ]


class Outbox:
    """Deliveries waiting, given up (`dead`) and taken (`delivered`)."""

    def __init__(self, clock: Clock, domain: str, secret: str) -> None:
        self._clock = clock
        self._domain = domain
        self.secret = secret
        self.pending: list[Delivery] = []
        self.delivered: list[Delivery] = []
        self.dead: list[Delivery] = []
        self.lost: list[Delivery] = []
        self.loses: Callable[[], bool] = lambda: False
        self.reaches: Callable[[], bool] = lambda: True

    def new_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self._clock.new_id()))

    def queue(self, topic: str, payload: Json, event_id: str) -> Delivery:
        """Sign the payload as it is now and put it in line."""
        body = body_of(payload)
        now = self._clock.now()
        fraction = f"{now.microsecond:06d}{int(self._clock.random() * 1000):03d}"
        delivery = Delivery(
            topic=topic,
            body=body,
            webhook_id=self.new_id(),
            event_id=event_id,
            triggered_at=f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{fraction}Z",
            signature=sign(self.secret, body),
            next_at=now,
        )
        self.pending.append(delivery)
        return delivery

    def send_due(
        self,
        address: Callable[[Delivery], str | None],
        *,
        duplicate: Topics = False,
        out_of_order: bool = False,
        hold: Topics = False,
    ) -> list[Delivery]:
        """Try every delivery that is due and not held; return those tried, in the order of trying.

        `address` gives the URL, or `None` to leave the delivery in line. `duplicate` sends each, or those of the
        named topics, twice with the same webhook id. `out_of_order` sends the newest first.
        """
        now = self._clock.now()
        due = [d for d in self.pending if d.next_at <= now and not chosen(hold, d.topic)]
        tried: list[Delivery] = []
        for delivery in reversed(due) if out_of_order else due:
            url = address(delivery)
            if url is None:
                continue
            if self.loses():
                self.pending.remove(delivery)
                self.lost.append(delivery)
                continue
            for _ in range(2 if chosen(duplicate, delivery.topic) else 1):
                self._attempt(delivery, url)
            tried.append(delivery)
        return tried

    def _attempt(self, delivery: Delivery, url: str) -> None:
        headers = delivery.headers(self._domain)
        status = post(url, headers, delivery.body, TIMEOUT_SECONDS) if self.reaches() else None
        delivery.statuses.append(status)
        delivery.attempts += 1
        waiting = delivery in self.pending
        if status is not None and 200 <= status < 300:
            if waiting:
                self.pending.remove(delivery)
                self.delivered.append(delivery)
        elif waiting and delivery.attempts > len(BACKOFF_SECONDS):
            self.pending.remove(delivery)
            self.dead.append(delivery)
        elif waiting:
            wait = BACKOFF_SECONDS[delivery.attempts - 1]
            delivery.next_at = self._clock.now() + timedelta(seconds=wait)
