"""What may happen in a rehearsal: an invented customer's order lives as the test says, in the events adapters emit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from connector.rehearsal.answers import answered

MOVES = {
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

    def __init__(self, shop: Shop, settings: Mapping[str, Any], about: Mapping[str, Any] | None = None) -> None:
        self._shop = shop
        self._settings = settings
        self.about = dict(about or {})
        self.carts: dict[str, datetime] = {}
        self._orders: dict[str, Order] = {}
        self._parcels: dict[str, Shipment] = {}
        self._count = 0
        self._known: Customer | None = None
        self.codes: list[str] = []
        self.answers: list[dict[str, str]] = []

    def adopt(self, order: Order, parcels: Sequence[Shipment]) -> None:
        """Go on with an order that exists: what happens from now on happens to it and to whoever placed it."""
        self._orders.pop(order.number, None)
        self._orders[order.number] = order
        self._parcels |= {parcel.id: parcel for parcel in parcels}
        self._known = order.customer or Customer(id=None, email=order.email)

    # -- orders ------------------------------------------------------------------------------------------------------

    def order(self, rest: str, now: datetime, *, paid: bool = True, who: str = _CUSTOMER) -> list[Event]:
        """`order`, `order 2`: placed and paid. The number names it later on; without one the last is meant."""
        self._count += 1
        number = rest or str(self._count)
        order = self._new(number, now, who, paid=paid)
        self._orders[number] = order
        events = [*self._products(now), *self._account(who, now)]
        events.append(self.of_order(order, EventKind.ORDER_CREATED, "created", now))
        return [*events, self.of_order(order, EventKind.ORDER_PAID, "paid", now)] if paid else events

    def order_unpaid(self, rest: str, now: datetime) -> list[Event]:
        return self.order(rest, now, paid=False)

    def friend_order(self, rest: str, now: datetime) -> list[Event]:
        """A friend orders with the newest code of the customer's."""
        return self.order(rest or "friend", now, who=_FRIEND)

    def paid(self, rest: str, now: datetime) -> list[Event]:
        order = self._keep(rest, now, financial=FinancialStatus.PAID, paid_at=now)
        return [self.of_order(order, EventKind.ORDER_PAID, "paid", now)]

    def cancelled(self, rest: str, now: datetime) -> list[Event]:
        order = self._keep(rest, now, status=OrderStatus.CANCELLED, cancelled_at=now)
        return [self.of_order(order, EventKind.ORDER_CANCELLED, f"cancelled/{to_text(now)}", now)]

    def refunded(self, rest: str, now: datetime, *, share: Decimal = Decimal(1)) -> list[Event]:
        known = self._order(rest)
        amount = Money((known.total.amount * share).quantize(Decimal("0.01")), known.total.currency)
        status = FinancialStatus.REFUNDED if share == 1 else FinancialStatus.PARTIALLY_REFUNDED
        order = self._keep(rest, now, financial=status, refunded=amount)
        refund = Refund(id=f"refund-{order.id}-{to_text(now)}", order_id=order.id, at=now, amount=amount)
        event = self.of_order(order, EventKind.REFUND_CREATED, f"refund/{refund.id}", now)
        return [replace(event, refund=refund)]

    def partly_refunded(self, rest: str, now: datetime) -> list[Event]:
        return self.refunded(rest, now, share=Decimal("0.5"))

    def returned(self, kind: EventKind, rest: str, now: datetime) -> list[Event]:
        order = self._order(rest)
        status = kind.partition(".")[2]
        back = Return(id=f"return-{order.id}", order_id=order.id, raw_status=status, at=now)
        return [replace(self.of_order(order, kind, f"return/{status}", now), return_=back)]

    def deleted(self, rest: str, now: datetime) -> list[Event]:
        return [replace(self.of_order(self._order(rest), EventKind.ORDER_DELETED, "deleted", now), order=None)]

    # -- parcels -----------------------------------------------------------------------------------------------------

    def moves(self, word: str, rest: str, now: datetime) -> list[Event]:
        """`shipped`, `shipped A of 2`, `delivered A`: a parcel's state. `of N`: how many the order fills."""
        name, _, parts = rest.partition(" of ")
        order = self._order("")
        name = name or "A"
        theirs = [parcel for parcel in self._parcels.values() if parcel.order_id == order.id]
        known = self._parcels.get(f"{order.id}-{name}") or (theirs[0] if len(theirs) == 1 and not rest else None)
        status = MOVES[word]
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
        event = self.of_order(order, EventKind.REVIEW_SUBMITTED, "reviewed", now)
        return [replace(event, order=None, data={"rating": rating, "products": "1"})]

    def survey(self, rest: str, now: datetime) -> list[Event]:
        """`survey 2`, `survey nps 6 too slow`: a score and words; `survey again 5`: the last answer is changed."""
        event = self.of_order(self._order(""), EventKind.SURVEY_ANSWERED, f"surveyed/{to_text(now)}", now)
        self.answers.append(answered(rest, self.answers))
        return [replace(event, order=None, data=self.answers[-1])]

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

    # -- making --------------------------------------------------------------------------------------------------------

    def person(self) -> Customer:
        """The customer, as they are now."""
        return self._person(_CUSTOMER)

    def last_order(self) -> Order | None:
        return self._orders[list(self._orders)[-1]] if self._orders else None

    def imagined(self, now: datetime) -> Order:
        """What the customer would order now."""
        return self._new("imagined", now, _CUSTOMER, paid=False)

    def _person(self, who: str) -> Customer:
        if who == _CUSTOMER and self._known is not None:
            return self._known
        given = {_CUSTOMER: ("Aino", "aino@example.test"), _FRIEND: ("Väinö", "vaino@example.test")}[who]
        email = given[1] if self._settings.get("email", True) else None
        about = self.about if who == _CUSTOMER else {}
        return Customer(
            id=None if about.get("guest") else f"c-{who}",
            email=email,
            first_name=about.get("first_name", given[0]),
            last_name="Esimerkki",
            locale=self._settings.get("language"),
            tags=tuple(about["tags"]) if "tags" in about else None,
            birthday=about.get("birthday"),
        )

    def _account(self, who: str, now: datetime) -> list[Event]:
        """What the test says of the customer is known with the first order."""
        person = self._person(who)
        if who != _CUSTOMER or not self.about or person.id is None or self._count > 1:
            return []
        return [
            Event(
                kind=EventKind.CUSTOMER_UPDATED,
                key=f"customer/{person.id}/first",
                subject=Ref("customer", person.id),
                at=now,
                customer_id=person.id,
                customer=replace(person, updated_at=now),
            )
        ]

    def _products(self, now: datetime) -> list[Event]:
        """What the shop says of its products, where the test names them."""
        return [
            Event(
                kind=EventKind.PRODUCT_UPDATED,
                key=f"product/{_product_id(line)}/{to_text(now)}",
                subject=Ref("product", _product_id(line)),
                at=now,
                product=Product(
                    id=_product_id(line),
                    title=str(line.get("title", _product_id(line))),
                    tags=tuple(line.get("tags", ())),
                    product_type=line.get("kind"),
                    vendor=line.get("vendor"),
                    url=f"https://rehearsal.example/products/{_product_id(line)}",
                    updated_at=now,
                ),
            )
            for line in self._settings.get("lines", ())
        ]

    def _lines(self, number: str, total: Money) -> tuple[LineItem, ...]:
        shipped = not bool(self._settings.get("digital", False))
        half = Money((total.amount / 2).quantize(Decimal("0.01")), total.currency)
        sold: Sequence[Mapping[str, Any]] = self._settings.get("lines") or (
            {"product": "p-a", "title": "Birch cup", "price": half},
            {"product": "p-b", "title": "Wool socks", "price": half},
        )
        lines = []
        for at, item in enumerate(sold):
            given = item.get("price", half)
            price = given if isinstance(given, Money) else _money(str(given))
            quantity = int(item.get("quantity", 1))
            lines.append(
                LineItem(
                    id=f"{number}-{chr(ord('a') + at)}",
                    title=str(item.get("title", _product_id(item))),
                    quantity=quantity,
                    unit_price=price,
                    total=Money(price.amount * quantity, price.currency),
                    product_id=_product_id(item),
                    variant_id=item.get("variant"),
                    sku=item.get("sku"),
                    requires_shipping=shipped,
                )
            )
        return tuple(lines)

    def _new(self, number: str, now: datetime, who: str, *, paid: bool) -> Order:
        person = self._person(who)
        total = _money(str(self._settings.get("total", "80 EUR")))
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
            phone=str(self._settings["phone"]) if self._settings.get("phone") else None,
            locale=self._settings.get("language"),
            lines=self._lines(number, total),
            checkout_token=next(iter(self.carts), None) if who == _CUSTOMER else None,
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

    def of_order(self, order: Order, kind: str, what: str, now: datetime) -> Event:
        return Event(
            kind=kind,
            key=f"order/{order.id}/{what}",
            subject=Ref("order", order.id),
            at=now,
            order_id=order.id,
            customer_id=order.customer.id if order.customer else None,
            order=order,
        )


def _product_id(line: Mapping[str, Any]) -> str:
    return str(line.get("product", "p-a"))


def _money(text: str) -> Money:
    amount, _, currency = text.partition(" ")
    return Money.parse(amount, currency)
