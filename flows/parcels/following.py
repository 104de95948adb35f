"""Where an order is, in as few words about the person as possible: what a page behind a link may show. Pure.

No name, no address, no sum, nothing about payment, no text the customer typed (an engraving, a note) and no town a
carrier wrote: a link gets passed on (promises B1 row 34).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connector.model import (
    FinancialStatus,
    LineItem,
    Order,
    OrderStatus,
    Refund,
    Return,
    Shipment,
    ShipmentStatus,
)
from flows.derive import COUNTER
from flows.facts import Progress
from flows.parcels.transit import Arrival, Expected, expected_of
from flows.render.cleaning import clean
from flows.render.links import safe_url

_TOLD = frozenset(ShipmentStatus) - {ShipmentStatus.OTHER, ShipmentStatus.CANCELLED}
_NO_MORE = frozenset({ShipmentStatus.DELIVERED, ShipmentStatus.RETURNED, ShipmentStatus.FAILED})
_CALLED_OFF = frozenset({"declined", "cancelled", "canceled"})


@dataclass(frozen=True, slots=True)
class Item:
    """Pieces of one thing, as the shop calls it."""

    title: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A parcel that was not cancelled. `trackings` are (number, https address or `None`); `items` is empty where nobody
    said what is in it."""

    status: str
    carrier: str
    trackings: tuple[tuple[str, str | None], ...]
    items: tuple[Item, ...]
    expected: Expected | None


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened. `what` is `ordered`, `paid`, a state of a parcel, `refunded`, `partly_refunded`,
    `return`, `cancelled`; `parcel` counts from 1 where there are several, else 0."""

    what: str
    at: datetime
    parcel: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """Everything the page says of an order. `state` is one word for all of it: `cancelled`, `refunded`, `delivered`,
    `partly_delivered`, `on_the_way`, `partly_sent`, `being_prepared`, `waits_for_payment`."""

    number: str
    state: str
    parcels: tuple[Parcel, ...]
    to_come: tuple[Item, ...]
    expected: Expected | None
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the store has of an order. `times`: parcel, state, when it was first in it; `past`: parcels of the shop
    that have arrived."""

    order: Order
    shipments: Sequence[Shipment]
    times: Mapping[str, Mapping[str, datetime]]
    refunds: Sequence[Refund]
    returns: Sequence[Return]
    progress: Progress
    past: Sequence[Arrival] = ()


def follow(known: Known, now: datetime, zone: ZoneInfo) -> Following:
    """The order as its customer may see it at `now`."""
    live = _live(known.shipments)
    over = known.progress.cancelled or known.progress.fully_refunded
    coming = () if over else _to_come(known, live)
    ordered, abroad = known.order.placed_at, known.progress.abroad
    waits = bool(coming) and not over
    return Following(
        number=clean(known.order.number) or known.order.id,
        state=_state(known, live, coming),
        parcels=tuple(_parcel(known, parcel, live, now, zone) for parcel in live),
        to_come=coming,
        expected=expected_of(None, ordered, known.past, abroad, now, zone) if waits and not live else None,
        moments=_moments(known, live),
    )


def _live(shipments: Iterable[Shipment]) -> list[Shipment]:
    found = (parcel for parcel in shipments if parcel.status is not ShipmentStatus.CANCELLED)
    return sorted(found, key=lambda parcel: (parcel.created_at, parcel.id))


def asks_the_past(known: Known) -> bool:
    """Whether what other parcels took would be shown: most pages need not read it."""
    if known.progress.cancelled or known.progress.fully_refunded or known.progress.delivered_at is not None:
        return False
    live = _live(known.shipments)
    return not live or any(p.status not in _NO_MORE and p.estimated_delivery_at is None for p in live)


def _state(known: Known, live: Sequence[Shipment], coming: Sequence[Item]) -> str:
    progress = known.progress
    if progress.cancelled:
        return "cancelled"
    if progress.fully_refunded:
        return "refunded"
    if progress.delivered_at is not None:
        return "delivered"
    if progress.delivered_parcels:
        return "partly_delivered"
    moving = any(parcel.status is not ShipmentStatus.LABEL for parcel in live)
    if progress.shipped_at is not None or (moving and not coming):
        return "on_the_way"
    if moving:
        return "partly_sent"
    unpaid = known.order.paid_at is None and known.order.financial is FinancialStatus.PENDING
    return "waits_for_payment" if unpaid else "being_prepared"


