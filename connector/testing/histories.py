"""Invented pasts of a shop, from a seed: people, their orders, parcels, refunds, reviews, and what they agreed to.

The events are those an adapter emits while it happens, each with the snapshots of that moment. A history of 100,000
orders is made person by person and never held as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from connector.clock import ManualClock, to_text
from connector.model import (
    Address,
    Channel,
    Consent,
    ConsentState,
    Customer,
    Event,
    EventKind,
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Product,
    Purpose,
    Ref,
    Refund,
    Return,
    Shipment,
    ShipmentStatus,
    ShippedLine,
    Shop,
)
from connector.store import consents, entities, events
from connector.store.db import Tx

T = TypeVar("T")

GOODS = ("Birch cup", "Wool socks", "Rain jacket", "Cast iron pan", "Linen towel", "Coffee, 500 g", "Vacuum bags, 4")
_COUNTRIES = ("FI", "FI", "FI", "FI", "SE", "DE")
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How people of a history are: shares of 1, the mean of further orders a person, and the days it spans."""

    days: int = 365
    further_orders: float = 0.9
    accounts: float = 0.7
    unpaid_first: float = 0.1
    sent: float = 0.93
    in_parts: float = 0.12
    tracked: float = 0.6
    delivered: float = 0.9
    cancelled: float = 0.03
    refunded: float = 0.05
    returned: float = 0.03
    reviewed: float = 0.08
    agreed: float = 0.4
    withdrew: float = 0.1


def products() -> list[Product]:
    """What the invented shop sells."""
    return [Product(id=f"p{number}", title=title) for number, title in enumerate(GOODS)]


class History:
    """A shop's past. `people()` gives one person after the other, each with everything that happened to them."""

    def __init__(self, shop: Shop, begin: datetime, *, seed: int = 0, habits: Habits | None = None) -> None:
        self._shop = shop
        self._begin = begin
        self._seed = seed
        self._habits = habits or Habits()

    def people(self, orders: int) -> Iterator[list[Event]]:
        """People until they have placed `orders` orders together; each one's events by time."""
        count = number = 0
        while count < orders:
            number += 1
            person = _Person(self._shop, self._begin, self._habits, f"{self._seed}-{number}", number)
            told = person.live(orders - count)
            count += person.count
            yield told


