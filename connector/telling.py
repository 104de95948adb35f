"""Events of the merchant's own: declared with a schema in app.toml, told by command or over HTTP.

    [events.fitting]
    fields = { size = "number", shop = "text", at = "time" }

An HTTP body is kept as it came before anything reads it, like any webhook; `Merchant` then turns it into events. The
merchant's own id makes an event once: the same id again changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from connector import codec
from connector.clock import to_text
from connector.contracts import Endpoint, Inbound, PlatformAdapter, Verified
from connector.errors import MalformedPayload, WebhookRejected, near
from connector.model import Customer, Event, EventKind, Money, Ref, Shop, email_key, guest_id

PLATFORM = "events"
"""The name under which deliveries of merchants' own events are kept."""
PREFIX = "custom."
MOST = 100
"""Events one request may tell."""
TOLD_KINDS = tuple(
    str(kind)
    for kind in (
        EventKind.TIER_CHANGED,
        EventKind.POINTS_CHANGED,
        EventKind.POINTS_EXPIRING,
        EventKind.PRODUCT_PRICE_CHANGED,
        EventKind.PRODUCT_BACK_IN_STOCK,
    )
)
"""Kinds of ours that no platform reports: whoever knows may tell them. Their fields are free."""
_LONGEST = 200

Schemas = Mapping[str, Mapping[str, str]]
"""Kind to field to type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event as a merchant tells it. `id` is their own and makes it once; one of `email`, `customer_id` and
    `order_id` says whom it is about."""

    kind: str
    id: str
    at: datetime | None = None
    email: str | None = None
    customer_id: str | None = None
    order_id: str | None = None
    data: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Several:
    events: tuple[Told, ...]


class Merchant(PlatformAdapter):
    """The shop's own voice. Its signature is its key: `Authorization: Bearer ENDPOINT.SECRET`."""

    name: ClassVar[str] = PLATFORM

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified:
        """Compare the key in constant time. Raises `WebhookRejected` and nothing else."""
        scheme, _, token = (inbound.one("authorization") or "").partition(" ")
        secret = token.strip().rpartition(".")[2].encode("utf-8", "replace")
        if scheme.lower() != "bearer" or not any(hmac.compare_digest(secret, each) for each in endpoint.secrets):
            raise WebhookRejected("signature")
        return Verified(topic="events", dedup_key=hashlib.sha256(inbound.body).hexdigest())

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:  # noqa: ARG002
        """One event, or `{"events": [...]}`. Raises `MalformedPayload`."""
        return [event_of(told, None) for told in _read(body)]


def _read(body: bytes) -> Sequence[Told]:
    first = body.lstrip()[:1]
    if first != b"{":
        raise MalformedPayload('expected one event as a JSON object, or {"events": [...]}', topic="events")
    if "events" not in codec.decode(body, dict[str, Any]):
        return (codec.decode(body, Told),)
    several = codec.decode(body, _Several).events
    if len(several) > MOST:
        raise MalformedPayload(f"tell at most {MOST} events at once", topic="events", path="events")
    return several


def event_of(told: Told, now: datetime | None) -> Event:
    """The event. `now` stands for a time that is not given; without it the time is a fault.

    Raises `MalformedPayload`.
    """
    for name, value in (("kind", told.kind), ("id", told.id)):
        if not value or len(value) > _LONGEST:
            raise MalformedPayload("should be a text of at most 200 letters", topic="events", path=name)
    at = told.at or now
    if at is None:
        raise MalformedPayload("say when it happened, such as 2026-11-22T09:00:00Z", topic="events", path="at")
    address = email_key(told.email)
    if told.email and address is None:
        raise MalformedPayload("is no e-mail address", topic="events", path="email")
    if not (address or told.customer_id or told.order_id):
        raise MalformedPayload("say whom it is about: email, customer_id or order_id", topic="events")
    guest = Customer(id=None, email=told.email) if address and not told.customer_id else None
    return Event(
        kind=told.kind,
        key=f"told/{told.kind}/{told.id}",
        subject=_subject(told, address),
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        order_id=told.order_id,
        customer_id=told.customer_id,
        customer=guest,
        data={name: _text(value) for name, value in told.data.items()},
    )


def _subject(told: Told, address: str | None) -> Ref:
    if told.order_id:
        return Ref("order", told.order_id)
    if told.customer_id:
        return Ref("customer", told.customer_id)
    return Ref("customer", guest_id(str(address)))


def _text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def check_event(event: Event, schemas: Schemas) -> Event:
    """The event with its fields in the form guards read. Raises `MalformedPayload` where it is not as declared."""
    if event.kind in TOLD_KINDS:
        return event
    if event.kind not in schemas:
        known = (*schemas, *TOLD_KINDS)
        hint = near(event.kind, known) or f"; declare it as [events.{event.kind.removeprefix(PREFIX)}] in app.toml"
        raise MalformedPayload(f"no event '{event.kind[:_LONGEST]}' is declared{hint}", topic="events", path="kind")
    fields = schemas[event.kind]
    for name in event.data:
        if name not in fields:
            raise MalformedPayload(f"no such field{near(name, fields)}", topic=event.kind, path=f"data.{name[:40]}")
    for name, kind in fields.items():
        if not fits(event.data.get(name, ""), kind):
            raise MalformedPayload(f"should be {_MEANINGS[kind]}", topic=event.kind, path=f"data.{name}")
    return event


_MEANINGS = {
    "text": "a text",
    "number": "a number",
    "time": "a time such as 2026-11-22T09:00:00Z",
    "money": "an amount such as 12.50 EUR",
    "bool": "true or false",
}


def fits(value: str, kind: str) -> bool:
    """Whether the text can be read as its type. An empty one stands for a field that is not told."""
    if value == "" or kind == "text":
        return True
    try:
        if kind == "number":
            return Decimal(value).is_finite()
        if kind == "time":
            return bool(to_text(datetime.fromisoformat(value).astimezone(UTC)))
        if kind == "money":
            amount, _, currency = value.partition(" ")
            return len(currency) == 3 and bool(Money.parse(amount, currency))
    except (ValueError, TypeError, OverflowError, InvalidOperation):
        return False
    return value in ("true", "false")
