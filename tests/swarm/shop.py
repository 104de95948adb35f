"""The shops as they truly are, and the adapter through which the product sees them: no sockets, the same contracts.

What a shop says in a webhook or an answer is what its orders prove at that moment. A webhook's body is a number; the
adapter looks up what was said under it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from connector.clock import to_text
from connector.contracts import (
    Access,
    CreatesDiscounts,
    DiscountRef,
    DiscountRequest,
    Endpoint,
    FetchesOrders,
    Inbound,
    ListsChanges,
    MarkPage,
    PlatformAdapter,
    PublishesReviews,
    ReviewRequest,
    Snapshot,
    Verified,
)
from connector.contracts.catching_up import Mark
from connector.errors import WebhookRejected
from connector.model import (
    AppliedDiscount,
    Customer,
    Event,
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Ref,
    Refund,
    Return,
    Shipment,
    ShipmentStatus,
    ShippedLine,
    Shop,
)
from tests.swarm.plan import NORTH, Person

if TYPE_CHECKING:
    from tests.swarm.life import Life

PLATFORM = "swarm"
CUP, SOCKS = "Birch cup", "Wool socks"


@dataclass
class TrueOrder:
    """An order as it stands in the shop, with everything that ever became of it (`story`: what, when)."""

    shop_id: str
    person: Person
    order: Order
    parcels: dict[str, Shipment] = field(default_factory=dict)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    story: list[tuple[str, str, datetime]] = field(default_factory=list)  # kind, parcel's tracking number or "", when
    deleted: bool = False

    @property
    def number(self) -> str:
        return self.order.number

    @property
    def is_of_guest(self) -> bool:
        """Whether it was placed without an account."""
        return self.order.customer is None or self.order.customer.id is None

    def told(self, kind: str, tracking: str = "") -> list[datetime]:
        """When this became so."""
        return [at for what, which, at in self.story if what == kind and which == tracking]

    def change(self, now: datetime, kind: str, tracking: str = "", **changes: Any) -> None:
        # A second later than the last change at least: a shop's times are a second fine, and grow.
        last = self.order.updated_at + timedelta(seconds=1)
        self.order = replace(self.order, updated_at=max(now.replace(microsecond=0), last), **changes)
        self.story.append((kind, tracking, now))

    # -- what it proves ---

    def proves(self) -> list[Event]:
        """Every event the order as it stands gives proof of."""
        if self.deleted:
            return [self._event("order.deleted", "deleted", self.order.updated_at, order=None)]
        order = self.order
        found = [
            self._event("order.created", "created", order.placed_at),
            self._event("order.updated", f"updated/{to_text(order.updated_at)}", order.updated_at),
        ]
        if order.paid_at is not None:
            found.append(self._event("order.paid", "paid", order.paid_at))
        if order.cancelled_at is not None:
            found.append(self._event("order.cancelled", "cancelled", order.cancelled_at))
        return [*found, *self.undone(), *(event for parcel in self.parcels.values() for event in self.moved(parcel))]

    def undone(self) -> list[Event]:
        refunds = [
            self._event("refund.created", f"refund/{one.id}", one.at, refund=one, order=None) for one in self.refunds
        ]
        returns = [
            self._event("return.requested", f"return/{one.id}", one.at, return_=one, order=None) for one in self.returns
        ]
        return [*refunds, *returns]

    def moved(self, parcel: Shipment) -> list[Event]:
        """What one parcel's present state proves."""
        kinds = [("shipment.created", parcel.created_at)]
        if parcel.status is not ShipmentStatus.SHIPPED:
            kinds.append((f"shipment.{parcel.status}", parcel.updated_at))
        return [
            Event(
                kind=kind,
                key=f"shipment/{parcel.id}/{kind}",
                subject=Ref("shipment", parcel.id),
                at=at,
                order_id=self.order.id,
                customer_id=self.order.customer.id if self.order.customer else None,
                shipment=parcel,
            )
            for kind, at in kinds
        ]

    def _event(self, kind: str, what: str, at: datetime, **more: Any) -> Event:
        order = self.order
        given: dict[str, Any] = {"order": order, **more}
        return Event(
            kind=kind,
            key=f"order/{order.id}/{what}",
            subject=Ref("order", order.id),
            at=at,
            order_id=order.id,
            customer_id=order.customer.id if order.customer else None,
            **given,
        )