def _parcel(known: Known, parcel: Shipment, live: Sequence[Shipment], now: datetime, zone: ZoneInfo) -> Parcel:
    travels = parcel.status not in _NO_MORE
    abroad = known.progress.abroad
    return Parcel(
        status=parcel.status.value if parcel.status in _TOLD else "sent",
        carrier=clean(parcel.carrier) or "",
        trackings=_trackings(parcel),
        items=_contents(known.order, parcel, live),
        expected=expected_of(parcel, known.order.placed_at, known.past, abroad, now, zone) if travels else None,
    )


def _trackings(parcel: Shipment) -> tuple[tuple[str, str | None], ...]:
    """Only https: what a carrier's page says is not for everybody on the way."""
    urls = [url if (url := safe_url(each)) and url.startswith("https://") else None for each in parcel.tracking_urls]
    numbers = [clean(number) or "" for number in parcel.tracking_numbers]
    longest = max(len(urls), len(numbers))
    pairs = zip([*numbers, *[""] * longest], [*urls, *[None] * longest], strict=False)
    return tuple(pair for pair in list(pairs)[:longest] if pair[0] or pair[1])


def _contents(order: Order, parcel: Shipment, live: Sequence[Shipment]) -> tuple[Item, ...]:
    titles = {line.id: _title(line) for line in order.lines}
    if parcel.lines:
        return tuple(Item(titles.get(line.line_id) or clean(line.title) or "–", line.quantity) for line in parcel.lines)
    # One parcel that says nothing of its contents is the order; of several nobody knows what is where.
    if len(live) > 1:
        return ()
    return tuple(
        Item(_title(line), left) for line in order.lines if line.requires_shipping and (left := _left(line)) > 0
    )


def _to_come(known: Known, live: Sequence[Shipment]) -> tuple[Item, ...]:
    """What has to travel and is in no parcel yet."""
    order = known.order
    if known.progress.shipped_at is not None or order.source == COUNTER:
        return ()
    sent: Counter[str] = Counter()
    for parcel in live:
        for line in parcel.lines:
            sent[line.line_id] += line.quantity
    if live and not sent:
        return ()
    waiting = ((line, _left(line) - sent[line.id]) for line in order.lines if line.requires_shipping)
    return tuple(Item(_title(line), left) for line, left in waiting if left > 0)


def _left(line: LineItem) -> int:
    return line.quantity if line.current_quantity is None else line.current_quantity


def _title(line: LineItem) -> str:
    return " · ".join(filter(None, (clean(line.title) or "–", clean(line.variant_title))))


def _moments(known: Known, live: Sequence[Shipment]) -> tuple[Moment, ...]:
    """What happened, oldest first; of one time in the order of a parcel's journey."""
    order = known.order
    found = [Moment("ordered", order.placed_at)]
    if order.paid_at is not None:
        found.append(Moment("paid", order.paid_at))
    for number, parcel in enumerate(live, start=1):
        found += _of_parcel(known, parcel, number if len(live) > 1 else 0)
    for refund in known.refunds:
        whole = known.progress.fully_refunded and refund is known.refunds[-1]
        found.append(Moment("refunded" if whole else "partly_refunded", refund.at))
    found += [Moment("return", each.at) for each in known.returns if each.raw_status.lower() not in _CALLED_OFF]
    if order.cancelled_at is not None:
        found.append(Moment("cancelled", order.cancelled_at))
    elif order.status is OrderStatus.CANCELLED:
        found.append(Moment("cancelled", order.updated_at))
    return tuple(sorted(found, key=lambda each: (each.at, _JOURNEY.get(each.what, 0))))


_JOURNEY = {"paid": 1, **{status.value: 2 + status.rank for status in ShipmentStatus}, "sent": 3}
_SAME = timedelta(minutes=1)


def _of_parcel(known: Known, parcel: Shipment, number: int) -> list[Moment]:
    times = {ShipmentStatus.of(name): at for name, at in known.times.get(parcel.id, {}).items()}
    found = {status: at for status, at in times.items() if status in _TOLD}
    # A platform tells that a parcel was made; unless it was only a label, that is when it was sent.
    if ShipmentStatus.SHIPPED not in found and ShipmentStatus.LABEL not in found:
        found[ShipmentStatus.SHIPPED] = parcel.created_at
    arrived = found.get(ShipmentStatus.DELIVERED)
    kept = ((status, at) for status, at in found.items() if arrived is None or _makes_sense(status, at, arrived))
    return [Moment(status.value, at, number) for status, at in kept]


def _makes_sense(status: ShipmentStatus, at: datetime, arrived: datetime) -> bool:
    """Carriers' scans come late: what says "on its way" after the parcel has arrived is left out."""
    return status.rank >= ShipmentStatus.DELIVERED.rank or at <= arrived + _SAME
