"""Fulfillments and what carriers say about them, as shipments and their events.

A state reached is one event, `shipment/{id}/{state}`, whichever body tells it first: the fulfillment's own
`shipment_status` or a fulfillment event.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from connector.clock import to_text
from connector.model import Event, EventKind, Ref, Shipment, ShipmentEvent, ShipmentStatus, ShippedLine
from platforms.shopify.payloads import orders as raw
from platforms.shopify.reading import ident, required_id, required_time, text, texts, time

# FulfillmentEventStatus and FulfillmentDisplayStatus of 2026-10 (facts/shopify.md section 1.1), lower case
_STATES = {
    "label_printed": ShipmentStatus.LABEL,
    "label_purchased": ShipmentStatus.LABEL,
    "label_voided": ShipmentStatus.LABEL,
    "confirmed": ShipmentStatus.LABEL,
    "submitted": ShipmentStatus.LABEL,
    "fulfilled": ShipmentStatus.SHIPPED,
    "marked_as_fulfilled": ShipmentStatus.SHIPPED,
    "carrier_picked_up": ShipmentStatus.IN_TRANSIT,
    "in_transit": ShipmentStatus.IN_TRANSIT,
    "delayed": ShipmentStatus.DELAYED,
    "ready_for_pickup": ShipmentStatus.READY_FOR_PICKUP,
    "out_for_delivery": ShipmentStatus.OUT_FOR_DELIVERY,
    "attempted_delivery": ShipmentStatus.ATTEMPTED,
    "not_delivered": ShipmentStatus.FAILED,
    "failure": ShipmentStatus.FAILED,
    "delivered": ShipmentStatus.DELIVERED,
    "picked_up": ShipmentStatus.DELIVERED,
    "canceled": ShipmentStatus.CANCELLED,
}

_KINDS = {
    ShipmentStatus.IN_TRANSIT: EventKind.SHIPMENT_IN_TRANSIT,
    ShipmentStatus.DELAYED: EventKind.SHIPMENT_DELAYED,
    ShipmentStatus.READY_FOR_PICKUP: EventKind.SHIPMENT_READY_FOR_PICKUP,
    ShipmentStatus.OUT_FOR_DELIVERY: EventKind.SHIPMENT_OUT_FOR_DELIVERY,
    ShipmentStatus.ATTEMPTED: EventKind.SHIPMENT_ATTEMPTED,
    ShipmentStatus.DELIVERED: EventKind.SHIPMENT_DELIVERED,
    ShipmentStatus.FAILED: EventKind.SHIPMENT_FAILED,
    ShipmentStatus.CANCELLED: EventKind.SHIPMENT_CANCELLED,
}


def _state(status: str | None, carrier: str | None) -> ShipmentStatus:
    """The parcel's state from the fulfillment's `status` and `shipment_status`.

    `error` and `failure` of the fulfillment itself say that the fulfillment service refused the job, not that a parcel
    was lost: nobody is told of a failed delivery because of them.
    """
    if status in ("cancelled", "canceled"):
        return ShipmentStatus.CANCELLED
    if status in ("error", "failure"):
        return ShipmentStatus.OTHER
    if carrier:
        return _STATES.get(carrier, ShipmentStatus.OTHER)
    if status in ("pending", "open"):
        return ShipmentStatus.LABEL
    return ShipmentStatus.SHIPPED if status == "success" else ShipmentStatus.OTHER


def read_shipment(payload: raw.Fulfillment, order_id: str, topic: str, path: str = "") -> Shipment:
    """One fulfillment as a shipment. Raises `MalformedPayload`."""
    status, carrier = (payload.status or "").lower(), (payload.shipment_status or "").lower()
    created_at = required_time(payload.created_at, topic, f"{path}created_at")
    return Shipment(
        id=required_id(payload.id, topic, f"{path}id"),
        order_id=order_id,
        status=_state(status, carrier),
        raw_status=f"{status}/{carrier}" if carrier else status,
        created_at=created_at,
        updated_at=time(payload.updated_at) or created_at,
        number=text(payload.name),
        carrier=text(payload.tracking_company),
        tracking_numbers=texts([*(payload.tracking_numbers or ()), payload.tracking_number]),
        tracking_urls=texts([*(payload.tracking_urls or ()), payload.tracking_url]),
        lines=tuple(
            ShippedLine(
                line_id=required_id(line.id, topic, f"{path}line_items[{index}].id"),
                quantity=line.quantity or 0,
                title=text(line.title) or "",
            )
            for index, line in enumerate(payload.line_items or ())
        ),
        estimated_delivery_at=time(payload.estimated_delivery_at),
    )


def shipment_events(payload: raw.Fulfillment, order_id: str, topic: str, path: str = "") -> Iterator[Event]:
    """Every event a fulfillment proves: updated, created unless the job was refused, and the state it is in.

    `at` of a state is the carrier's time where an event of it came along, else when the fulfillment last changed.
    """
    shipment = read_shipment(payload, order_id, topic, path)
    refused = (payload.status or "").lower() in ("error", "failure")
    told = [_carrier_event(event, shipment, topic) for event in payload.events or ()]
    yield _event(EventKind.SHIPMENT_UPDATED, f"updated/{to_text(shipment.updated_at)}", shipment, shipment.updated_at)
    if not refused:
        yield _event(EventKind.SHIPMENT_CREATED, "created", shipment, shipment.created_at)
    seen = set()
    for event in sorted(told, key=lambda event: event.at):
        if event.status in _KINDS and event.status not in seen:
            seen.add(event.status)
            yield _event(_KINDS[event.status], event.status, shipment, event.at, event)
    if shipment.status in _KINDS and shipment.status not in seen:
        yield _event(_KINDS[shipment.status], shipment.status, shipment, shipment.updated_at)


def _event(kind: str, key: str, shipment: Shipment, at: datetime, told: ShipmentEvent | None = None) -> Event:
    return Event(
        kind=kind,
        key=f"shipment/{shipment.id}/{key}",
        subject=Ref("shipment", shipment.id),
        at=at,
        order_id=shipment.order_id,
        shipment=shipment,
        shipment_event=told,
    )


def _carrier_event(payload: raw.CarrierEvent, shipment: Shipment, topic: str) -> ShipmentEvent:
    return _told(payload, shipment.id, shipment.order_id, shipment.updated_at, topic)


def _told(payload: raw.CarrierEvent, shipment_id: str, order_id: str, otherwise: datetime, topic: str) -> ShipmentEvent:
    status = (payload.status or "").lower()
    return ShipmentEvent(
        id=required_id(payload.id, topic, "id"),
        shipment_id=shipment_id,
        order_id=order_id,
        status=_STATES.get(status, ShipmentStatus.OTHER),
        raw_status=status,
        at=time(payload.happened_at) or time(payload.created_at) or otherwise,
        message=text(payload.message),
        city=text(payload.city),
        country=text(payload.country),
        estimated_delivery_at=time(payload.estimated_delivery_at),
    )


def carrier_event(payload: raw.CarrierEvent, otherwise: datetime, topic: str) -> Event:
    """A fulfillment_events/create body. Labels and words we do not know are `shipment.updated`."""
    shipment_id = required_id(payload.fulfillment_id, topic, "fulfillment_id")
    order_id = required_id(payload.order_id, topic, "order_id")
    told = _told(payload, shipment_id, order_id, otherwise, topic)
    kind = _KINDS.get(told.status)
    key = str(told.status) if kind else f"event/{told.id}"
    return Event(
        kind=kind or EventKind.SHIPMENT_UPDATED,
        key=f"shipment/{shipment_id}/{key}",
        subject=Ref("shipment", shipment_id),
        at=told.at,
        order_id=order_id,
        shipment_event=told,
    )


def carrier_event_removed(payload: raw.CarrierEvent, otherwise: datetime, topic: str) -> Event:
    """A fulfillment_events/delete body: the carrier's word was taken back. Its time is that of the delivery."""
    shipment_id = required_id(payload.fulfillment_id, topic, "fulfillment_id")
    event_id = required_id(payload.id, topic, "id")
    return Event(
        kind=EventKind.SHIPMENT_UPDATED,
        key=f"shipment/{shipment_id}/event/{event_id}/removed",
        subject=Ref("shipment", shipment_id),
        at=otherwise,
        order_id=ident(payload.order_id),
        data={"removed": (payload.status or "").lower(), "shipment_event_id": event_id},
    )
