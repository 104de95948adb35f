"""What happened to some people, one thing after another, from what is kept of them now. Pure.

The store keeps an order as it is today. Here it is unwound: placed, paid, sent in parts, on its way, delivered, paid
back, cancelled, each at its own time and with the order as it was then. What no table remembers stays as it is today:
a customer's tags, an order's lines, the raw words of a platform for states that are over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.clock import to_text
from connector.model import (
    Checkout,
    Consent,
    ConsentState,
    Customer,
    Event,
    EventKind,
    FinancialStatus,
    FulfillmentStatus,
    Money,
    Order,
    OrderStatus,
    Ref,
    Shipment,
    ShipmentStatus,
)
from connector.model.changing import changed
from connector.store.past import KnownCode, OrderPast, Past, Suppressed

_PAID = frozenset({FinancialStatus.PAID, FinancialStatus.PARTIALLY_REFUNDED, FinancialStatus.REFUNDED})
_SENT = frozenset({FulfillmentStatus.FULFILLED, FulfillmentStatus.PARTIAL})
_CONSENT_KINDS = {ConsentState.GRANTED: EventKind.CONSENT_GRANTED, ConsentState.WITHDRAWN: EventKind.CONSENT_WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Moment:
    """Things that happened at one time: events of one order or person, an address suppressed, a code made."""

    at: datetime
    events: tuple[Event, ...] = ()
    suppressed: Suppressed | None = None
    code: KnownCode | None = None


def moments(past: Past) -> list[Moment]:
    """Everything that happened to these people, in order. What happened at one moment to one order comes together."""
    found: list[Moment] = []
    orders = sorted(past.orders.values(), key=lambda item: (item.order.placed_at, item.order.id))
    for item, customer in zip(orders, _customers(orders, past.accounts), strict=True):
        found.extend(_together(_order_events(item, customer, past.accounts)))
    for token in sorted(past.carts):
        found.extend(_together(_cart_events(past.carts[token])))
    found += [Moment(consent.at, (_consent_event(number, consent),)) for number, consent in enumerate(past.consents)]
    found += [Moment(row.at, suppressed=row) for row in past.suppressed]
    found += [Moment(code.at, code=code) for code in past.codes]
    found.sort(key=lambda moment: moment.at)  # stable: an order's own story keeps its order
    return found


def _together(events: Iterable[Event]) -> Iterator[Moment]:
    waiting: list[Event] = []
    for event in sorted(events, key=lambda event: event.at):
        if waiting and waiting[-1].at != event.at:
            yield Moment(waiting[-1].at, tuple(waiting))
            waiting = []
        waiting.append(event)
    if waiting:
        yield Moment(waiting[-1].at, tuple(waiting))


# -- one order -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Step:
    """At `at` the order changed by `changes`, and `kinds` (kind, what its key ends with, what the event carries) were
    told of it. A step that changes nothing tells without the order."""

    at: datetime
    rank: int
    changes: dict[str, Any] = field(default_factory=dict)
    kinds: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


def _order_events(past: OrderPast, customer: Customer | None, accounts: Mapping[str, Customer]) -> Iterator[Event]:
    final = past.order
    steps = [*_money(past), *_parcels(past), *_endings(past)]
    steps.sort(key=lambda step: (step.at, step.rank))
    order = _as_placed(past, customer)
    account = accounts.get(customer.id) if customer is not None and customer.id else None
    first: dict[str, Any] = {"order": order}
    if account is not None and customer is not None:
        counts: dict[str, Any] = {"orders_count": customer.orders_count, "total_spent": customer.total_spent}
        first["customer"] = changed(account, updated_at=final.placed_at, **counts)
    yield _event(order, EventKind.ORDER_CREATED, "created", final.placed_at, first)
    if order.paid_at is not None:
        yield _event(order, EventKind.ORDER_PAID, "paid", final.placed_at, {"order": order})
    for step in steps:
        if step.changes:
            order = changed(order, updated_at=step.at, **step.changes)
        for kind, ends, carries in step.kinds:
            told = {"order": order, **carries} if step.changes else carries
            yield _event(order, kind, ends, step.at, told)
    yield from _told(past)


def _event(order: Order, kind: str, ends: str, at: datetime, carries: Mapping[str, Any]) -> Event:
    parcel: Shipment | None = carries.get("shipment")
    return Event(
        kind=kind,
        key=f"order/{order.id}/{ends}",
        subject=Ref("shipment", parcel.id) if parcel is not None else Ref("order", order.id),
        at=at,
        order_id=order.id,
        customer_id=order.customer.id if order.customer else None,
        **carries,
    )


def _as_placed(past: OrderPast, customer: Customer | None) -> Order:
    """The order before anything happened to it."""
    final = past.order
    paid = final.financial in _PAID and (final.paid_at is None or final.paid_at <= final.placed_at)
    financial = FinancialStatus.PAID if paid else _unpaid(final.financial)
    sent = final.fulfillment in _SENT
    draft = final.status is OrderStatus.DRAFT
    return changed(
        final,
        status=final.status if draft else OrderStatus.OPEN,
        raw_status=final.raw_status if draft or final.status is OrderStatus.OPEN else "open",
        financial=financial,
        fulfillment=FulfillmentStatus.UNFULFILLED if sent else final.fulfillment,
        updated_at=final.placed_at,
        paid_at=final.placed_at if paid else None,
        cancelled_at=None,
        closed_at=None,
        refunded=None,
        customer=customer,
    )


def _unpaid(financial: FinancialStatus) -> FinancialStatus:
    known = (FinancialStatus.AUTHORIZED, FinancialStatus.PARTIALLY_PAID, FinancialStatus.OTHER)
    return financial if financial in known else FinancialStatus.PENDING


def _money(past: OrderPast) -> Iterator[_Step]:
    final = past.order
    if final.financial in _PAID and final.paid_at is not None and final.paid_at > final.placed_at:
        changes = {"financial": FinancialStatus.PAID, "paid_at": final.paid_at}
        yield _Step(final.paid_at, 0, changes, [(EventKind.ORDER_PAID, "paid", {})])
    back = Money.parse("0", final.total.currency)
    for number, refund in enumerate(past.refunds, start=1):
        if refund.amount is not None and refund.amount.currency == back.currency:
            back = Money(back.amount + refund.amount.amount, back.currency)
        whole = number == len(past.refunds) and final.financial is FinancialStatus.REFUNDED
        state = FinancialStatus.REFUNDED if whole else FinancialStatus.PARTIALLY_REFUNDED
        told = (EventKind.REFUND_CREATED, f"refund/{refund.id}", {"refund": refund})
        yield _Step(refund.at, 3, {"financial": state, "refunded": back if back else None}, [told])


def _parcels(past: OrderPast) -> Iterator[_Step]:
    final = past.order
    live = [parcel for parcel in past.shipments if parcel.status is not ShipmentStatus.CANCELLED]
    last = max((parcel.created_at for parcel in live), default=None)
    for parcel in past.shipments:
        times = sorted((at, status) for status, at in past.times.get(parcel.id, {}).items())
        known = [status for at, status in times if at <= parcel.created_at]
        begun = ShipmentStatus.of(known[-1]) if known else ShipmentStatus.SHIPPED
        whole = parcel.created_at == last and final.fulfillment is FulfillmentStatus.FULFILLED
        changes: dict[str, Any] = {}
        if final.fulfillment in _SENT:
            changes["fulfillment"] = FulfillmentStatus.FULFILLED if whole else FulfillmentStatus.PARTIAL
        now = changed(parcel, status=begun, raw_status=str(begun), updated_at=parcel.created_at)
        told = [(str(EventKind.SHIPMENT_CREATED), f"shipment/{parcel.id}/created", {"shipment": now})]
        if begun is not ShipmentStatus.SHIPPED:
            told += _moved(now)
        yield _Step(parcel.created_at, 1, changes, told)
        for at, status in times:
            if at > parcel.created_at:
                state = ShipmentStatus.of(status)
                now = changed(parcel, status=state, raw_status=str(state), updated_at=at)
                yield _Step(at, 2, {}, _moved(now))


def _moved(parcel: Shipment) -> list[tuple[str, str, dict[str, Any]]]:
    kind = EventKind.of(f"shipment.{parcel.status}")
    kind = EventKind.SHIPMENT_UPDATED if kind is EventKind.OTHER else kind
    return [(kind, f"shipment/{parcel.id}/{parcel.status}/{to_text(parcel.updated_at)}", {"shipment": parcel})]


def _endings(past: OrderPast) -> Iterator[_Step]:
    final = past.order
    sent = final.fulfillment is FulfillmentStatus.FULFILLED or final.status is OrderStatus.COMPLETED
    if sent and not any(parcel.status is not ShipmentStatus.CANCELLED for parcel in past.shipments):
        at = final.closed_at or final.updated_at
        status = final.status if final.status is OrderStatus.COMPLETED else OrderStatus.OPEN
        changes: dict[str, Any] = {"status": status, "fulfillment": final.fulfillment, "closed_at": final.closed_at}
        yield _Step(at, 4, changes, [(EventKind.ORDER_FULFILLED, "fulfilled", {})])
    if final.cancelled_at is not None:
        over: dict[str, Any] = {
            "status": OrderStatus.CANCELLED,
            "raw_status": final.raw_status,
            "cancelled_at": final.cancelled_at,
        }
        yield _Step(final.cancelled_at, 5, over, [(EventKind.ORDER_CANCELLED, "cancelled", {})])
    if not any(event.kind.startswith("return.") for event in past.told):
        for back in past.returns:
            told = (str(EventKind.RETURN_REQUESTED), f"return/{back.id}", {"return_": back})
            yield _Step(back.at, 6, {}, [told])


def _told(past: OrderPast) -> Iterator[Event]:
    """What only the ledger of events remembers; the stages of a return with the return as it is now."""
    for event in past.told:
        back = next((each for each in past.returns if f"/{each.id}/" in f"{event.key}/"), None)
        yield changed(event, return_=back) if back is not None and event.kind.startswith("return.") else event


# -- people ----------------------------------------------------------------------------------------------------------


def _customers(orders: Sequence[OrderPast], accounts: Mapping[str, Customer]) -> list[Customer | None]:
    """Who placed each order, as a customer of so many orders as they had then. What came before the history we have
    is the difference to what the shop says today."""
    placed: dict[str, int] = {}
    for item in orders:
        who = item.order.customer
        if who is not None and who.id:
            placed[who.id] = placed.get(who.id, 0) + 1
    seen: dict[str, int] = {}
    spent: dict[str, Money] = {}
    found: list[Customer | None] = []
    for item in orders:
        who = item.order.customer
        if who is None or not who.id:
            found.append(who)
            continue
        today = accounts.get(who.id, who)
        seen[who.id] = seen.get(who.id, 0) + 1
        total = item.order.total
        before = spent.get(who.id)
        if before is None or before.currency == total.currency:
            spent[who.id] = total if before is None else Money(before.amount + total.amount, total.currency)
        count = today.orders_count
        found.append(
            changed(
                who,
                orders_count=None if count is None else max(0, count - placed[who.id]) + seen[who.id],
                total_spent=None if today.total_spent is None else spent[who.id],
            )
        )
    return found


def _cart_events(cart: Checkout) -> Iterator[Event]:
    """A checkout begun, touched for the last time, and paid; with the goods it held in the end."""
    ends = [(cart.started_at, EventKind.CHECKOUT_STARTED, "started")]
    last = min(cart.updated_at, cart.completed_at or cart.updated_at)
    if last > cart.started_at:
        ends.append((last, EventKind.CHECKOUT_UPDATED, f"updated/{to_text(last)}"))
    if cart.completed_at is not None and cart.completed_at > last:
        ends.append((cart.completed_at, EventKind.CHECKOUT_UPDATED, "completed"))
    for at, kind, name in ends:
        done = cart.completed_at if cart.completed_at is not None and cart.completed_at <= at else None
        yield Event(
            kind=kind,
            key=f"checkout/{cart.token}/{name}",
            subject=Ref("checkout", cart.token),
            at=at,
            customer_id=cart.customer.id if cart.customer else None,
            checkout=changed(cart, updated_at=at, completed_at=done, deleted=False),
        )


def _consent_event(number: int, consent: Consent) -> Event:
    person = Ref("customer", consent.customer_id) if consent.customer_id else Ref("person", consent.address or "")
    return Event(
        kind=_CONSENT_KINDS.get(consent.state, EventKind.CONSENT_CHANGED),
        key=f"consent/{number}/{to_text(consent.at)}",
        subject=person,
        at=consent.at,
        customer_id=consent.customer_id,
        consent=consent,
    )
