"""Events: what happened, in the platform-neutral words flows are written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connector.model.changing import quick
from connector.model.order import (
    Checkout,
    Order,
    Product,
    Refund,
    Return,
    Shipment,
    ShipmentEvent,
)
from connector.model.party import Consent, Customer


@dataclass(frozen=True, slots=True)
class Ref:
    """A thing of the shop, by kind and the platform's id as text: `Ref("order", "5123")`."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, once per `key`.

    `key` comes from the payload (`order/5123/paid`, `shipment/77/delivered`), so that the same event under
    another delivery id, or read again from a later snapshot, is the same event. Adapters may therefore emit
    every event a snapshot proves: what was seen before is ignored.

    `at` is when it happened as far as the payload tells. `order_id` ties it to an order where there is one.
    Snapshots that came along are applied newest-wins before flows see the event. `data` holds small texts
    for kinds that need them (compliance ids, scopes, the reason of a recheck).
    """

    kind: str
    key: str
    subject: Ref
    at: datetime
    order_id: str | None = None
    customer_id: str | None = None
    order: Order | None = None
    customer: Customer | None = None
    shipment: Shipment | None = None
    shipment_event: ShipmentEvent | None = None
    refund: Refund | None = None
    return_: Return | None = None
    product: Product | None = None
    checkout: Checkout | None = None
    consent: Consent | None = None
    data: Mapping[str, str] = field(default_factory=dict)