class _Person:
    """One invented buyer."""

    def __init__(self, shop: Shop, begin: datetime, habits: Habits, seed: str, number: int) -> None:
        self.shop = shop
        self.begin = begin
        self.habits = habits
        self.number = number
        self.count = 0
        # The seed is text, so that histories of neighbouring seeds share nothing.
        self.chance = ManualClock(begin, seed=int.from_bytes(seed.encode()))
        account = self._share(habits.accounts)
        self.customer = Customer(
            id=f"c{number}" if account else None,
            email=f"buyer{number}@example.test",
            first_name="Ostaja",
            last_name=str(number),
        )
        self.country = self._one_of(_COUNTRIES)

    def _share(self, share: float) -> bool:
        return self.chance.random() < share

    def _one_of(self, choices: Sequence[T]) -> T:
        return choices[int(self.chance.random() * len(choices))]

    def _span(self, shortest: timedelta, longest: timedelta) -> timedelta:
        # Whole seconds, as platforms keep them, and never a moment twice.
        return timedelta(seconds=round((shortest + (longest - shortest) * self.chance.random()).total_seconds()) + 1)

    def live(self, most: int) -> list[Event]:
        told: list[Event] = []
        at = self.begin + self._span(timedelta(), timedelta(days=self.habits.days))
        end = self.begin + timedelta(days=self.habits.days)
        if self._share(self.habits.agreed):
            told.append(self._consent(ConsentState.GRANTED, at - _HOUR))
        more = self.habits.further_orders / (1 + self.habits.further_orders)
        while at < end and self.count < most:
            self.count += 1
            told += self._order(at)
            if not self._share(more):
                break
            at += self._span(timedelta(days=3), timedelta(days=120))
        if self._share(self.habits.withdrew):
            told.append(self._consent(ConsentState.WITHDRAWN, at + self._span(_HOUR, timedelta(days=40))))
        return sorted(told, key=lambda event: event.at)

    def _consent(self, state: ConsentState, at: datetime) -> Event:
        consent = Consent(
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            state=state,
            raw_state=str(state),
            at=at,
            source="history",
            address=self.customer.email,
            customer_id=self.customer.id,
        )
        granted = state is ConsentState.GRANTED
        return Event(
            kind=EventKind.CONSENT_GRANTED if granted else EventKind.CONSENT_WITHDRAWN,
            key=f"consent/{self.number}/{to_text(at)}",
            subject=Ref("customer", self.customer.id) if self.customer.id else Ref("person", str(self.customer.email)),
            at=at,
            customer_id=self.customer.id,
            consent=consent,
        )

    def _order(self, at: datetime) -> list[Event]:
        order = self._placed(at)
        story = _OrderStory(order)
        if order.financial is FinancialStatus.PAID:
            story.tell(EventKind.ORDER_PAID, "paid", at)
        else:
            at += self._span(_HOUR, 48 * _HOUR)
            story.change(EventKind.ORDER_PAID, "paid", at, financial=FinancialStatus.PAID, paid_at=at)
        if self._share(self.habits.cancelled):
            at += self._span(_HOUR, 20 * _HOUR)
            story.change(
                EventKind.ORDER_CANCELLED, "cancelled", at, status=OrderStatus.CANCELLED, raw_status="cancelled",
                cancelled_at=at,
            )  # fmt: skip
            return story.told
        if self._share(self.habits.sent):
            at = self._send(story, at)
        self._afterwards(story, at)
        return story.told

    def _placed(self, at: datetime) -> Order:
        order_id = f"{self.number}-{self.count}"
        amount = Money.parse(f"{15 + int(self.chance.random() * 120)}.90", self.shop.currency)
        titles = [self._one_of(range(len(GOODS))) for _ in range(1 + int(self.chance.random() * 3))]
        lines = tuple(
            LineItem(
                id=f"{order_id}-{place}",
                title=GOODS[item],
                quantity=1,
                unit_price=amount,
                total=amount,
                product_id=f"p{item}",
                sku=f"SKU{item}",
            )
            for place, item in enumerate(titles)
        )
        home = Address(first_name="Ostaja", lines=("Keksittykatu 1",), city="Keksittylä", country=self.country)
        paid = not self._share(self.habits.unpaid_first)
        return Order(
            id=order_id,
            number=order_id,
            status=OrderStatus.OPEN,
            raw_status="open",
            financial=FinancialStatus.PAID if paid else FinancialStatus.PENDING,
            fulfillment=FulfillmentStatus.UNFULFILLED,
            placed_at=at,
            updated_at=at,
            paid_at=at if paid else None,
            currency=amount.currency,
            total=Money(amount.amount * len(lines), amount.currency),
            customer=self.customer,
            email=self.customer.email,
            lines=lines,
            shipping_address=home,
            billing_address=home,
            source="web",
        )

    def _send(self, story: _OrderStory, at: datetime) -> datetime:
        lines = story.order.lines
        parts = 2 if len(lines) > 1 and self._share(self.habits.in_parts) else 1
        last = at
        for part in range(parts):
            at += self._span(4 * _HOUR, 60 * _HOUR)
            mine = [line for place, line in enumerate(lines) if place % parts == part]
            parcel = Shipment(
                id=f"s{story.order.id}-{part}",
                order_id=story.order.id,
                status=ShipmentStatus.SHIPPED,
                raw_status="shipped",
                created_at=at,
                updated_at=at,
                carrier="Posti",
                tracking_numbers=(f"JJFI{story.order.id}{part}",),
                lines=tuple(ShippedLine(line_id=line.id, quantity=line.quantity) for line in mine),
            )
            whole = part == parts - 1
            story.order = replace(
                story.order,
                updated_at=at,
                fulfillment=FulfillmentStatus.FULFILLED if whole else FulfillmentStatus.PARTIAL,
            )
            story.parcel(EventKind.SHIPMENT_CREATED, "created", parcel, order=story.order)
            last = max(last, self._travel(story, parcel))
        return last

    def _travel(self, story: _OrderStory, parcel: Shipment) -> datetime:
        at = parcel.created_at
        states = []
        if self._share(self.habits.tracked):
            states += [ShipmentStatus.IN_TRANSIT, ShipmentStatus.OUT_FOR_DELIVERY]
        if self._share(self.habits.delivered):
            states.append(ShipmentStatus.DELIVERED)
        for state in states:
            at += self._span(3 * _HOUR, 40 * _HOUR)
            moved = replace(parcel, status=state, raw_status=str(state), updated_at=at)
            story.parcel(EventKind.of(f"shipment.{state}"), f"{state}/{to_text(at)}", moved)
        return at

    def _afterwards(self, story: _OrderStory, at: datetime) -> None:
        order = story.order
        if self._share(self.habits.reviewed):
            told = at + self._span(timedelta(days=1), timedelta(days=30))
            story.tell(EventKind.REVIEW_SUBMITTED, "reviewed", told, data={"rating": "5", "products": "1"}, order=None)
        if self._share(self.habits.returned):
            told = at + self._span(timedelta(days=1), timedelta(days=20))
            back = Return(id=f"r{order.id}", order_id=order.id, raw_status="requested", at=told)
            story.tell(EventKind.RETURN_REQUESTED, f"return/r{order.id}", told, return_=back, order=None)
        if self._share(self.habits.refunded):
            told = at + self._span(timedelta(days=1), timedelta(days=30))
            refund = Refund(id=f"f{order.id}", order_id=order.id, at=told, amount=order.total)
            story.change(
                EventKind.REFUND_CREATED, f"refund/f{order.id}", told, financial=FinancialStatus.REFUNDED,
                refunded=order.total, carries=refund,
            )  # fmt: skip


