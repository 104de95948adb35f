"""What may happen in a rehearsal: an invented customer's order lives as the test says, in the events adapters emit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from connector.clock import to_text
from connector.errors import ConfigError
from connector.model import (
    Address,
    AppliedDiscount,
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
    Purpose,
    Ref,
    Refund,
    Return,
    Shipment,
    ShipmentStatus,
    ShippedLine,
    Shop,
)

_MOVES = {
    "shipped": ShipmentStatus.SHIPPED,
    "in transit": ShipmentStatus.IN_TRANSIT,
    "delayed": ShipmentStatus.DELAYED,
    "out for delivery": ShipmentStatus.OUT_FOR_DELIVERY,
    "ready for pickup": ShipmentStatus.READY_FOR_PICKUP,
    "attempted": ShipmentStatus.ATTEMPTED,
    "delivered": ShipmentStatus.DELIVERED,
    "delivery failed": ShipmentStatus.FAILED,
    "came back": ShipmentStatus.RETURNED,
    "parcel cancelled": ShipmentStatus.CANCELLED,
}
_CUSTOMER, _FRIEND = "customer", "friend"


class Life:
    """One customer (and a friend), the orders they place, and what becomes of them. Methods give the events."""

    def __init__(self, shop: Shop, settings: Mapping[str, Any]) -> None:
        self._shop = shop
        self._settings = settings
        self._orders: dict[str, Order] = {}
        self._parcels: dict[str, Shipment] = {}
        self._count = 0
        self.codes: list[str] = []

    def happens(self, word: str, rest: str, now: datetime) -> list[Event]:
        """The events of one word of the vocabulary. Raises `ConfigError` where it makes no sense yet."""
        return VOCABULARY[word](self, rest, now)

    # -- orders ------------------------------------------------------------------------------------------------------

    def order(self, rest: str, now: datetime, *, paid: bool = True, who: str = _CUSTOMER) -> list[Event]:
        """`order`, `order 2`: placed and paid. The number names it later on; without one the last is meant."""
        self._count += 1
        number = rest or str(self._count)
        order = self._new(number, now, who, paid=paid)
        self._orders[number] = order
        events = [self._of(order, EventKind.ORDER_CREATED, "created", now)]
        return [*events, self._of(order, EventKind.ORDER_PAID, "paid", now)] if paid else events

    def order_unpaid(self, rest: str, now: datetime) -> list[Event]:
        return self.order(rest, now, paid=False)

    def friend_order(self, rest: str, now: datetime) -> list[Event]:
        """A friend orders with the newest code of the customer's."""
        return self.order(rest or "friend", now, who=_FRIEND)

    def paid(self, rest: str, now: datetime) -> list[Event]:
        order = self._keep(rest, now, financial=FinancialStatus.PAID, paid_at=now)
        return [self._of(order, EventKind.ORDER_PAID, "paid", now)]

    def cancelled(self, rest: str, now: datetime) -> list[Event]:
        order = self._keep(rest, now, status=OrderStatus.CANCELLED, cancelled_at=now)
        return [self._of(order, EventKind.ORDER_CANCELLED, f"cancelled/{to_text(now)}", now)]

    def refunded(self, rest: str, now: datetime, *, share: Decimal = Decimal(1)) -> list[Event]:
        known = self._order(rest)
        amount = Money((known.total.amount * share).quantize(Decimal("0.01")), known.total.currency)
        status = FinancialStatus.REFUNDED if share == 1 else FinancialStatus.PARTIALLY_REFUNDED
        order = self._keep(rest, now, financial=status, refunded=amount)
        refund = Refund(id=f"refund-{order.id}-{to_text(now)}", order_id=order.id, at=now, amount=amount)
        event = self._of(order, EventKind.REFUND_CREATED, f"refund/{refund.id}", now)
        return [replace(event, refund=refund)]

    def partly_refunded(self, rest: str, now: datetime) -> list[Event]:
        return self.refunded(rest, now, share=Decimal("0.5"))

    def return_requested(self, rest: str, now: datetime) -> list[Event]:
        order = self._order(rest)
        back = Return(id=f"return-{order.id}", order_id=order.id, raw_status="requested", at=now)
        return [replace(self._of(order, EventKind.RETURN_REQUESTED, "return", now), return_=back)]

    def deleted(self, rest: str, now: datetime) -> list[Event]:
        return [replace(self._of(self._order(rest), EventKind.ORDER_DELETED, "deleted", now), order=None)]

    # -- parcels -----------------------------------------------------------------------------------------------------

    def moves(self, word: str, rest: str, now: datetime) -> list[Event]:
        """`shipped`, `shipped A of 2`, `delivered A`: a parcel's state. `of N`: how many the order fills."""
        name, _, parts = rest.partition(" of ")
        order = self._order("")
        name = name or "A"
        known = self._parcels.get(f"{order.id}-{name}")
        status = _MOVES[word]
        parcel = known or Shipment(
            id=f"{order.id}-{name}",
            order_id=order.id,
            status=status,
            raw_status=str(status),
            created_at=now,
            updated_at=now,
            carrier="Posti",
            tracking_numbers=(f"JJFI{order.id}{name}",),
            lines=self._share(order, name, int(parts) if parts.isdigit() else 1),
        )
        parcel = replace(parcel, status=status, raw_status=str(status), updated_at=now)
        self._parcels[parcel.id] = parcel
        kinds = [EventKind.SHIPMENT_CREATED] if known is None else []
        if status is not ShipmentStatus.SHIPPED:
            kinds.append(EventKind.of(f"shipment.{status}"))
        return [
            Event(
                kind=kind,
                key=f"shipment/{parcel.id}/{kind}/{to_text(now)}",
                subject=Ref("shipment", parcel.id),
                at=now,
                order_id=order.id,
                customer_id=order.customer.id if order.customer else None,
                shipment=parcel,
            )
            for kind in kinds
        ]

    def _share(self, order: Order, name: str, parts: int) -> tuple[ShippedLine, ...]:
        at = ord(name[0].upper()) - ord("A")
        return tuple(
            ShippedLine(line_id=line.id, quantity=line.quantity)
            for number, line in enumerate(order.lines)
            if parts == 1 or number % parts == at
        )

    # -- the person --------------------------------------------------------------------------------------------------

    def review(self, rest: str, now: datetime) -> list[Event]:
        """`review 5`: the form was sent with so many stars."""
        order = self._order("")
        rating = rest or "5"
        event = self._of(order, EventKind.REVIEW_SUBMITTED, "reviewed", now)
        return [replace(event, order=None, data={"rating": rating, "products": "1"})]

    def consent(self, state: ConsentState, now: datetime) -> list[Event]:
        person = self._person(_CUSTOMER)
        consent = Consent(
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            state=state,
            raw_state=str(state),
            at=now,
            source="rehearsal",
            address=person.email,
            customer_id=person.id,
        )
        kind = EventKind.CONSENT_GRANTED if state is ConsentState.GRANTED else EventKind.CONSENT_WITHDRAWN
        return [
            Event(
                kind=kind,
                key=f"consent/{to_text(now)}",
                subject=Ref("customer", str(person.id)),
                at=now,
                customer_id=person.id,
                consent=consent,
            )
        ]

    def erased(self, rest: str, now: datetime) -> list[Event]:
        del rest
        person = self._person(_CUSTOMER)
        return [
            Event(
                kind=EventKind.CUSTOMER_REDACTED,
                key=f"erased/{to_text(now)}",
                subject=Ref("customer", str(person.id)),
                at=now,
                customer_id=person.id,
                data={"email": str(person.email)},
            )
        ]

    def uninstalled(self, rest: str, now: datetime) -> list[Event]:
        del rest
        return [
            Event(
                kind=EventKind.APP_UNINSTALLED,
                key=f"uninstalled/{to_text(now)}",
                subject=Ref("shop", self._shop.id),
                at=now,
            )
        ]

    def custom(self, rest: str, now: datetime) -> list[Event]:
        """`event custom.something`: a kind of the merchant's own, about the last order."""
        return [self._of(self._order(""), rest, f"{rest}/{to_text(now)}", now)]

    # -- making --------------------------------------------------------------------------------------------------------

    def _person(self, who: str) -> Customer:
        given = {_CUSTOMER: ("Aino", "aino@example.test"), _FRIEND: ("Väinö", "vaino@example.test")}[who]
        email = given[1] if self._settings.get("email", True) else None
        return Customer(
            id=f"c-{who}",
            email=email,
            first_name=given[0],
            last_name="Esimerkki",
            locale=self._settings.get("language"),
        )

    def _new(self, number: str, now: datetime, who: str, *, paid: bool) -> Order:
        person = self._person(who)
        total = _money(str(self._settings.get("total", "80 EUR")))
        half = Money((total.amount / 2).quantize(Decimal("0.01")), total.currency)
        digital = bool(self._settings.get("digital", False))
        lines = tuple(
            LineItem(
                id=f"{number}-{letter}",
                title=title,
                quantity=1,
                unit_price=half,
                total=half,
                product_id=f"p-{letter}",
                requires_shipping=not digital,
            )
            for letter, title in (("a", "Birch cup"), ("b", "Wool socks"))
        )
        home = Address(
            first_name=person.first_name,
            lines=("Keksittykatu 1" if who == _CUSTOMER else "Toinen tie 5",),
            city="Helsinki",
            country=str(self._settings.get("country", self._shop.country or "FI")),
            region=self._settings.get("region"),
        )
        code = self.codes[-1] if who == _FRIEND and self.codes else ""
        return Order(
            id=f"o{number}",
            number=number,
            status=OrderStatus.OPEN,
            raw_status="open",
            financial=FinancialStatus.PAID if paid else FinancialStatus.PENDING,
            fulfillment=FulfillmentStatus.UNFULFILLED,
            placed_at=now,
            updated_at=now,
            paid_at=now if paid else None,
            currency=total.currency,
            total=total,
            customer=person,
            email=person.email,
            locale=self._settings.get("language"),
            lines=lines,
            shipping_address=home,
            billing_address=home,
            source=str(self._settings.get("source", "web")),
            is_test=bool(self._settings.get("test", False)),
            discounts=(AppliedDiscount(code=code),) if code else (),
        )

    def _order(self, number: str) -> Order:
        if number and number not in self._orders:
            raise ConfigError(f"there is no order '{number}' yet; write '0d order {number}' before it")
        if not self._orders:
            raise ConfigError("there is no order yet; write '0d order' before it")
        return self._orders[number or list(self._orders)[-1]]

    def _keep(self, number: str, now: datetime, **changes: Any) -> Order:
        order = replace(self._order(number), updated_at=now, **changes)
        self._orders[order.number] = order
        return order

    def _of(self, order: Order, kind: str, what: str, now: datetime) -> Event:
        return Event(
            kind=kind,
            key=f"order/{order.id}/{what}",
            subject=Ref("order", order.id),
            at=now,
            order_id=order.id,
            customer_id=order.customer.id if order.customer else None,
            order=order,
        )


def _money(text: str) -> Money:
    amount, _, currency = text.partition(" ")
    return Money.parse(amount, currency)


def _moving(word: str) -> Callable[[Life, str, datetime], list[Event]]:
    return lambda life, rest, now: life.moves(word, rest, now)


VOCABULARY: Mapping[str, Callable[[Life, str, datetime], list[Event]]] = {
    "order": Life.order,
    "unpaid order": Life.order_unpaid,
    "friend orders": Life.friend_order,
    "paid": Life.paid,
    "cancelled": Life.cancelled,
    "refunded": Life.refunded,
    "partly refunded": Life.partly_refunded,
    "return requested": Life.return_requested,
    "deleted": Life.deleted,
    **{word: _moving(word) for word in _MOVES},
    "review": Life.review,
    "consent given": lambda life, _, now: life.consent(ConsentState.GRANTED, now),
    "consent withdrawn": lambda life, _, now: life.consent(ConsentState.WITHDRAWN, now),
    "erased": Life.erased,
    "uninstalled": Life.uninstalled,
    "event": Life.custom,
}
"""The words a test's `given` may use after its span."""