def new_order(shop_id: str, number: int, person: Person, now: datetime, *, guest: bool, code: str) -> TrueOrder:
    """An order of two lines, unpaid."""
    price = Money.parse("20.00", "EUR")
    name = f"{'N' if shop_id == NORTH else 'W'}{1000 + number}"
    lines = tuple(
        LineItem(
            id=f"{name}-{letter}", title=title, quantity=1, unit_price=price, total=price, product_id=f"p-{letter}"
        )
        for letter, title in (("a", CUP), ("b", SOCKS))
    )
    at = now.replace(microsecond=0)
    order = Order(
        id=f"id-{name}",
        number=name,
        status=OrderStatus.OPEN,
        raw_status="open",
        financial=FinancialStatus.PENDING,
        fulfillment=FulfillmentStatus.UNFULFILLED,
        placed_at=at,
        updated_at=at,
        currency="EUR",
        total=Money.parse("40.00", "EUR"),
        customer=Customer(id=None if guest else f"c-{person.name}", email=person.email, first_name=person.name),
        email=person.email,
        lines=lines,
        shipping_address=person.home,
        billing_address=person.home,
        discounts=(AppliedDiscount(code=code),) if code else (),
    )
    return TrueOrder(shop_id, person, order, story=[("order.created", "", now)])


def new_parcel(true: TrueOrder, letter: str, parts: int, now: datetime) -> Shipment:
    """A parcel that has just left: with everything, or with one of two lines."""
    lines = true.order.lines if parts == 1 else (true.order.lines[ord(letter[0]) - ord("a")],)
    at = now.replace(microsecond=0)
    return Shipment(
        id=f"{true.order.id}-{letter}",
        order_id=true.order.id,
        status=ShipmentStatus.SHIPPED,
        raw_status="shipped",
        created_at=at,
        updated_at=at,
        tracking_numbers=(f"T{true.number}{letter}",),
        lines=tuple(ShippedLine(line_id=line.id, quantity=1) for line in lines),
    )


class SwarmPlatform(PlatformAdapter, FetchesOrders, CreatesDiscounts, PublishesReviews, ListsChanges):
    """Asks the life of the moment. Every call may go wrong there, and be overtaken."""

    name: ClassVar[str] = PLATFORM
    life: Life

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified:
        raise WebhookRejected("deliveries of the swarm are put into the inbox verified")

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        return self.life.said[json.loads(body)["said"]]

    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]:
        with self.life.calling():
            return self.life.orders[access.shop.id, order_id].proves()

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        with self.life.calling():
            made = self.life.codes.setdefault(access.shop.id, {})
            adopted = request.code in made
            made.setdefault(request.code, request)
        return DiscountRef(code=request.code, platform_id=request.code, adopted=adopted)

    def publish_review(self, access: Access, request: ReviewRequest) -> str:
        with self.life.calling():
            self.life.published.add((access.shop.id, request.key))
        return request.key

    def list_changes(self, access: Access, kind: str, since: datetime, cursor: str | None = None) -> MarkPage:
        with self.life.calling():
            theirs = [true.order for (shop_id, _), true in self.life.orders.items() if shop_id == access.shop.id]
        changed = sorted((order.updated_at, order.id) for order in theirs if order.updated_at >= since)
        return MarkPage([Mark(order_id, at) for at, order_id in changed])

    def read_changed(self, access: Access, kind: str, ids: Sequence[str]) -> Sequence[Snapshot]:
        with self.life.calling():
            return [Snapshot(id=each, events=self.life.orders[access.shop.id, each].proves()) for each in ids]
