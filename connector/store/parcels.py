"""Shipments, carriers' events, refunds and returns. Read through `entities`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.model import Order, Refund, Return, Shipment, ShipmentEvent, ShipmentStatus
from connector.store.db import Row, Tx


def put_shipment(tx: Tx, shop_id: str, shipment: Shipment) -> None:
    """Newest snapshot wins; its status counts like a carrier's word of the same time."""
    _followed(tx, shop_id, shipment.order_id)
    at = to_text(shipment.updated_at)
    tx.later(
        "shipment_put",
        shop_id=shop_id,
        shipment_id=shipment.id,
        order_id=shipment.order_id,
        status=shipment.status.value,
        raw_status=shipment.raw_status,
        status_rank=shipment.status.rank,
        status_at=at,
        snapshot_at=at,
        snapshot=codec.encode_text(shipment),
    )


def put_shipment_event(tx: Tx, shop_id: str, event: ShipmentEvent) -> None:
    """Once per id; moves the parcel's status forward, and makes the parcel's row when it is not known yet."""
    _followed(tx, shop_id, event.order_id)
    at = to_text(event.at)
    status = event.status.value
    tx.later(
        "shipment_event_put",
        shop_id=shop_id,
        shipment_event_id=event.id,
        shipment_id=event.shipment_id,
        order_id=event.order_id,
        status=status,
        at=at,
        snapshot=codec.encode_text(event),
    )
    tx.later(
        "shipment_put",
        shop_id=shop_id,
        shipment_id=event.shipment_id,
        order_id=event.order_id,
        status=status,
        raw_status=event.raw_status,
        status_rank=event.status.rank,
        status_at=at,
        snapshot_at="",  # older than any snapshot
        snapshot=None,
    )


def _followed(tx: Tx, shop_id: str, order_id: str) -> None:
    """What is known of the order's parcels, refunds and returns (`entities.followers`) is so no more."""
    tx.recall("order_followers").pop((shop_id, order_id), None)


def put_refund(tx: Tx, shop_id: str, refund: Refund) -> None:
    _followed(tx, shop_id, refund.order_id)
    tx.later(
        "refund_put",
        shop_id=shop_id,
        refund_id=refund.id,
        order_id=refund.order_id,
        at=to_text(refund.at),
        snapshot=codec.encode_text(refund),
    )


def put_return(tx: Tx, shop_id: str, return_: Return) -> None:
    _followed(tx, shop_id, return_.order_id)
    tx.later(
        "return_put",
        shop_id=shop_id,
        return_id=return_.id,
        order_id=return_.order_id,
        at=to_text(return_.at),
        snapshot=codec.encode_text(return_),
    )


def shipment(tx: Tx, shop_id: str, shipment_id: str) -> Shipment | None:
    """The parcel with the furthest status heard of; without numbers when only the carrier has spoken so far."""
    row = tx.one("shipment_get", shop_id=shop_id, shipment_id=shipment_id)
    return _shipment(row) if row else None


def shipments(tx: Tx, shop_id: str, order_id: str) -> list[Shipment]:
    """The order's parcels."""
    return [_shipment(row) for row in tx.all("shipment_of_order", shop_id=shop_id, order_id=order_id)]


def _shipment(row: Row) -> Shipment:
    status = ShipmentStatus.of(row["status"])
    if row["snapshot"] is None:
        return Shipment(
            id=row["shipment_id"],
            order_id=row["order_id"],
            status=status,
            raw_status=row["raw_status"],
            created_at=from_text(row["status_since"]),
            updated_at=from_text(row["status_at"]),
        )
    found = codec.decode(row["snapshot"], Shipment)
    if found.status is status:
        return found
    return replace(found, status=status, raw_status=row["raw_status"])


def shipment_delivered_at(tx: Tx, shop_id: str, shipment_id: str) -> datetime | None:
    """When the parcel was delivered: the carrier's word, else when a snapshot first said so."""
    delivered = ShipmentStatus.DELIVERED.value
    said = tx.one("shipment_event_first", shop_id=shop_id, shipment_id=shipment_id, status=delivered)
    if said and said["at"]:
        return from_text(said["at"])
    row = tx.one("shipment_get", shop_id=shop_id, shipment_id=shipment_id)
    return from_text(row["status_since"]) if row and row["status"] == delivered else None


def shipment_times(tx: Tx, shop_id: str, order_id: str) -> dict[str, dict[str, datetime]]:
    """For each parcel of the order, when it first had each status we heard of."""
    times: dict[str, dict[str, datetime]] = {}
    for row in tx.all("shipment_of_order", shop_id=shop_id, order_id=order_id):
        times[row["shipment_id"]] = {row["status"]: from_text(row["status_since"])}
    for row in tx.all("shipment_event_times", shop_id=shop_id, order_id=order_id):
        times.setdefault(row["shipment_id"], {})[row["status"]] = from_text(row["at"])
    return times


def refunds(tx: Tx, shop_id: str, order_id: str) -> list[Refund]:
    """Money that went back, oldest first."""
    rows = tx.all("refund_of_order", shop_id=shop_id, order_id=order_id)
    return [codec.decode(row["snapshot"], Refund) for row in rows]


def returns(tx: Tx, shop_id: str, order_id: str) -> list[Return]:
    """Goods that go back, oldest first."""
    rows = tx.all("return_of_order", shop_id=shop_id, order_id=order_id)
    return [codec.decode(row["snapshot"], Return) for row in rows]


def estimates(tx: Tx, shop_id: str, order_id: str) -> dict[str, datetime]:
    """When the carriers of an order's parcels last said each would come."""
    found: dict[str, datetime] = {}
    for row in tx.all("shipment_event_of_order", shop_id=shop_id, order_id=order_id):
        said = codec.decode(row["snapshot"], ShipmentEvent).estimated_delivery_at
        if said is not None:
            found[row["shipment_id"]] = said
    return found


@dataclass(frozen=True, slots=True)
class Arrived:
    """A parcel that was delivered, with its order."""

    shipment: Shipment
    order: Order
    at: datetime


def arrived(tx: Tx, shop_id: str, limit: int) -> list[Arrived]:
    """The parcels of the shop that were delivered last, the newest first."""
    rows = tx.all("shipment_arrived", shop_id=shop_id, limit=limit)
    return [
        Arrived(
            codec.decode(row["snapshot"], Shipment),
            codec.decode(row["order_snapshot"], Order),
            from_text(row["status_since"]),
        )
        for row in rows
    ]