class _OrderStory:
    """An order as it changes, and what is told of it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.told: list[Event] = []
        self.tell(EventKind.ORDER_CREATED, "created", order.placed_at)

    def tell(self, kind: str, ends: str, at: datetime, **carries: object) -> None:
        order, customer = self.order, self.order.customer
        given: dict[str, object] = {"order": order, **carries}
        self.told.append(
            Event(
                kind=kind,
                key=f"order/{order.id}/{ends}",
                subject=Ref("order", order.id),
                at=at,
                order_id=order.id,
                customer_id=customer.id if customer else None,
                **given,  # type: ignore[arg-type]
            )
        )

    def change(self, kind: str, ends: str, at: datetime, carries: Refund | None = None, **changes: object) -> None:
        self.order = replace(self.order, updated_at=at, **changes)  # type: ignore[arg-type]
        self.tell(kind, ends, at, **({"refund": carries} if carries is not None else {}))

    def parcel(self, kind: str, ends: str, parcel: Shipment, order: Order | None = None) -> None:
        customer = self.order.customer
        self.told.append(
            Event(
                kind=kind,
                key=f"shipment/{parcel.id}/{ends}",
                subject=Ref("shipment", parcel.id),
                at=parcel.updated_at,
                order_id=self.order.id,
                customer_id=customer.id if customer else None,
                order=order,
                shipment=parcel,
            )
        )


def keep(tx: Tx, shop_id: str, told: Sequence[Event], now: datetime) -> None:
    """Keep what a back-fill keeps of a past: the snapshots, what people agreed to, and that it happened."""
    entities.apply_many(tx, shop_id, told, now)
    for event in told:
        if event.consent is not None:
            consents.record(tx, shop_id, event.consent, now)
    events.record_many(tx, shop_id, told, now)
